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
}

export interface KillEngage {
  readonly id: string
  readonly scope: number
  readonly subject: string
  readonly reason: string
  readonly actor: string
  readonly engagedAtMs: number
  readonly expiresAtMs: number | null
}

export interface KillRelease {
  readonly id: string
  readonly actor: string
  readonly reason: string
  readonly atMs: number
}
