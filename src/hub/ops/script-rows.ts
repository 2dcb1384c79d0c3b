/** Null where a row of that phase is there already. */
export interface ScriptRow {
  readonly verdict: 'done' | 'object.state'
  readonly recordedAtMs: number | null
}

/** One phase of a run of a guarded script. */
export interface ScriptRecord {
  readonly id: string
  readonly phase: 'intent' | 'outcome'
  /** The outcome of an intent that is recorded. */
  readonly announced: boolean
  readonly name: string
  readonly operator: string
  readonly args: readonly string[]
  readonly destructive: boolean
  readonly confirmed: boolean
  readonly exitCode: number | null
  readonly signal: string | null
  readonly durationMs: string | null
}
