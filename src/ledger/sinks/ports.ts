/** One entry on its way out: the exact bytes that were hashed, never a copy made of columns. */
export interface SinkEntry {
  readonly seq: number
  readonly entry: Uint8Array
  /** SHA-256(0x00 || entry): the record hash. */
  readonly leaf: Uint8Array
}

/** Entries of one log, in order and without a gap; at most 256 entries and about 1 MiB. */
export interface SinkBatch {
  readonly log: string
  /** `<host>/<log>`: with the seq it names an entry in the whole world, so a sink can tell a repeated delivery. */
  readonly origin: string
  readonly entries: readonly SinkEntry[]
}

/** A signed note (C2SP tlog-checkpoint) over the first `size` entries of a log. */
export interface SinkCheckpoint {
  readonly log: string
  readonly origin: string
  readonly size: number
  /** The exact text, with its signature lines. */
  readonly note: string
}

/**
 * Somewhere outside of the database that keeps the ledger (SPEC L9). Every promise settles within `signal`; a throw means not
 * acknowledged, and the same batch is sent again: at least once, in order.
 */
export interface Sink {
  /** As in the settings: unique, and the label of its metrics. */
  readonly name: string
  /** Resolves once the far side has acknowledged all of it. */
  send(batch: SinkBatch, signal: AbortSignal): Promise<void>
  /** Resolves once the far side has acknowledged the checkpoint; may be called while a `send` is under way. */
  publish(checkpoint: SinkCheckpoint, signal: AbortSignal): Promise<void>
  /** The newest checkpoint that it holds for an origin, where it can be read back: what a rollback is found with (SPEC L8). */
  newest?(origin: string, signal: AbortSignal): Promise<string | undefined>
  close(): Promise<void>
}
