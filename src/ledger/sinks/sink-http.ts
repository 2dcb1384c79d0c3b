import { readFileSync } from 'node:fs'
import { Outbound, type OutboundReply } from '#core'
import { NotAcknowledged } from './not-acknowledged.ts'
import type { SinkEntry } from './ports.ts'

/** What every sink over HTTP is told about the way there. */
export interface SinkHttpSettings {
  /** The far side is in a network of one's own; then plain HTTP is allowed, too. */
  readonly allowPrivate: boolean
  readonly caFile?: string | undefined
}

/** The last bound: what calls a sink gives up earlier. */
const deadlineMs = 60_000

export function sinkHttp({ allowPrivate, caFile }: SinkHttpSettings): Outbound {
  const ca = caFile === undefined ? undefined : readFileSync(caFile, 'utf8')
  return new Outbound({ allowPrivate, allowHttp: allowPrivate && 'own', deadlineMs, ca })
}

/** Gives up waiting where the work itself takes no signal. */
export async function within<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  const over = Promise.withResolvers<never>()
  const giveUp = (): void => over.reject(new NotAcknowledged('the deadline passed', undefined, signal.reason))
  if (signal.aborted) giveUp()
  signal.addEventListener('abort', giveUp)
  try {
    return await Promise.race([work, over.promise])
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}

/** The object that a reply holds. Not acknowledged where it holds none: a proxy in between can say 200, too. */
export function jsonOf(reply: OutboundReply): Readonly<Record<string, unknown>> {
  if (reply.end === 'cut') throw new NotAcknowledged('its reply does not end: more than 1 MiB was not read', reply)
  if (reply.end === 'broken') throw new NotAcknowledged('the connection broke in its reply', reply)
  const value = parsed(reply.body)
  if (!isRecord(value)) {
    throw new NotAcknowledged(`it answered ${reply.status} with no JSON object: is something else at its URL?`, reply)
  }
  return value
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString())
  } catch {
    return undefined
  }
}

/** One entry a line, the exact bytes: what `ledger verify --offline` reads. */
export function ndjson(entries: readonly SinkEntry[]): Buffer {
  const newline = Buffer.from('\n')
  return Buffer.concat(entries.flatMap(({ entry }) => [entry, newline]))
}

/** The first and the last seq of a batch, which is never empty. */
export function rangeOf(entries: readonly SinkEntry[]): { readonly first: number; readonly last: number } {
  const [first, last] = [entries[0], entries.at(-1)]
  if (first === undefined || last === undefined) throw new Error('a batch has at least one entry')
  return { first: first.seq, last: last.seq }
}

/** When an entry was appended, in microseconds since the epoch; undefined where its bytes do not say. */
export function microsOf({ entry }: SinkEntry): bigint | undefined {
  const ts = /"ts":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{6})Z","v":1\}$/.exec(Buffer.from(entry).toString('latin1'))
  const [, seconds = '', micros = ''] = ts ?? []
  const ms = Date.parse(`${seconds}Z`)
  return Number.isNaN(ms) ? undefined : BigInt(ms) * 1000n + BigInt(micros)
}
