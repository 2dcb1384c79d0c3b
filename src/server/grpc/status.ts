import { Metadata } from '@grpc/grpc-js'
import { grpcCodes, refusals, type RateState, type Refusal } from '#core'
import { publicMessage, statusDetails } from '../error-info.ts'
import { rateHeaders } from '../rate-headers.ts'
import type { SentStatus } from './transport.ts'

/** The status that a call is refused with. */
export function statusOf(refusal: Refusal, requestId: string, charged?: RateState): SentStatus {
  const metadata = new Metadata()
  metadata.set('x-request-id', requestId)
  metadata.set('grpc-status-details-bin', Buffer.from(statusDetails(refusal, requestId)))
  const limit = refusal.limit ?? charged
  if (limit !== undefined) {
    const told = rateHeaders(limit)
    metadata.set('ratelimit', told.limit)
    metadata.set('ratelimit-policy', told.policy)
  }
  if (refusal.retryAfterSeconds !== undefined) metadata.set('retry-after', String(refusal.retryAfterSeconds))
  return { code: grpcCodes[refusals[refusal.code].grpc], details: publicMessage(refusal), metadata }
}
