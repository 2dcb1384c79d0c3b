import { create, toBinary } from '@bufbuild/protobuf'
import { anyPack, durationFromMs } from '@bufbuild/protobuf/wkt'
import { ErrorInfoSchema, RetryInfoSchema, StatusSchema } from '@portcullis/contract'
import { grpcCodes, refusals, type Refusal } from '#core'

/** The machine-readable part of a refusal: google.rpc.ErrorInfo (SPEC C3). Holds nothing private. */
export function errorInfo(refusal: Refusal, requestId: string) {
  return create(ErrorInfoSchema, {
    reason: refusal.code,
    domain: 'portcullis',
    metadata: { ...refusal.facts, requestId, ...(refusal.detail === undefined ? {} : { detail: refusal.detail }) },
  })
}

/** google.rpc.Status in bytes, for the trailer `grpc-status-details-bin`. */
export function statusDetails(refusal: Refusal, requestId: string): Uint8Array {
  const details = [anyPack(ErrorInfoSchema, errorInfo(refusal, requestId))]
  if (refusal.retryAfterSeconds !== undefined) {
    const retry = create(RetryInfoSchema, { retryDelay: durationFromMs(refusal.retryAfterSeconds * 1000) })
    details.push(anyPack(RetryInfoSchema, retry))
  }
  const { grpc } = refusals[refusal.code]
  return toBinary(
    StatusSchema,
    create(StatusSchema, { code: grpcCodes[grpc], message: publicMessage(refusal), details }),
  )
}

/** The sentence that the caller reads. */
export function publicMessage(refusal: Refusal): string {
  const { say } = refusals[refusal.code]
  return refusal.detail === undefined ? say : `${say} (${refusal.detail})`
}
