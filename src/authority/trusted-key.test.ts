import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { pair } from './tokens.fixture.ts'
import { trustedKey } from './trusted-key.ts'

const [ec, rsa] = [pair('ec'), pair('rsa', 'RSA')]

describe('a key', () => {
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
  const cubed = generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 })
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  const { x, y, n } = { ...ec.jwk, n: rsa.jwk['n'] } as Record<string, string>

  it.each<readonly [string, object, RegExp]>([
    ['an RSA key of 1024 bits', weak.publicKey.export({ format: 'jwk' }), /1024 bits/],
    ['an RSA key with the exponent 3', cubed.publicKey.export({ format: 'jwk' }), /exponent/],
    ['an RSA key with an even exponent', { kty: 'RSA', n, e: 'AQAA' }, /exponent|not a key/],
    ['an RSA key with the exponent 1', { kty: 'RSA', n, e: 'AQ' }, /exponent|not a key/],
    ['a key on another curve', p384.publicKey.export({ format: 'jwk' }), /P-256/],
    ['a point that is not on the curve', { kty: 'EC', crv: 'P-256', x, y: x }, /not a key/],
    ['a coordinate that is too short', { kty: 'EC', crv: 'P-256', x, y: y?.slice(0, -2) }, /32 bytes/],
    ['a coordinate with padding', { kty: 'EC', crv: 'P-256', x: `${x}=`, y }, /32 bytes/],
    ['a private key', ec.privateKey.export({ format: 'jwk' }), /not a public key/],
    ['a symmetric key', { kty: 'oct', k: 'AAAA' }, /neither EC nor RSA/],
    ['an Ed25519 key', { kty: 'OKP', crv: 'Ed25519', x }, /neither EC nor RSA/],
    ['a kind that every object has', { kty: 'constructor' }, /neither EC nor RSA/],
    ['a key for encryption', { ...ec.jwk, use: 'enc' }, /use is not sig/],
    ['a key for other operations', { ...ec.jwk, key_ops: ['sign'] }, /key_ops/],
    ['a key for another algorithm', { ...ec.jwk, alg: 'ES384' }, /alg/],
  ])('A3: %s verifies nothing', (_, jwk, why) => {
    expect(trustedKey(jwk as Record<string, unknown>)).toMatch(why)
  })

  it('A3: one that is fit says what it may be used with, and its thumbprint', () => {
    expect(trustedKey({ ...ec.jwk, use: 'sig', key_ops: ['verify'] })).toMatchObject({ algorithms: new Set(['ES256']) })
    expect(trustedKey(rsa.jwk)).toMatchObject({ algorithms: new Set(['RS256', 'PS256']) })
    expect(trustedKey({ ...rsa.jwk, alg: 'PS256' })).toMatchObject({ algorithms: new Set(['PS256']) })
  })

  it('A3: the thumbprint is that of RFC 7638, section 3.1', () => {
    const modulus =
      '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw'
    const jwk = { kty: 'RSA', n: modulus, e: 'AQAB', alg: 'RS256', kid: '2011-04-29' }
    expect(trustedKey(jwk)).toMatchObject({ thumbprint: 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs' })
  })
})
