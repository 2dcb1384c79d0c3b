import { createPublicKey, X509Certificate } from 'node:crypto'

const textMax = 32_768
const keysMax = 10
const base64url = /^[A-Za-z0-9_-]+$/
const algorithms = { RSA: ['RS256', 'PS256'], EC: ['ES256'] } as const
const needed = { RSA: ['n', 'e'], EC: ['x', 'y'] } as const

/** The keys of an app as they are stored, or what is wrong with them. */
export type ClientJwks = { readonly json: string } | { readonly problem: string }

/**
 * The public keys of an app (RFC 7517): RSA of 2048 bits or more, or P-256, for the algorithms that tokens may be signed with (SPEC
 * A3). What is stored is written anew and holds the members that were looked at and nothing else. `withCertificates`: each has a
 * self-signed certificate of the same key, as RFC 8705 section 2.2 asks for.
 */
export function readClientJwks(text: string, withCertificates: boolean): ClientJwks {
  if (text.length > textMax) return { problem: `at most ${textMax} characters, not ${text.length}` }
  let set: unknown
  try {
    set = JSON.parse(text)
  } catch {
    return { problem: 'must be JSON: a set of keys such as {"keys":[{"kty":"EC",...}]}' }
  }
  const keys: unknown = isObject(set) ? set['keys'] : undefined
  if (!Array.isArray(keys) || keys.length === 0) return { problem: 'must be a set of keys such as {"keys":[...]}' }
  if (keys.length > keysMax) return { problem: `at most ${keysMax} keys, not ${keys.length}` }
  const kept: Record<string, unknown>[] = []
  for (const [at, key] of keys.entries()) {
    const read = readKey(key, withCertificates, keys.length > 1)
    if (typeof read === 'string') return { problem: `keys[${at}] ${read}` }
    if (read['kid'] !== undefined && kept.some((other) => other['kid'] === read['kid']))
      return { problem: `keys[${at}] has the kid of another` }
    kept.push(read)
  }
  return { json: JSON.stringify({ keys: kept }) }
}

/** The members that are kept, or what is wrong. */
function readKey(given: unknown, withCertificate: boolean, several: boolean): Record<string, unknown> | string {
  if (!isObject(given)) return 'must be an object'
  const secret = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'].find((member) => member in given)
  if (secret !== undefined)
    return `holds ${secret}: send the public key only, and make a new pair, for this one was shown`
  const { kty, kid, use, alg, key_ops: operations } = given
  if (kty !== 'RSA' && kty !== 'EC') return 'must have the kty RSA or EC'
  if (kty === 'EC' && given['crv'] !== 'P-256') return 'must be on the curve P-256'
  if (use !== undefined && use !== 'sig') return 'must have the use sig'
  if (operations !== undefined && !(Array.isArray(operations) && operations.every((one) => one === 'verify')))
    return 'must have no key_ops but verify'
  const allowed: readonly string[] = algorithms[kty]
  if (alg !== undefined && !(typeof alg === 'string' && allowed.includes(alg)))
    return `must have no alg but ${allowed.join(' or ')}`
  if (kid !== undefined && !(typeof kid === 'string' && /^[\x21-\x7e]{1,200}$/.test(kid)))
    return 'must have a kid of 1 to 200 visible ASCII characters'
  if (kid === undefined && several) return 'needs a kid: there are several keys'
  const numbers: Record<string, string> = {}
  for (const member of needed[kty]) {
    const value = given[member]
    if (typeof value !== 'string' || !base64url.test(value)) return `must have ${member} in base64url without padding`
    numbers[member] = value
  }
  const key = { kty, ...(kty === 'EC' ? { crv: 'P-256' } : {}), ...numbers }
  const weak = weakness(key)
  if (weak !== undefined) return weak
  const certificate = withCertificate ? readCertificate(given['x5c'], key) : {}
  if (typeof certificate === 'string') return certificate
  return {
    ...key,
    ...(kid === undefined ? {} : { kid }),
    ...(use === undefined ? {} : { use }),
    ...(alg === undefined ? {} : { alg }),
    ...certificate,
  }
}

function weakness(key: Record<string, unknown>): string | undefined {
  let details
  try {
    details = createPublicKey({ key, format: 'jwk' })
    // The same number is written in one way only.
    const written = details.export({ format: 'jwk' })
    const other = Object.keys(key).find((member) => written[member] !== key[member])
    if (other !== undefined) return `must have ${other} without zeros in front and without stray bits`
  } catch {
    return 'is no key that can be used'
  }
  const { modulusLength = 0, publicExponent = 0n } = details.asymmetricKeyDetails ?? {}
  if (details.asymmetricKeyType !== 'rsa') return undefined
  if (modulusLength < 2048 || modulusLength > 8192) return `must have 2048 to 8192 bits, not ${modulusLength}`
  return publicExponent < 65_537n || publicExponent % 2n === 0n || publicExponent > 0xffff_ffffn
    ? 'must have an odd exponent from 65537 to 4294967295'
    : undefined
}

function readCertificate(chain: unknown, key: Record<string, unknown>): { readonly x5c: readonly string[] } | string {
  const [text] = Array.isArray(chain) && chain.length === 1 ? (chain as readonly unknown[]) : []
  if (typeof text !== 'string' || !/^[A-Za-z0-9+/]+={0,2}$/.test(text))
    return 'needs x5c with its one certificate in base64'
  try {
    const certificate = new X509Certificate(Buffer.from(text, 'base64'))
    if (!certificate.publicKey.equals(createPublicKey({ key, format: 'jwk' }))) return 'has an x5c of another key'
    return { x5c: [text] }
  } catch {
    return 'has an x5c that is no certificate'
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
