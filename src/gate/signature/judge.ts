import { signatureBase, namesOf } from './base.ts'
import type { SignedMessage } from './message.ts'
import { parseSignature } from './parse.ts'

/** A signature that says all it has to; whether it is right, only its key can tell. */
interface Claim {
  readonly keyId: string
  readonly nonce: string
  /** `alg`, where it is named: then it must be that of the key. */
  readonly algorithm: string | undefined
  /** Milliseconds since the epoch: from then on the signature is too old whatever else it says. */
  readonly endsAtMs: number
  readonly base: string
  readonly bytes: Uint8Array
}

/** How far the clocks of signer and server may be apart, both ways (SPEC G16). */
export const skewMs = 60_000

const nonceForm = /^[\x21-\x7e]{16,128}$/
const required = ['@method', 'content-digest']

/**
 * What the signature of a request claims, or why nothing: it must cover the method, the target and the digest of the body, and say
 * when it was made, by which key, and a nonce.
 */
export function claimOf(message: SignedMessage, nowMs: number): Claim | string {
  const parsed = parseSignature(message.fields)
  if (typeof parsed === 'string') return parsed
  const { bytes, covered } = parsed
  const [components, parameters] = covered
  const missing = missingOf(namesOf(components), message)
  if (missing !== undefined) return `the signature does not cover ${missing}`
  const { created, expires, nonce, keyid: keyId, alg: algorithm } = Object.fromEntries(parameters)
  if (typeof keyId !== 'string' || keyId.length > 100) return 'a signature without keyid'
  if (typeof nonce !== 'string' || !nonceForm.test(nonce)) return 'a signature without a nonce of 16 to 128 characters'
  if (algorithm !== undefined && typeof algorithm !== 'string') return 'alg is not a string'
  const endsAtMs = endOf(created, expires, nowMs)
  if (typeof endsAtMs === 'string') return endsAtMs
  const { text, problem } = signatureBase(message, covered)
  return text === undefined ? problem : { keyId, nonce, algorithm, endsAtMs, base: text, bytes }
}

function missingOf(names: ReadonlySet<unknown>, { query }: SignedMessage): string | undefined {
  const whole = names.has('@request-target')
  if (!whole && !names.has('@path')) return '@path'
  if (!whole && query !== undefined && !names.has('@query')) return '@query'
  return required.find((name) => !names.has(name))
}

function endOf(created: unknown, expires: unknown, nowMs: number): number | string {
  if (!isSeconds(created)) return 'a signature without created'
  const createdMs = created * 1000
  if (createdMs > nowMs + skewMs) return 'the signature is from the future'
  if (createdMs < nowMs - skewMs) return 'the signature is too old'
  if (expires === undefined) return createdMs + skewMs
  if (!isSeconds(expires)) return 'expires is not a time'
  if (expires * 1000 <= nowMs) return 'the signature has expired'
  return Math.min(createdMs + skewMs, expires * 1000)
}

function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0
}
