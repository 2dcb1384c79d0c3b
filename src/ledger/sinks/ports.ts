/** One entry on its way out: the exact bytes that were hashed, never a copy made of columns. */
export interface SinkEntry {
  readonly seq: number
  readonly entry: Uint8Array
  /** SHA-256(0x00 || entry): the record hash. */
  readonly leaf: Uint8Array
}

/** A log as the outside knows it. */
export interface SinkLog {
  readonly log: string
  /** `<host>/<log>`: with the seq it names an entry in the whole world, so a sink can tell a repeated delivery. */
  readonly origin: string
}

/** Entries of one log, in order and without a gap; at least one, at most 256 and about 1 MiB. */
export interface SinkBatch extends SinkLog {
  readonly entries: readonly SinkEntry[]
}

/** A signed note (C2SP tlog-checkpoint) over the first `size` entries of a log. */
export interface SinkCheckpoint extends SinkLog {
  readonly size: number
  /** The exact text, with its signature lines. */
  readonly note: string
}

/** What somebody has to know of a sink although it works: told to the log at WARN and as an entry of the log `system`. */
export interface SinkNotice {
  /** Of the product, such as `deleted`; never text from outside. */
  readonly what: string
  /** The ledger log that it is about. */
  readonly log: string
  /** What happened, and what to do. */
  readonly detail: string
}

/**
 * Somewhere outside of the database that keeps the ledger (SPEC L9). Every promise settles within `signal`; a throw means not
 * acknowledged, and the same batch is sent again: at least once, in order. Batches come one after the other. Making one does no I/O
 * that waits for the far side: that it is away shows at the first `send`.
 */
export interface Sink {
  /** As in the settings: unique, and the label of its metrics. */
  readonly name: string
  /** Time for one attempt, where the usual 5 s are too short for what it waits for. */
  readonly attemptMs?: number | undefined
  /**
   * The seq that the far side goes on with, asked before each batch where the sink knows better than its cursor; undefined where it
   * does not. Smaller than the cursor where the far side has lost something.
   */
  next?(log: SinkLog, signal: AbortSignal): Promise<number | undefined>
  /** Resolves once the far side has acknowledged all of it. */
  send(batch: SinkBatch, signal: AbortSignal): Promise<void>
  /** Resolves once the far side has acknowledged the checkpoint; may be called while a `send` is under way. */
  publish(checkpoint: SinkCheckpoint, signal: AbortSignal): Promise<void>
  /** The newest checkpoint that it holds for a log, where it can be read back: what a rollback is found with (SPEC L8). */
  newest?(log: SinkLog, signal: AbortSignal): Promise<string | undefined>
  close(): Promise<void>
}
