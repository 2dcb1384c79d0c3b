/** A kill as stored; `scope` is the number of KillScopeKind. */
export interface KillRow {
  readonly id: string
  readonly scope: number
  /** Bare UUID of a tenant, an agent or a key; a name of a model, a tool or a job kind; empty for everything. */
  readonly subject: string
  readonly reason: string
  readonly actor: string
  readonly engagedAtMs: number
  readonly expiresAtMs: number | null
  readonly releasedAtMs: number | null
  readonly releasedBy: string
  readonly releaseReason: string
  /** The epoch of its last change: text of a bigint. */
  readonly epoch: string
  readonly runsCancelled: string
  readonly reservationsSettled: string
}

export interface KillEngage {
  readonly id: string
  readonly scope: number
  readonly subject: string
  readonly reason: string
  readonly actor: string
  readonly engagedAtMs: number
  readonly expiresAtMs: number | null
  /** The caller runs the platform: tenants beside its own are there. */
  readonly platform: boolean
  /** Answers with what is engaged already for the same subject, if anything that lasts as long is. */
  readonly once: boolean
}

export interface KillRelease {
  /** Null for every kill of the tenant as a whole. */
  readonly id: string | null
  readonly actor: string
  readonly reason: string
  readonly atMs: number
  readonly platform: boolean
  /** Bare ids of who asks, agent and key: nobody releases what stops itself. */
  readonly own: readonly string[]
}

export interface KillCancel {
  readonly id: string
  /** One for each run that may be cancelled: no more than these are. */
  readonly eventIds: readonly string[]
  readonly atMs: number
  /** Reservations that were ended for it since, and are counted with this. */
  readonly settled: number
}

/** What a drill has measured; times in microseconds as decimal text. */
export interface DrillRow {
  readonly id: string
  readonly killId: string
  readonly denyP50Us: string
  readonly denyP99Us: string
  readonly cancelP50Us: string
  readonly cancelP99Us: string
  readonly probes: number
  readonly replicas: number
  readonly actor: string
  readonly createdAtMs: number
}

export interface KillOperations {
  'kill.engage': { args: KillEngage; row: KillRow & { readonly verdict: 'done' | 'object.state' } }
  'kill.release': {
    args: KillRelease
    row: KillRow & { readonly verdict: 'done' | 'object.state' | 'kill.engaged' | 'auth.scope_missing' }
  }
  'kill.cancel': { args: KillCancel; row: { readonly cancelled: number } }
  /** No row where it was finished already. */
  'kill.finish': { args: { readonly id: string }; row: { readonly runs: string; readonly reservations: string } }
  'drill.record': { args: DrillRow; row: { readonly n: number } }
}
