import { refuse, type Refusal } from '#core'

/** What an error of the database means for a batch. */
export type StoreError =
  /** A statement failed: some member is to blame, the others are not. */
  | 'statement'
  /** A lock was not had in time, or another call records the same spans now. */
  | 'contended'
  /** The database or the connection to it is gone, full or shutting down: nobody is to blame. */
  | 'unavailable'

// Classes of SQLSTATE that say the server cannot serve: connection, resources, operator intervention, read-only, and sessions
// that it ended because nothing came from us in time.
const unavailable = /^(08|53|58|57P0|25006|25P03|25P04)/

export function classify(error: unknown): StoreError {
  const state = sqlState(error)
  if (state === undefined || unavailable.test(state)) return 'unavailable'
  if (state === '55P03' || state === '57014' || state === '40P01' || state === '40001') return 'contended'
  if (state === '23505' && tableOf(error) === 'ingested_spans') return 'contended'
  return 'statement'
}

// What the language throws by itself: no connection and no server says so.
const ofTheLanguage = [TypeError, RangeError, ReferenceError, SyntaxError, URIError] as const

/** Whether a read failed by a fault of ours, a statement that the database does not take included, and not for want of the store. */
export function isFault(error: unknown): boolean {
  const of = error instanceof Error && error.cause !== undefined ? error.cause : error
  return ofTheLanguage.some((kind) => of instanceof kind) || classify(of) === 'statement'
}

/** The SQLSTATE of an error of the server; undefined where the error is of the connection. */
export function sqlState(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  const { code } = error
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && 'severity' in error ? code : undefined
}

/** Another transaction has stored the reply of the same idempotency key. */
export function isKeyTaken(error: unknown): boolean {
  return sqlState(error) === '23505' && tableOf(error) === 'idempotency'
}

function tableOf(error: unknown): unknown {
  return error instanceof Error && 'table' in error ? error.table : undefined
}

/** The write was decided under kills that are not those in force (`portcullis.enter_writes`). */
export function isKillChanged(error: unknown): boolean {
  return sqlState(error) === 'PK001'
}

/** A row of telemetry of a day that nobody has made a partition for (SPEC H7). */
export function isPartitionMissing(error: unknown): boolean {
  return sqlState(error) === '23514' && error instanceof Error && error.message.startsWith('no partition of relation')
}

export function unavailableRefusal(error: unknown): Refusal {
  return refuse('store.unavailable', describe(error), { retryAfterSeconds: 1 })
}

export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const state = sqlState(error)
  return state === undefined ? error.message : `${state} ${error.message}`
}
