/** One run of a script, as the ledger keeps it (SPEC O5). */
export interface Script {
  readonly name: string
  readonly operator: string
  /** Redacted. */
  readonly args: readonly string[]
  readonly destructive: boolean
  readonly confirmed: boolean
}

/**
 * What the record means for the run. `best_effort`: it never stops a confirmed run. `required`: without the intent in the ledger
 * nothing is run. `required_offbox`: nor without a sink outside of the database that holds it.
 */
export type AuditDemand = 'best_effort' | 'required' | 'required_offbox'

/** Where runs are recorded. Both reject where the record was not made; every promise settles in bounded time. */
export interface ScriptRecorder {
  /** Resolves with the id of the run. */
  intent(script: Script, demand: AuditDemand): Promise<string>
  /** `id` is undefined where the intent was not recorded. */
  outcome(id: string | undefined, script: Script, end: ScriptOutcome): Promise<void>
}

export interface ScriptOutcome {
  readonly exitCode: number
  readonly signal: string | undefined
  readonly durationMs: number
}
