import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { generateEncryptionKey, readEncryptionKey } from './encryption-key.ts'

describe('encryption keys', () => {
  it('S2: a new one has 32 random bytes', () => {
    const keys = Array.from({ length: 100 }, () => generateEncryptionKey())
    expect(new Set(keys.map((key) => key.toString('hex'))).size).toBe(100)
    expect(keys.every((key) => key.length === 32)).toBe(true)
    // Every bit is one sometimes and zero sometimes.
    const or = keys.reduce((sum, key) => Buffer.from(sum.map((byte, at) => byte | (key[at] ?? 0))), Buffer.alloc(32))
    const and = keys.reduce(
      (sum, key) => Buffer.from(sum.map((byte, at) => byte & (key[at] ?? 0))),
      Buffer.alloc(32, 255),
    )
    expect([or.toString('hex'), and.toString('hex')]).toEqual(['ff'.repeat(32), '00'.repeat(32)])
  })

  it('S2: base64, base64url, hexadecimal and raw bytes are read', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        const key = Buffer.from(bytes)
        for (const form of ['base64', 'base64url', 'hex'] as const)
          expect(readEncryptionKey(`${key.toString(form)}\n`)).toEqual({ ok: true, key })
        // Raw bytes that are text could be a passphrase, and nobody's random key.
        fc.pre(key.some((byte) => byte > 126))
        expect(readEncryptionKey(key)).toEqual({ ok: true, key })
      }),
    )
  })

  it.each([
    ['', 'nothing'],
    ['\n', 'nothing'],
    [Buffer.alloc(16, 1).toString('base64'), '16 bytes (base64)'],
    [Buffer.alloc(64, 1).toString('base64'), '64 bytes (base64)'],
    [Buffer.alloc(33, 0xfb).toString('base64url'), '33 bytes (base64)'],
    ['00ff'.repeat(8), '16 bytes (hexadecimal)'],
    ['correct horse battery staple!!!!', 'text of 32 characters that is neither base64 nor hexadecimal'],
    ['dev-secret', 'text of 10 characters that is neither base64 nor hexadecimal'],
    [Buffer.alloc(31, 200), '31 raw bytes'],
    [Buffer.alloc(48, 200), '48 raw bytes'],
  ])('S2: %j is refused, and what was found is said', (given, found) => {
    const read = readEncryptionKey(given)
    const why = read.ok ? expect.fail('it was read') : read.why
    expect(why).toBe(
      `an encryption key has exactly 32 bytes, and this is ${found}; make one with \`portcullis secrets generate-key\``,
    )
  })

  it('S2, T4: whatever is given, the answer is a key of 32 bytes or a sentence without what was given', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ maxLength: 100 }), fc.base64String({ maxLength: 100 }), fc.uint8Array({ maxLength: 100 })),
        (given) => {
          const read = readEncryptionKey(given)
          if (read.ok) expect(read.key.length).toBe(32)
          else if (given.length > 12) expect(read.why).not.toContain(Buffer.from(given).toString('latin1'))
        },
      ),
    )
  })
})
