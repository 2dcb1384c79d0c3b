import type { Method } from '@portcullis/contract'
import type { Caller, Rate, RateState, Refusal, Secret } from '#core'
import type { Charge } from './charge.ts'
import type { KeyRecord } from './ports.ts'

/** What a door knows of a request before it reads the body. The method was matched in the contract, never re-parsed. */
export interface Call {
  readonly method: Method
  /** Every credential found in the request; more than one is refused. */
  readonly credentials: readonly PresentedCredential[]
  /** Address of the peer, without port. */
  readonly remote: string
  readonly requestId: string
  /** `x-tenant-id` where sent. */
  readonly tenantId: string | undefined
  /** The W3C `traceparent` header where sent; decides nothing. */
  readonly traceparent?: string | undefined
}

export interface PresentedCredential {
  readonly kind: 'api_key' | 'query'
  readonly text: Secret
}

export interface Allowed {
  readonly refused: false
  readonly caller: Caller | undefined
  /** The caller lacks the scope and sees its own objects only. */
  readonly ownOnly: boolean
  /** The bucket that the call was charged to, for the caller to see. */
  readonly limit?: RateState | undefined
  /** The rate of the key, where it has one of its own. */
  readonly rate?: Rate | undefined
  /** Where the buckets are shared: the decision holds once these tokens are taken. See `settle`. */
  readonly charges?: readonly Charge[] | undefined
}

export interface Denied {
  readonly refused: true
  readonly refusal: Refusal
  /** Known where authentication succeeded, or where the secret was right but the key may not be used any more. */
  readonly caller: Caller | undefined
  /** As for what is allowed: an empty bucket comes before the refusal. */
  readonly charges?: readonly Charge[] | undefined
}

export type Decision = Allowed | Denied

/** What the steps learn on their way down the table. */
export interface Progress {
  caller: Caller | undefined
  key: KeyRecord | undefined
  ownOnly: boolean
  limit: RateState | undefined
  charges: readonly Charge[] | undefined
}
