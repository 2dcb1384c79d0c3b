import { toBinary } from '@bufbuild/protobuf'
import { ExportTraceServiceResponseSchema, methods, type Method } from '@portcullis/contract'
import { isRefusal, type Refusal } from '#core'
import type { Admission } from '../admissions.ts'
import type { Pipeline, Reply } from '../pipeline.ts'
import { exportMethod, performExport } from './export.ts'

/** Where exporters of OTLP over gRPC call; what they do there is RecordSpans to the gate. */
export const exportPath = '/opentelemetry.proto.collector.trace.v1.TraceService/Export'

/** The method that a path of gRPC is decided as; undefined where there is none. */
export function methodAt(path: string): Method | undefined {
  return path === exportPath ? exportMethod : methods.get(path)
}

/** Performs an export; the reply is that of OTLP, in bytes. */
export async function exportOverGrpc(
  pipeline: Pipeline,
  admission: Admission,
  bytes: Uint8Array,
  idempotencyKey: string | undefined,
): Promise<Reply | Refusal> {
  const checked = await pipeline.checkBody(admission, bytes)
  if (isRefusal(checked)) return checked
  const result = await performExport(pipeline, checked, bytes, 'binary', idempotencyKey)
  if (result.refused) return result
  return { ...result, bytes: toBinary(ExportTraceServiceResponseSchema, result.message) }
}
