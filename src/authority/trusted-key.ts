import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { isBase64url } from './strict-jws.ts'

/** The signatures that are accepted, whoever made them (SPEC A3). What is not here is refused: `none`, HS256 and all others. */
export type SignatureAlgorithm = 'ES256' | 'RS256' | 'PS256'

/** A public key that is fit to verify with. */
export interface TrustedKey {
  readonly key: KeyObject
  readonly algorithms: ReadonlySet<string>
  /** RFC 7638, SHA-256. */
  readonly thumbprint: string
}

const rsaBits = { min: 2048, max: 8192 } as const
const exponentMin = 65_537n
const exponentMax = 2n ** 64n
// Members of private and of symmetric keys: who holds those has let a secret out, or takes us for a fool.
const secretMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']
const algorithmsOf: Readonly<Record<string, readonly SignatureAlgorithm[]>> = Object.assign(Object.create(null), {
  EC: ['ES256'],
  RSA: ['RS256', 'PS256'],
})

/** The key behind a JWK (RFC 7517), or why it is not fit: too weak, malformed, private, or meant for something else. */
export function trustedKey(jwk: Readonly<Record<string, unknown>>): TrustedKey | string {
  const { kty, use, alg, key_ops: operations } = jwk
  const possible = typeof kty === 'string' ? algorithmsOf[kty] : undefined
  if (possible === undefined) return 'its kind is neither EC nor RSA'
  if (secretMembers.some((name) => Object.hasOwn(jwk, name))) return 'it is not a public key'
  if (use !== undefined && use !== 'sig') return 'its use is not sig'
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify')))
    return 'its key_ops do not hold verify'
  const algorithms = alg === undefined ? possible : possible.filter((each) => each === alg)
  if (algorithms.length === 0) return 'its alg is none of ES256, RS256, PS256, or not that of its kind'
  const members = kty === 'EC' ? ecMembers(jwk) : rsaMembers(jwk)
  if (typeof members === 'string') return members
  const key = imported(members)
  if (key === undefined) return 'it is not a key'
  const weak = kty === 'RSA' ? rsaProblem(key) : undefined
  return weak ?? { key, algorithms: new Set(algorithms), thumbprint: thumbprintOf(members) }
}

type Members = Readonly<Record<string, string>>

/** Required members in the order of their names, as RFC 7638 wants them. */
function ecMembers({ crv, x, y }: Readonly<Record<string, unknown>>): Members | string {
  if (crv !== 'P-256') return 'its curve is not P-256'
  return isNumber(x, 32) && isNumber(y, 32) ? { crv, kty: 'EC', x, y } : 'its coordinates are not of 32 bytes each'
}

function rsaMembers({ e, n }: Readonly<Record<string, unknown>>): Members | string {
  return isNumber(e) && isNumber(n) && ![e, n].some((text) => Buffer.from(text, 'base64url')[0] === 0)
    ? { e, kty: 'RSA', n }
    : 'its numbers are not base64url of as few bytes as they need'
}

function isNumber(value: unknown, bytes?: number): value is string {
  if (typeof value !== 'string' || !isBase64url(value)) return false
  return bytes === undefined || Buffer.byteLength(value, 'base64url') === bytes
}

/** OpenSSL refuses points that are not on the curve. */
function imported(key: Members): KeyObject | undefined {
  try {
    return createPublicKey({ key, format: 'jwk' })
  } catch {
    // Whatever it is, it is not a key.
    return undefined
  }
}

function rsaProblem({ asymmetricKeyDetails }: KeyObject): string | undefined {
  const { modulusLength = 0, publicExponent = 0n } = asymmetricKeyDetails ?? {}
  if (modulusLength < rsaBits.min || modulusLength > rsaBits.max)
    return `its modulus has ${modulusLength} bits, and not ${rsaBits.min} to ${rsaBits.max}`
  const sane = publicExponent >= exponentMin && publicExponent < exponentMax && publicExponent % 2n === 1n
  return sane ? undefined : 'its exponent is even, below 65537 or absurdly large'
}

function thumbprintOf(members: Members): string {
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url')
}
