import { create } from '@bufbuild/protobuf'
import {
  ExportTracePartialSuccessSchema,
  ExportTraceServiceResponseSchema,
  HubService,
  methodOf,
  type RecordSpansResponse,
} from '@portcullis/contract'
import { isRefusal, refuse, sha256Hex, type Refusal } from '#core'
import { spansMax } from '#hub'
import type { Admission } from '../admissions.ts'
import { TooMany } from '../message-counts.ts'
import type { Pipeline, Reply } from '../pipeline.ts'
import { decodeBinary } from './decode-binary.ts'
import { decodeJson } from './decode-json.ts'

/** What an export of spans is performed as, whichever door it came through. */
export const exportMethod = methodOf(HubService.method.recordSpans)

/** An admitted export, decoded and performed (SPEC H13). Never rejects. */
export async function performExport(
  pipeline: Pipeline,
  admission: Admission,
  bytes: Uint8Array,
  form: 'json' | 'binary',
  idempotencyKey: string | undefined,
): Promise<ReturnType<typeof exportReply> | Refusal> {
  let decoded: ReturnType<typeof decodeBinary>
  try {
    decoded = form === 'json' ? decodeJson(bytes) : decodeBinary(bytes)
  } catch (error) {
    if (error instanceof TooMany) return pipeline.reject(admission, error.refusal)
    const said = error instanceof Error ? error.message : String(error)
    // The text that JSON.parse quotes is the sender's own and may be anything: only where it stopped is said.
    const detail = form === 'json' ? 'the body is not an ExportTraceServiceRequest in JSON' : undefined
    return pipeline.reject(
      admission,
      refuse('input.malformed', `otlp ${form}: ${said.replace(/".*/s, '…')}`, detail === undefined ? {} : { detail }),
    )
  }
  if (decoded.spans > spansMax) {
    const detail = `at most ${spansMax} spans in one request, not ${decoded.spans}: send smaller batches`
    return pipeline.reject(admission, refuse('bounds.message_too_large', `${decoded.spans} spans`, { detail }))
  }
  // An exporter that got no answer sends the same bytes again: they are their own idempotency key.
  const key = idempotencyKey ?? `otlp-${sha256Hex(bytes)}`
  const reply = await pipeline.perform(admission, decoded.message(), key)
  return isRefusal(reply) ? reply : exportReply(reply, decoded)
}

function exportReply(
  reply: Reply,
  { rejected, errorMessage }: { readonly rejected: number; readonly errorMessage: string },
) {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the reply of the method that was performed
  const recorded = reply.message as RecordSpansResponse
  const rejectedSpans = recorded.rejected + BigInt(rejected)
  const [first] = recorded.rejections
  const own = first === undefined ? '' : `span ${first.spanId || '(no id)'} ${first.reason}`
  const reasons = [errorMessage, own].filter((part) => part !== '').join('; ')
  const said = `${rejectedSpans} of ${rejectedSpans + recorded.accepted} spans were rejected: ${reasons}`
  const partial =
    rejectedSpans === 0n
      ? {}
      : { partialSuccess: create(ExportTracePartialSuccessSchema, { rejectedSpans, errorMessage: said }) }
  return {
    refused: false as const,
    message: create(ExportTraceServiceResponseSchema, partial),
    replayed: reply.replayed,
  }
}
