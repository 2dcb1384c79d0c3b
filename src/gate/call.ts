import type { Method } from '@portcullis/contract'
import type { Caller, Rate, RateState, Refusal, Secret, VerifiedProof, VerifiedToken } from '#core'
import type { Charge } from './charge.ts'
import type { BypassNetwork, KeyRecord, ServiceGuard } from './ports.ts'
import type { TokenResult } from './service-token.ts'
import type { SignedMessage } from './signature/message.ts'

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
  /** The certificate that the peer proved to hold when it connected; only where the listener asked for one. */
  readonly certificate?: PeerCertificate | undefined
  /** Every `DPoP` header, each value apart. */
  readonly dpop?: readonly string[] | undefined
  /** What the proof must be for; only where there is one. */
  readonly target?: RequestTarget | undefined
  /** What a signature can cover; only where the request has one (RFC 9421). */
  readonly signed?: SignedMessage | undefined
  /** Every `x-service-token`, each value apart. */
  readonly serviceTokens?: readonly Secret[] | undefined
  /** `x-actor-id` where sent; believed only beside the right service token. */
  readonly actorId?: string | undefined
  /** What became of the token, once it was looked at. A token without a verdict is refused. */
  readonly token?: VerifiedToken | Refusal | undefined
  /** What became of the DPoP proof, once it was looked at. */
  readonly proof?: VerifiedProof | Refusal | undefined
  /** The network that its source lies in, where calls may come without a credential (SPEC G12). Set by `locate`. */
  readonly bypass?: BypassNetwork | undefined
  /** The W3C `traceparent` header where sent; decides nothing. */
  readonly traceparent?: string | undefined
  /** How its door names it, and what its success is there, where that is not the method and 200; decides nothing. */
  readonly door?: { readonly route: string; readonly status: number } | undefined
}

/** The request as the listener saw it, without anything that its headers say of it. */
export interface RequestTarget {
  readonly method: string
  /** As requested, without query. */
  readonly path: string
  /** Where the connection came in: `http://127.0.0.1:8080`. */
  readonly listener: string
}

export interface PresentedCredential {
  readonly kind: 'api_key' | 'access_token' | 'query'
  readonly text: Secret
  /** The scheme was `DPoP` and not `Bearer`. */
  readonly dpop?: boolean
}

export interface PeerCertificate {
  /** SHA-256 of its DER, base64url: as in `cnf.x5t#S256` (RFC 8705). */
  readonly thumbprint: string
  /** The subject as a distinguished name (RFC 4514). */
  readonly subject: string
  /** No authority has vouched for it: its subject says nothing, and only its thumbprint counts. */
  readonly selfSigned?: boolean
}

export interface Allowed {
  readonly refused: false
  readonly caller: Caller | undefined
  /** The acting person, where the service token was right. */
  readonly actor?: string | undefined
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
  readonly actor?: string | undefined
  /** As for what is allowed: an empty bucket comes before the refusal. */
  readonly charges?: readonly Charge[] | undefined
}

export type Decision = Allowed | Denied

/** What the steps learn on their way down the table. */
export interface Progress {
  caller: Caller | undefined
  key: KeyRecord | undefined
  /** Of the service that is called, unless it is off. */
  guard: ServiceGuard | undefined
  serviceToken: TokenResult | undefined
  actor: string | undefined
  /** Why the credential is good for nothing here, though it is right; said where scopes are looked at. */
  lacking: Refusal | undefined
  ownOnly: boolean
  limit: RateState | undefined
  charges: readonly Charge[] | undefined
}
