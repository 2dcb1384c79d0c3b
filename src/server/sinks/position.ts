import type { SinkLog } from '#ledger'
import type { LogBehind } from '#store'

/** Where a sink stands in one log, as this process knows it. */
export interface Position {
  readonly of: SinkLog
  /** What is before it is not owed to the sink. */
  readonly begun: number
  cursor: number
  /** What is to be sent next, as far as is known. */
  next: number
  size: number
  waitingSeconds: number
  /** In a row. */
  failures: number
  /** Monotonic milliseconds. */
  notBefore: number
  /** Entries that are missing have been told up to this seq. */
  toldTo: number
}

export function positionOf({ log, begun, cursor, size, waitingSeconds }: LogBehind, host: string): Position {
  const of = { log, origin: `${host}/${log}` }
  return { of, begun, cursor, next: cursor, size, waitingSeconds, failures: 0, notBefore: 0, toldTo: 0 }
}

/** Takes over what a later look found. */
export function catchUp(known: Position, { cursor, size, waitingSeconds }: LogBehind): void {
  known.size = Math.max(known.size, size)
  known.waitingSeconds = waitingSeconds
  // A cursor that is ahead is one that another process has moved; what is behind the cursor is being sent again.
  if (known.next >= known.cursor) known.next = Math.max(known.next, cursor)
  known.cursor = Math.max(known.cursor, cursor)
}
