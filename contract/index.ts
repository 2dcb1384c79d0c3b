export * from './gen/portcullis/v1/access_pb.ts'
export * from './gen/portcullis/v1/agent_pb.ts'
export * from './gen/portcullis/v1/api_key_pb.ts'
export * from './gen/portcullis/v1/app_pb.ts'
export * from './gen/portcullis/v1/authorization_pb.ts'
export * from './gen/portcullis/v1/batch_pb.ts'
export * from './gen/portcullis/v1/benchmark_pb.ts'
export * from './gen/portcullis/v1/budget_pb.ts'
export * from './gen/portcullis/v1/certificate_pb.ts'
export * from './gen/portcullis/v1/changelog_pb.ts'
export * from './gen/portcullis/v1/cost_pb.ts'
export * from './gen/portcullis/v1/hub_pb.ts'
export * from './gen/portcullis/v1/identity_pb.ts'
export * from './gen/portcullis/v1/jobs_pb.ts'
export * from './gen/portcullis/v1/kill_pb.ts'
export * from './gen/portcullis/v1/leaderboard_pb.ts'
export * from './gen/portcullis/v1/ledger_pb.ts'
export * from './gen/portcullis/v1/note_pb.ts'
export * from './gen/portcullis/v1/operator_pb.ts'
export * from './gen/portcullis/v1/ops_pb.ts'
export * from './gen/portcullis/v1/policy_pb.ts'
export * from './gen/portcullis/v1/posture_pb.ts'
export * from './gen/portcullis/v1/prompt_analytics_pb.ts'
export * from './gen/portcullis/v1/prompt_attempt_pb.ts'
export * from './gen/portcullis/v1/run_event_pb.ts'
export * from './gen/portcullis/v1/run_pb.ts'
export * from './gen/portcullis/v1/session_pb.ts'
export * from './gen/portcullis/v1/signing_key_pb.ts'
export * from './gen/portcullis/v1/span_pb.ts'
export * from './gen/portcullis/v1/task_pb.ts'
export * from './gen/portcullis/v1/tenant_pb.ts'
export * from './gen/portcullis/v1/token_counts_pb.ts'
export * from './gen/google/rpc/error_details_pb.ts'
export * from './gen/google/rpc/status_pb.ts'
export { Health, HealthCheckResponse_ServingStatus } from './gen/grpc/health/v1/health_pb.ts'
export { ServerReflection } from './gen/grpc/reflection/v1/reflection_pb.ts'
export { ServerReflection as ServerReflectionV1Alpha } from './gen/grpc/reflection/v1alpha/reflection_pb.ts'
export {
  ExportTracePartialSuccessSchema,
  ExportTraceServiceRequestSchema,
  ExportTraceServiceResponseSchema,
} from './gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.ts'
export {
  InstrumentationScopeSchema,
  type AnyValue,
  type KeyValue,
} from './gen/opentelemetry/proto/common/v1/common_pb.ts'
export { ResourceSchema, type Resource } from './gen/opentelemetry/proto/resource/v1/resource_pb.ts'
export {
  ResourceSpansSchema,
  ScopeSpansSchema,
  SpanSchema,
  Status_StatusCode as SpanStatusCode,
  type ResourceSpans,
  type ScopeSpans,
  type Span,
  type Span_Event as SpanEvent,
} from './gen/opentelemetry/proto/trace/v1/trace_pb.ts'
export { accessOf, methodOf, methods, type AccessClassName, type AuditModeName, type Method } from './methods.ts'
