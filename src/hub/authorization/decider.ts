import { refuse, type Caller, type Refusal, type Secret } from '#core'

/** Who a checked credential belongs to, by the same rules as at the gate. */
export interface Found {
  readonly refused: false
  readonly caller: Caller
  /** Milliseconds since the epoch; undefined where the credential does not expire. */
  readonly expiresAtMs: number | undefined
}

/** What the gate knows of credentials, for callers of other services (SPEC G22). Charges no bucket and reads memory only. */
export interface Decider {
  /** `address` is that of the party that is checked; a key that is bound to networks needs it. */
  byCredential(credential: Secret, address: string | undefined): Found | Refusal
  /** An agent or operator that the asking service has authenticated itself: it has the scopes of its usable keys together. */
  byCaller(id: string): Found | Refusal
  /** The state of the credentials that a decision was made under. */
  epoch(): string
}

/** Where nothing was composed: nobody is let in. */
export const denyAll: Decider = {
  byCredential: () => refuse('auth.credential_invalid', 'no decider'),
  byCaller: () => refuse('object.not_found', 'no decider'),
  epoch: () => '0',
}
