import { toBinary } from '@bufbuild/protobuf'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { ErrorInfoSchema } from '@portcullis/contract'
import { refusals, type RateState, type Refusal } from '#core'
import { errorInfo, publicMessage, statusDetails } from '../error-info.ts'
import { rateHeaders } from '../rate-headers.ts'
import { challenges } from './challenge.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Where this listener says whom to ask for a token (RFC 9728), where there is somebody to ask. */
    resourceMetadata?: () => string | undefined
  }
  interface FastifyContextConfig {
    /** Refusals of this route are a google.rpc.Status where its callers speak protobuf, as OTLP wants it. */
    statusBody?: boolean
  }
}

/** Whether the caller speaks the Connect protocol: then errors have its form (SPEC C2). */
export function speaksConnect(request: FastifyRequest): boolean {
  return request.headers['connect-protocol-version'] !== undefined || mediaType(request) === 'application/proto'
}

export function mediaType(request: FastifyRequest): string {
  return (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
}

/** Answers with a refusal: a Connect error for Connect callers, a problem document (RFC 9457) for all others. */
export function sendRefusal(
  request: FastifyRequest,
  reply: FastifyReply,
  refusal: Refusal,
  origin: string,
): FastifyReply {
  const { grpc, http } = refusals[refusal.code]
  const binary = request.routeOptions.config.statusBody === true && mediaType(request) === 'application/x-protobuf'
  if (!binary && !speaksConnect(request)) return sendProblem(request, reply, refusal, origin)
  setHeaders(request, reply, refusal)
  return binary
    ? reply
        .code(http)
        .type('application/x-protobuf')
        .send(Buffer.from(statusDetails(refusal, request.id)))
    : reply.code(connectStatus[grpc]).type('application/json').send(connectError(refusal, request.id))
}

/** As `sendRefusal`, with a problem document for everybody. */
export function sendProblem(
  request: FastifyRequest,
  reply: FastifyReply,
  refusal: Refusal,
  origin: string,
): FastifyReply {
  setHeaders(request, reply, refusal)
  return reply
    .code(refusals[refusal.code].http)
    .type('application/problem+json')
    .send(JSON.stringify(problemOf(refusal, request.id, origin)))
}

function setHeaders(request: FastifyRequest, reply: FastifyReply, refusal: Refusal): void {
  void reply.header('cache-control', 'no-store')
  if (refusal.retryAfterSeconds !== undefined) void reply.header('retry-after', String(refusal.retryAfterSeconds))
  setRate(reply, refusal.limit)
  const asked = challenges(refusal, request.server.resourceMetadata?.())
  if (asked.length > 0) void reply.header('www-authenticate', asked)
}

/** Tells the caller of the bucket that its call was charged to (SPEC G7). */
export function setRate(reply: FastifyReply, limit: RateState | undefined): void {
  if (limit === undefined) return
  const told = rateHeaders(limit)
  void reply.header('ratelimit', told.limit).header('ratelimit-policy', told.policy)
}

/** The members of a problem document. */
export function problemOf(refusal: Refusal, requestId: string, origin: string): object {
  const { http, say } = refusals[refusal.code]
  return {
    type: `${origin}/problems/${refusal.code}`,
    title: say,
    status: http,
    ...(refusal.detail === undefined ? {} : { detail: refusal.detail }),
    ...(refusal.facts === undefined ? {} : { facts: refusal.facts }),
    code: refusal.code,
    requestId,
  }
}

// Connect names each code and fixes its HTTP status (https://connectrpc.com/docs/protocol#error-codes).
const connectStatus = {
  cancelled: 499,
  unknown: 500,
  invalid_argument: 400,
  deadline_exceeded: 504,
  not_found: 404,
  already_exists: 409,
  permission_denied: 403,
  resource_exhausted: 429,
  failed_precondition: 400,
  aborted: 409,
  out_of_range: 400,
  unimplemented: 501,
  internal: 500,
  unavailable: 503,
  data_loss: 500,
  unauthenticated: 401,
} as const

function connectError(refusal: Refusal, requestId: string): string {
  const info = errorInfo(refusal, requestId)
  const value = Buffer.from(toBinary(ErrorInfoSchema, info)).toString('base64').replace(/=+$/, '')
  return JSON.stringify({
    code: refusals[refusal.code].grpc,
    message: publicMessage(refusal),
    details: [
      {
        type: ErrorInfoSchema.typeName,
        value,
        debug: { reason: info.reason, domain: info.domain, metadata: info.metadata },
      },
    ],
  })
}
