/** One entry on its way to the append function: the canonical body and the columns that are copied out of it for queries. */
export interface LedgerRecord {
  /** `system`, or the name of the tenant. */
  readonly log: string
  /** Bare UUID; undefined for the system log. */
  readonly tenantId: string | undefined
  readonly caller: string | undefined
  readonly actor: string | undefined
  /** Method or event kind. */
  readonly action: string
  readonly outcome: 'allow' | 'deny' | 'error'
  readonly code: string | undefined
  readonly requestId: string | undefined
  /** Canonical JSON; holds no newline. */
  readonly body: string
}
