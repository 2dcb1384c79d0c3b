import { canonicalJson, type Json } from '#core'
import { entryBytesMax } from './scan.ts'
import { leafHash } from './tree.ts'

export { entryBytesMax }
/** `prev` of the entry with seq 0. */
export const genesisPrev = '0'.repeat(64)

export interface Entry {
  readonly body: { readonly [key: string]: Json | undefined }
  readonly log: string
  /** Record hash of the entry before, in hex. */
  readonly prev: string
  readonly seq: number
  /** UTC with six digits of microseconds. */
  readonly ts: string
}

export type ParsedEntry = { readonly ok: true; readonly entry: Entry } | { readonly ok: false; readonly why: string }

/** The text of an entry. The database builds the same text (audits.append); `bodyJson` is canonical already. */
export function formatEntry(entry: Omit<Entry, 'body'> & { readonly bodyJson: string }): string {
  const { bodyJson, log, prev, seq, ts } = entry
  return `{"body":${bodyJson},"log":"${log}","prev":"${prev}","seq":${seq},"ts":"${ts}","v":1}`
}

/** Reads an entry strictly: what is not byte for byte the canonical form of a valid entry is not an entry. */
export function parseEntry(bytes: Uint8Array): ParsedEntry {
  if (bytes.length > entryBytesMax) return bad(`it has ${bytes.length} bytes, more than ${entryBytesMax}`)
  let text: string
  let value: unknown
  try {
    text = utf8.decode(bytes)
    value = JSON.parse(text)
  } catch (cause) {
    return bad(`it is not UTF-8 JSON: ${messageOf(cause)}`)
  }
  if (!isObject(value)) return bad('it is not a JSON object')
  const { body, log, prev, seq, ts, v } = value
  if (v !== 1) return bad('its format version v is not 1')
  if (Object.keys(value).length !== 6) return bad('it has other members than body, log, prev, seq, ts, v')
  if (!isObject(body)) return bad('its body is not an object')
  if (typeof log !== 'string' || !logPattern.test(log)) return bad('its log is not a log name')
  if (typeof prev !== 'string' || !hashPattern.test(prev)) return bad('its prev is not 64 hex digits')
  if (typeof seq !== 'number' || !Number.isSafeInteger(seq) || seq < 0) return bad('its seq is not a count')
  if (typeof ts !== 'string' || !isTimestamp(ts)) return bad('its ts is not a UTC time with six digits of microseconds')
  try {
    if (formatEntry({ bodyJson: canonicalJson(body), log, prev, seq, ts }) !== text) {
      return bad('its bytes are not in canonical form')
    }
  } catch (cause) {
    return bad(`its body breaks the rules: ${messageOf(cause)}`)
  }
  return { ok: true, entry: { body, log, prev, seq, ts } }
}

/** Record hash and Merkle leaf hash in one: SHA-256(0x00 || entry), RFC 6962 2.1. */
export function recordHash(entry: Uint8Array): Buffer {
  return leafHash(entry)
}

/** Whether the text can name a log. */
export function isLogName(text: string): boolean {
  return logPattern.test(text)
}

const logPattern = /^[a-z0-9][a-z0-9._/-]{0,127}$/
const hashPattern = /^[0-9a-f]{64}$/
const timestampPattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/
// A byte order mark is content here: it is kept, and then it is not JSON.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function isTimestamp(ts: string): boolean {
  if (!timestampPattern.test(ts)) return false
  const toMilliseconds = `${ts.slice(0, 23)}Z`
  const time = new Date(toMilliseconds)
  return !Number.isNaN(time.getTime()) && time.toISOString() === toMilliseconds
}

function isObject(value: unknown): value is { readonly [key: string]: Json | undefined } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}

function bad(why: string): ParsedEntry {
  return { ok: false, why }
}
