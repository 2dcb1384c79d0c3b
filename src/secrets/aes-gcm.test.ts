import { describe, expect, it } from 'vitest'
import { decryptGcm, encryptGcm } from './aes-gcm.ts'
import { nist, wycheproof, type GcmVector } from './aes-gcm-vectors.fixture.ts'

const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex')

describe('AES-256-GCM', () => {
  it.each(nist)('T3: NIST test case $name', (vector) => prove(vector))
  it.each(wycheproof)('T3: Wycheproof test $name (valid: $valid)', (vector) => prove(vector))

  it('S1: a tag that was cut is refused', () => {
    const message = encryptGcm(Buffer.alloc(32), Buffer.alloc(12), bytes('00ff'))
    expect(() => decryptGcm(Buffer.alloc(32), { ...message, tag: message.tag.subarray(0, 12) })).toThrow(/tag length/i)
  })
})

function prove({ key, iv, bound, text, ciphertext, tag, valid }: GcmVector): void {
  const made = encryptGcm(bytes(key), bytes(iv), bytes(text), bytes(bound))
  expect(Buffer.from(made.ciphertext).toString('hex')).toBe(ciphertext)
  expect(Buffer.from(made.tag).toString('hex') === tag).toBe(valid)
  const message = { iv: bytes(iv), tag: bytes(tag), ciphertext: bytes(ciphertext) }
  expect(decryptGcm(bytes(key), message, bytes(bound))?.toString('hex')).toBe(valid ? text : undefined)
}
