import { describe, expect, it } from 'vitest'
import { isTokenEvent, tokenEventKinds } from './token-events.ts'

const entry = (body: object): Buffer => Buffer.from(JSON.stringify({ body, log: 'main', seq: 1 }))

describe('entries that say what became of tokens', () => {
  it('A11: are told by their kind', () => {
    for (const kind of tokenEventKinds) expect([kind, isTokenEvent(entry({ kind }))]).toEqual([kind, true])
    for (const kind of ['decision', 'token.introspected', 'token_key.made', 'token.issued.not'])
      expect([kind, isTokenEvent(entry({ kind }))]).toEqual([kind, false])
  })

  it('A11: are not told by what callers write into others', () => {
    expect(isTokenEvent(entry({ args: { kind: 'token.issued' }, kind: 'decision' }))).toBe(false)
    expect(isTokenEvent(entry({ args: { text: '"kind":"token.issued"' }, kind: 'decision' }))).toBe(false)
  })

  it('A11: are found in a part of a larger buffer', () => {
    const bytes = entry({ kind: 'refresh_replay' })
    const around = Buffer.concat([Buffer.from('xx'), bytes, Buffer.from('yy')])
    expect(isTokenEvent(new Uint8Array(around.buffer, around.byteOffset + 2, bytes.length))).toBe(true)
  })
})
