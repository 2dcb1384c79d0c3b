import { createPublicKey, generateKeyPairSync, verify, type KeyObject } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { signerOf } from './provider-key.ts'
import type { TokenAlgorithm } from './signing-keys.ts'

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const bytes = (text: string) => Buffer.from(text)

function good(key: KeyObject, algorithm: TokenAlgorithm, data: Uint8Array, signature: Uint8Array): boolean {
  const how = {
    ES256: { dsaEncoding: 'ieee-p1363' },
    RS256: {},
    PS256: { padding: 6, saltLength: 32 },
  } as const
  return verify('sha256', data, { key: createPublicKey(key), ...how[algorithm] }, signature)
}

describe('what signs tokens', () => {
  it.each([
    [ec, 'ES256'],
    [rsa, 'RS256'],
    [rsa, 'PS256'],
  ] as const)('A2: makes a signature of RFC 7518 with the algorithm of the key, %#', async (key, algorithm) => {
    const data = bytes('header.payload')
    expect(good(key, algorithm, data, await signerOf(key, algorithm)(data))).toBe(true)
  })

  it('A2: gives each of many that ask at once the signature of its own data, always of 64 bytes', async () => {
    const sign = signerOf(ec, 'ES256')
    // Every 128th signature has a part that is shorter than 32 bytes.
    const asked = Array.from({ length: 600 }, (_, index) => bytes(`token ${index}`))
    const signed = await Promise.all(asked.map((data) => sign(data)))
    for (const [index, signature] of signed.entries()) {
      expect(signature).toHaveLength(64)
      expect(good(ec, 'ES256', asked[index] ?? bytes(''), signature)).toBe(true)
    }
  })

  it('A2: lets other work have its turn between, however many ask', async () => {
    const sign = signerOf(ec, 'ES256')
    let done = 0
    const all = Promise.all(Array.from({ length: 100 }, () => sign(bytes('x')).finally(() => (done += 1))))
    const seen: number[] = []
    for (let turn = 0; turn < 10; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve))
      seen.push(done)
    }
    await all
    expect(seen.some((count) => count > 0 && count < 100)).toBe(true)
  })

  it('A2: says that a key cannot sign, to each who asked, and goes on', async () => {
    const sign = signerOf(createPublicKey(ec), 'ES256')
    const both = await Promise.allSettled([sign(bytes('a')), sign(bytes('b'))])
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    await expect(sign(bytes('c'))).rejects.toThrow('cannot sign')
  })
})
