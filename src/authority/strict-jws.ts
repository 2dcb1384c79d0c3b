import { hasDuplicateKeys } from './duplicate-keys.ts'

/** A JWS in compact form whose every byte is what its signer meant (RFC 7515); nothing of it is verified yet. */
export interface CompactJws {
  readonly compact: string
  readonly header: ReadonlyMap<string, unknown>
  /** The payload as it was sent: base64url. */
  readonly payloadPart: string
}

/** One whose payload is claims (RFC 7519). */
export interface Jws extends CompactJws {
  readonly payload: ReadonlyMap<string, unknown>
}

const bytesMax = 8 * 1024
const partForm = /^[A-Za-z0-9_-]+$/
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Reads it strictly, with claims for its payload: an object of JSON that names nothing twice. Otherwise the reason. */
export function parseJws(compact: string): Jws | string {
  const jws = parseCompact(compact)
  if (typeof jws === 'string') return jws
  const payload = objectOf(jws.payloadPart)
  return payload === undefined ? 'its payload is not an object of JSON with unique names' : { ...jws, payload }
}

/**
 * Three parts that are not empty, base64url with neither padding nor stray bits, and a header that is an object of JSON in UTF-8
 * and names nothing twice (SPEC A3). Otherwise the reason.
 */
export function parseCompact(compact: string): CompactJws | string {
  if (compact.length > bytesMax) return `longer than ${bytesMax} characters`
  const parts = compact.split('.')
  const [first = '', payloadPart = ''] = parts
  if (parts.length !== 3) return 'not three parts'
  if (!parts.every(isBase64url)) return 'a part is not strict base64url'
  const header = objectOf(first)
  return header === undefined
    ? 'its header is not an object of JSON with unique names'
    : { compact, header, payloadPart }
}

/** True for the one base64url text of some bytes. */
export function isBase64url(text: string): boolean {
  return partForm.test(text) && Buffer.from(text, 'base64url').toString('base64url') === text
}

function objectOf(part: string): ReadonlyMap<string, unknown> | undefined {
  try {
    const text = utf8.decode(Buffer.from(part, 'base64url'))
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value) || hasDuplicateKeys(text)) return undefined
    return new Map(Object.entries(value))
  } catch {
    // Neither UTF-8 nor JSON.
    return undefined
  }
}
