/** A trace that spans came of; ids in hex. */
export interface AskedTrace {
  readonly traceId: string
  readonly spanIds: readonly string[]
  /** Becomes the run of the trace where it has none yet; without it nothing is made. */
  readonly newRunId: string | undefined
}

export interface KnownTrace {
  /** Bare UUID. */
  readonly runId: string
  /** The run is there, and not only its id. */
  readonly started: boolean
  /** Which of the asked spans are recorded already. */
  readonly recorded: ReadonlySet<string>
}

/**
 * Which run a trace is (SPEC H13). The id of the run is kept before the spans are written, so that whoever sends spans of the trace at
 * the same time adds to the same run.
 */
export interface TracePort {
  /** By trace id; a trace without a run is not there. Rejects where the database gives no answer. */
  runsOf(
    whose: { readonly tenantId: string; readonly owner: string },
    asked: readonly AskedTrace[],
  ): Promise<ReadonlyMap<string, KnownTrace>>
}

/** What is written once for all spans of a call: it fails where one of them is recorded already. */
export interface SpansClaim {
  readonly owner: string
  readonly spans: readonly { readonly trace: string; readonly span: string }[]
}

/** Starts the run of a trace where it is not there, and ends it where its root has ended. */
export interface TraceRun {
  readonly id: string
  readonly workflow: string
  readonly agentId: string | null
  readonly promptVersion: string
  /** WORKING, or one of the states that end a run. */
  readonly status: number
  readonly lastError: string
  readonly startedAtMs: number
  readonly finishedAtMs: number | null
  readonly keyId: string | null
}

/** Writes of the ingest; rows say only that they were done. */
export interface IngestOperations {
  'spans.claim': { args: SpansClaim; row: { readonly n: number } }
  'run.trace': { args: TraceRun; row: { readonly n: number } }
}

/** Stands for operators, who own what the tenant owns. */
export const noAgent = '00000000-0000-0000-0000-000000000000'
