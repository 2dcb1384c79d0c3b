import { describe, expect, it } from 'vitest'
import { isClientSecret, makeClientSecret } from './client-secret.ts'
import { sha256Hex } from './secret.ts'

describe('the secret of an app', () => {
  it('A5: has a form that scanners know, is never the same, and is stored as a digest', () => {
    const [one, other] = [makeClientSecret(), makeClientSecret()]
    const text = one.text.reveal()
    expect(text).toMatch(/^pcs_[0-9A-Za-z]{49}$/)
    expect(one.digest).toBe(sha256Hex(text))
    expect(text).not.toBe(other.text.reveal())
    expect(String(one.text)).not.toContain(text)
  })

  it('A5: is told from a text that only looks like it by its checksum', () => {
    const text = makeClientSecret().text.reveal()
    expect(isClientSecret(text)).toBe(true)
    const flip = (at: number): string => text.slice(0, at) + (text[at] === 'a' ? 'b' : 'a') + text.slice(at + 1)
    for (const wrong of [flip(10), flip(52), text.slice(1), `${text}0`, '', 'pcs_', `pc_${text.slice(4)}`])
      expect([wrong, isClientSecret(wrong)]).toEqual([wrong, false])
  })
})
