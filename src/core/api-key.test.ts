import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { keyPartOf, makeKey, parseKey } from './api-key.ts'
import { uuidv7 } from './ids.ts'

const form = /^pc_[0-9A-Za-z]{22}_[0-9A-Za-z]{43}[0-9A-Za-z]{6}$/

describe('API keys', () => {
  it('G4: have the published form, and are read back', () => {
    for (const uuid of ['00000000-0000-7000-8000-000000000000', 'ffffffff-ffff-7fff-bfff-ffffffffffff', uuidv7()]) {
      const { text, secret } = makeKey(uuid)
      expect(text.reveal()).toMatch(form)
      expect(parseKey(text.reveal())).toEqual({ id: keyPartOf(uuid), secret })
    }
  })

  it('G4: the checksum is CRC-32 of what stands before it, in base62', () => {
    const body = `pc_${'0'.repeat(22)}_${'0'.repeat(43)}`
    const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
    let rest = crcOf(body)
    let sum = ''
    for (let place = 0; place < 6; place += 1) {
      sum = digits.charAt(rest % 62) + sum
      rest = Math.floor(rest / 62)
    }
    expect(parseKey(body + sum)).toEqual({ id: '0'.repeat(22), secret: '0'.repeat(43) })
  })

  it('G4: one changed character is noticed before anything is looked up', () => {
    const key = makeKey(uuidv7()).text.reveal()
    const character = fc.constantFrom(
      ...Array.from('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_- \0é'),
    )
    fc.assert(
      fc.property(fc.nat(key.length - 1), character, (at, other) => {
        fc.pre(key[at] !== other)
        expect(parseKey(key.slice(0, at) + other + key.slice(at + 1))).toBeUndefined()
      }),
      { numRuns: 500 },
    )
  })

  it('G4: nothing but a key is read as one', () => {
    const key = makeKey(uuidv7()).text.reveal()
    for (const text of [
      '',
      'pc_',
      ` ${key}`,
      `${key} `,
      `${key}\n`,
      key.toUpperCase(),
      `Bearer ${key}`,
      key + key,
      key.slice(0, -1),
    ])
      expect(parseKey(text)).toBeUndefined()
    fc.assert(fc.property(fc.string({ maxLength: 100 }), (text) => parseKey(text) === undefined))
  })

  it('G4: a secret is 256 bits and never comes twice', () => {
    const secrets = Array.from({ length: 1000 }, () => makeKey(uuidv7()).secret)
    expect(new Set(secrets).size).toBe(1000)
    expect(new Set(secrets.map((secret) => secret.length))).toEqual(new Set([43]))
    // All places vary but the first, which holds what is left of 256 bits.
    for (let place = 1; place < 43; place += 1)
      expect(new Set(secrets.map((secret) => secret[place])).size).toBeGreaterThan(40)
  })

  it('S5: a new key prints as nothing', () => {
    const { text } = makeKey(uuidv7())
    expect([String(text), JSON.stringify({ text }), [text].join('')]).toEqual([
      '[redacted]',
      '{"text":"[redacted]"}',
      '[redacted]',
    ])
  })
})

/** CRC-32 (ISO 3309) bit by bit: another way than the one under test. */
function crcOf(text: string): number {
  let crc = 0xffffffff
  for (const byte of Buffer.from(text)) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return (crc ^ 0xffffffff) >>> 0
}
