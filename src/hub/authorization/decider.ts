import { refuse, type Caller, type Refusal, type Secret, type Tenant } from '#core'

/** Who a checked credential belongs to, by the same rules as at the gate. */
export interface Found {
  readonly refused: false
  readonly caller: Caller
  /** Milliseconds since the epoch; undefined where the credential does not expire. */
  readonly expiresAtMs: number | undefined
}

/** On whose behalf is asked, and from where the party came; a key that is bound to networks needs its address. */
interface Asking {
  readonly tenant: Tenant
  readonly address: string | undefined
}

/**
 * What the gate knows of credentials, for callers of other services (SPEC G22). Charges no bucket and reads memory only. Whoever is
 * of another tenant than the one that asks is answered for as nobody is.
 */
export interface Decider {
  /**
   * Looks at what cannot be decided at once, the signatures of tokens; undefined where there is none. Awaited before those
   * credentials are asked about.
   */
  ready?(credentials: readonly Secret[]): Promise<void> | undefined
  byCredential(credential: Secret, asking: Asking): Found | Refusal
  /** An agent or operator that the asking service has authenticated itself: it has the scopes of its usable keys together. */
  byCaller(id: string, asking: Asking): Found | Refusal
  /** The state of the credentials, and of the policies where there are any, that a decision was made under. */
  epoch(): string
  /** What the fine policy says where the scopes allow; without one the scopes decide (SPEC G21). */
  fine?(asked: FineQuestion): Refusal | undefined
}

export interface FineQuestion {
  readonly caller: Caller
  readonly action: string
  readonly resource: string
  readonly context: Readonly<Record<string, string>>
}

/** Where nothing was composed: nobody is let in. */
export const denyAll: Decider = {
  byCredential: () => refuse('auth.credential_invalid', 'no decider'),
  byCaller: () => refuse('object.not_found', 'no decider'),
  epoch: () => '0',
}
