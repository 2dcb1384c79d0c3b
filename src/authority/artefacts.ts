import type { X509Certificate } from 'node:crypto'
import type { TokenEventKind } from '#ledger'
import type { AppRecord } from './ports.ts'

/** What the authorization server keeps, by the digest of the value that its holder shows. Hex of SHA-256 throughout. */
export interface StoredArtefact {
  /** Without the value itself: whoever finds it has shown it. */
  readonly payload: Readonly<Record<string, unknown>>
  readonly consumed: boolean
  readonly expired: boolean
}

export interface ArtefactStore {
  find(model: string, digest: string): Promise<StoredArtefact | undefined>
  findByUid(model: string, uidDigest: string): Promise<StoredArtefact | undefined>
  /** What was granted under a session at the authorization server, and has not ended since. */
  grantsUnder(sessionUidDigest: string): Promise<readonly SessionGrant[]>
}

export interface SessionGrant {
  readonly grantId: string
  readonly clientId: string
}

/** All that one request writes; committed at once with its ledger entry, or not at all (SPEC A6). */
export interface Writes extends Ends {
  /** Proofs and assertions, each good for once. */
  readonly once: readonly { readonly model: string; readonly digest: string; readonly expiresAtMs: number }[]
  /** Codes and refresh tokens that nobody else may have used. */
  readonly consume: readonly { readonly model: string; readonly digest: string; readonly keepSeconds: number }[]
  readonly destroy: readonly { readonly model: string; readonly digest: string }[]
  readonly upsert: readonly Upsert[]
  /** Instead of all of it, where another request was first. */
  readonly lost: Ends
}

export interface Upsert {
  readonly model: string
  readonly digest: string
  readonly payload: Readonly<Record<string, unknown>>
  readonly grantDigest: string | null
  readonly uidDigest: string | null
  readonly expiresAtMs: number
}

/** Grants that end with all that belongs to them, and tokens that are refused from now on. */
export interface Ends {
  readonly grants: readonly string[]
  readonly denials: readonly Denial[]
}

export interface Denial {
  /** Bare UUID. */
  readonly tenantId: string
  /** As in `DenialDirectory`. */
  readonly digest: string
  readonly reason: string
  readonly expiresAtMs: number
}

/** Where a request came from, as the HTTP door knows it. */
export interface Origin {
  readonly requestId: string
  /** Address of the peer, without port. */
  readonly remote: string
  /** The certificate that the peer proved to hold, where the listener asked for one. */
  readonly certificate: X509Certificate | undefined
  /** The authority that the listener trusts vouched for it. */
  readonly certificateAuthorized: boolean
  /** Its subject as a distinguished name (RFC 4514). */
  readonly certificateSubject: string | undefined
  /** Monotonic milliseconds. */
  readonly arrivedAt: number
}

export type OAuthKind = Exclude<TokenEventKind, 'token_key.made'>

/** What one request to the authorization server came to, for the ledger. Holds no token, code or secret. */
export interface OAuthEvent {
  readonly kind: OAuthKind
  /** Path of the route. */
  readonly route: string
  readonly app: AppRecord | undefined
  /** The person that it is about: `opr_...` */
  readonly subject: string | undefined
  /** The error code of the standard, where it was refused. */
  readonly error: string | undefined
  readonly reason: string | undefined
  readonly args: Readonly<Record<string, string | number | boolean | undefined>>
}

/** `full`, `busy` and `unavailable`: nothing was written, or nobody knows; the request is answered with 503. */
export type Committed = 'done' | 'replayed' | 'lost' | 'full' | 'busy' | 'unavailable'

export interface CommitPort {
  /** Commits the writes with the entry of the event. `lost` is the entry instead where another request was first. Never rejects. */
  commit(origin: Origin, event: OAuthEvent, writes: Writes | undefined, lost: OAuthEvent): Promise<Committed>
  /** Writes that nothing is to be said of: a sign-in that is under way. `ends`: it takes power away, and is let through for longest. */
  keep(writes: Writes, ends: boolean): Promise<Committed>
  /** A refusal, or what is recorded with best effort: counted with its like where there are many. Never rejects. */
  note(origin: Origin, event: OAuthEvent): Promise<Committed>
}
