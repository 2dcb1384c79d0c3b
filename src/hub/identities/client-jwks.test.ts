import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { readClientJwks } from './client-jwks.ts'

type Jwk = Record<string, unknown>

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ecPublic = ec.publicKey.export({ format: 'jwk' }) as Jwk
const rsaPublic = rsa.publicKey.export({ format: 'jwk' }) as Jwk

function said(keys: unknown, withCertificates = false): string {
  const read = readClientJwks(JSON.stringify(keys === undefined ? {} : { keys }), withCertificates)
  return 'json' in read ? 'taken' : read.problem
}

describe('the public keys of an app', () => {
  it('A5: are kept with what was looked at and nothing else', () => {
    const given = { ...ecPublic, kid: 'one', use: 'sig', alg: 'ES256', jku: 'https://evil.example/', note: 'x' }
    expect(readClientJwks(JSON.stringify({ keys: [given], more: 1 }), false)).toEqual({
      json: JSON.stringify({
        keys: [{ kty: 'EC', crv: 'P-256', x: ecPublic['x'], y: ecPublic['y'], kid: 'one', use: 'sig', alg: 'ES256' }],
      }),
    })
    expect(
      said([
        { ...rsaPublic, kid: 'a', alg: 'PS256', key_ops: ['verify'] },
        { ...ecPublic, kid: 'b' },
      ]),
    ).toBe('taken')
  })

  const weak = (bits: number, exponent = 65_537): Jwk =>
    generateKeyPairSync('rsa', { modulusLength: bits, publicExponent: exponent }).publicKey.export({ format: 'jwk' })
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ format: 'jwk' }) as Jwk
  const ed25519 = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }) as Jwk

  it.each<readonly [string, unknown, string]>([
    ['no keys', [], 'set of keys'],
    ['none at all', undefined, 'set of keys'],
    ['no list', 'x', 'set of keys'],
    ['eleven', Array.from({ length: 11 }, () => ecPublic), 'at most 10'],
    ['no object', [1], 'object'],
    ['a private key', [ec.privateKey.export({ format: 'jwk' })], 'holds d'],
    ['a private RSA key', [rsa.privateKey.export({ format: 'jwk' })], 'holds d'],
    ['a symmetric key', [{ kty: 'oct', k: 'AAAA' }], 'holds k'],
    ['another kind', [ed25519], 'kty RSA or EC'],
    ['another curve', [p384], 'P-256'],
    ['a short key', [weak(1024)], '2048'],
    ['a small exponent', [weak(2048, 3)], 'exponent'],
    ['HS256', [{ ...ecPublic, alg: 'HS256' }], 'ES256'],
    ['none', [{ ...rsaPublic, alg: 'none' }], 'RS256 or PS256'],
    ['a key that encrypts', [{ ...rsaPublic, use: 'enc' }], 'use sig'],
    ['a key that signs', [{ ...rsaPublic, key_ops: ['sign'] }], 'verify'],
    ['padding', [{ ...ecPublic, x: `${String(ecPublic['x'])}=` }], 'without padding'],
    ['a number for text', [{ ...ecPublic, x: 1 }], 'base64url'],
    ['zeros in front', [{ ...rsaPublic, e: 'AAEAAQ' }], 'zeros in front'],
    ['a point off the curve', [{ ...ecPublic, y: ecPublic['x'] }], 'no key'],
    ['several without names', [ecPublic, rsaPublic], 'needs a kid'],
    [
      'two of one name',
      [
        { ...ecPublic, kid: 'a' },
        { ...rsaPublic, kid: 'a' },
      ],
      'kid of another',
    ],
    ['a name with spaces', [{ ...ecPublic, kid: 'a b' }], 'visible ASCII'],
  ])('A5: %s: refused', (_name, keys, why) => {
    expect(said(keys)).toContain(why)
  })

  it('A5: text that is no JSON, or too much of it, is refused', () => {
    expect(readClientJwks('{', false)).toEqual({ problem: expect.stringContaining('JSON') })
    expect(readClientJwks(' '.repeat(40_000), false)).toEqual({ problem: expect.stringContaining('at most') })
  })

  it('A5: of self-signed certificates need one, of the same key', () => {
    expect(said([ecPublic], true)).toContain('needs x5c')
    expect(said([{ ...ecPublic, x5c: ['AAAA'] }], true)).toContain('no certificate')
    expect(said([{ ...ecPublic, x5c: ['AAAA', 'AAAA'] }], true)).toContain('needs x5c')
    // Kept out where they mean nothing.
    expect(said([{ ...ecPublic, x5c: ['AAAA'] }])).toBe('taken')
  })
})
