import type { ReadScope } from '../ports.ts'

export interface EntryFilter {
  readonly log: string
  readonly caller?: string
  readonly action?: string
  readonly outcome?: string
  readonly code?: string
  readonly requestId?: string
  /** Bare UUID of the tenant that an entry of the log `system` is about. */
  readonly tenantId?: string
  readonly afterMs?: number
  readonly beforeMs?: number
  /** Only entries from this seq on: bounds what a filter without an index reads. */
  readonly fromSeq?: string
}

/** The next entry of each log of a tenant. */
export type EventCursor = Readonly<Record<string, number>>

export interface TokenEvents {
  /** In order, log by log. */
  readonly rows: readonly EntryRow[]
  readonly next: EventCursor
  /** There is more to be looked at now. */
  readonly more: boolean
}

export interface EntryRow {
  readonly log: string
  readonly seq: string
  readonly leaf: Uint8Array
  readonly entry: Uint8Array
}

/** The newest state of a log; hashes in hex. */
export interface LogHead {
  readonly size: number
  readonly root: string
  readonly lastHash: string
  /** The largest seq in the table, -1 where it is empty; `size` - 1 in a log that is right. */
  readonly lastSeq: number
  /** Where retention has cut the log by policy, and what stood before: a replay begins here (SPEC L12). */
  readonly begin: LogBegin | undefined
}

export interface LogBegin {
  readonly seq: number
  /** Record hash of the last entry that was taken away, in hex. */
  readonly prev: string
  /** The frontier at that size, as in audits.heads. */
  readonly frontier: Uint8Array
  /** The seq of the entry that says so. */
  readonly pruneSeq: number
}

/** What a replay of a log found (SPEC L10). */
export interface LogVerdict {
  readonly chainValid: boolean
  readonly from: number
  readonly to: number
  readonly root: string
  readonly firstBadSeq: number | undefined
  readonly problem: string
  /** What the newest signed checkpoint covers, and what a sink has acknowledged of it; 0 where there is none. */
  readonly checkpointSize: number
  readonly anchoredSize: number
}

/** A signed checkpoint as it is stored. */
export interface StoredCheckpoint {
  readonly size: number
  /** Hex. */
  readonly root: string
  /** The signed note. */
  readonly note: string
  readonly signedAtMs: number
}

/** Where the checkpoints of a log stand (SPEC L8). */
export interface LogStanding {
  /** The newest; undefined before the first one. */
  readonly checkpoint: StoredCheckpoint | undefined
  /** What each sink has acknowledged. */
  readonly anchors: readonly { readonly sink: string; readonly size: number; readonly atMs: number }[]
  /** Why the log is not signed any more. */
  readonly stopped: string | undefined
}

/** The tree of a log as it was signed (SPEC L11). */
export interface TlogPort {
  /** Where a log is to be read, for readers that need no credential; undefined where there is none. */
  scopeOf(log: string): Promise<ReadScope | undefined>
  /** Undefined where the log is not there for this caller. */
  standing(scope: ReadScope, log: string): Promise<LogStanding | undefined>
  /** The note over exactly that many entries, where one was signed. */
  noteAt(scope: ReadScope, log: string, size: number): Promise<string | undefined>
  /** `width` hashes of a tile, 32 bytes each; fewer where they are not there. For tiles below the newest checkpoint. */
  hashes(scope: ReadScope, log: string, level: number, index: number, width: number): Promise<Uint8Array>
}
