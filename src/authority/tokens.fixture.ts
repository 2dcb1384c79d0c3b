import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto'

export interface KeyPair {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  readonly jwk: Readonly<Record<string, unknown>>
}

/** A pair of keys whose public half has that `kid`. */
export function pair(kid: string, kind: 'EC' | 'RSA' = 'EC', more: object = {}): KeyPair {
  const { privateKey, publicKey } =
    kind === 'EC'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2048 })
  return { privateKey, publicKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, ...more } }
}

const signing = {
  ES256: { hash: 'sha256', options: { dsaEncoding: 'ieee-p1363' } },
  RS256: { hash: 'sha256', options: {} },
  // 6 is RSA_PKCS1_PSS_PADDING.
  PS256: { hash: 'sha256', options: { padding: 6, saltLength: 32 } },
} as const

export function encode(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
}

/** A compact JWS, made without the library that verifies it. A header or payload that is text is taken as it is. */
export function signJws(
  header: unknown,
  payload: unknown,
  privateKey: KeyObject,
  algorithm: keyof typeof signing = 'ES256',
): string {
  const { hash, options } = signing[algorithm]
  const input = `${encode(header)}.${encode(payload)}`
  return `${input}.${sign(hash, Buffer.from(input), { key: privateKey, ...options }).toString('base64url')}`
}
