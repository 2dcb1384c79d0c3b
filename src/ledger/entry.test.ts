import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { entryBytesMax, formatEntry, genesisPrev, parseEntry, recordHash } from './entry.ts'

const bytes = (text: string): Buffer => Buffer.from(text, 'utf8')
const sample = (change: Partial<Parameters<typeof formatEntry>[0]> = {}): string =>
  formatEntry({
    bodyJson: '{"outcome":"allow"}',
    log: 'main',
    prev: genesisPrev,
    seq: 0,
    ts: '2026-11-21T18:45:29.123456Z',
    ...change,
  })

const bodyOf = (length: number): string => `{"a":"${'x'.repeat(length)}"}`

describe('entry', () => {
  it('L1: is the canonical JSON of body, log, prev, seq, ts and v', () => {
    expect(sample({ seq: 7 })).toBe(
      `{"body":{"outcome":"allow"},"log":"main","prev":"${genesisPrev}","seq":7,"ts":"2026-11-21T18:45:29.123456Z","v":1}`,
    )
  })

  it('L1: reads back what was written', () => {
    const parsed = parseEntry(bytes(sample({ seq: 7, log: 'tenant/a-1' })))
    expect(parsed).toEqual({
      ok: true,
      entry: {
        body: { outcome: 'allow' },
        log: 'tenant/a-1',
        prev: genesisPrev,
        seq: 7,
        ts: '2026-11-21T18:45:29.123456Z',
      },
    })
  })

  it('L1: has SHA-256(0x00 || entry) as its record hash', () => {
    const entry = bytes(sample())
    expect(recordHash(entry)).toEqual(createHash('sha256').update(Buffer.of(0)).update(entry).digest())
  })

  it.each([
    ['white space', sample().replace('":', '": '), 'canonical form'],
    ['a line end', `${sample()}\n`, 'canonical form'],
    ['a byte order mark', `\ufeff${sample()}`, 'not UTF-8 JSON'],
    ['another order of members', sample().replace('"seq":0,', '').replace('{', '{"seq":0,'), 'canonical form'],
    ['a member twice', sample().replace('{"outcome"', '{"outcome":"deny","outcome"'), 'canonical form'],
    ['one member more', sample().replace('"v":1', '"v":1,"w":1'), 'other members'],
    ['a needless escape', sample().replace('allow', '\\u0061llow'), 'canonical form'],
    ['a fraction', sample({ bodyJson: '{"a":1.5}' }), 'breaks the rules'],
    ['an integer over 2^53', sample({ bodyJson: '{"a":9007199254740993}' }), 'breaks the rules'],
    ['a lone surrogate', sample({ bodyJson: String.raw`{"a":"\ud800"}` }), 'breaks the rules'],
    ['NUL', sample({ bodyJson: String.raw`{"a":"\u0000"}` }), 'breaks the rules'],
    ['too many levels', sample({ bodyJson: `{"a":${'['.repeat(40)}${']'.repeat(40)}}` }), 'breaks the rules'],
    ['a body that is a list', sample({ bodyJson: '[]' }), 'body'],
    ['a wrong version', sample().replace('"v":1', '"v":2'), 'version'],
    ['a short hash', sample({ prev: '00' }), 'prev'],
    ['a hash in capitals', sample({ prev: 'A'.repeat(64) }), 'prev'],
    ['a negative seq', sample({ seq: -1 }), 'seq'],
    ['milliseconds', sample({ ts: '2026-11-21T18:45:29.123Z' }), 'ts'],
    ['a day that is not', sample({ ts: '2026-02-30T18:45:29.123456Z' }), 'ts'],
    ['a leap second', sample({ ts: '2026-06-30T23:59:60.000000Z' }), 'ts'],
    ['a log name in capitals', sample({ log: 'Main' }), 'log'],
    ['a list', '[]', 'not a JSON object'],
    ['nothing', '', 'not UTF-8 JSON'],
  ])('L1: refuses an entry with %s', (_, text, why) => {
    const parsed = parseEntry(bytes(text))
    expect(parsed).toMatchObject({ ok: false })
    expect(parsed.ok ? '' : parsed.why).toContain(why)
  })

  it('L1: refuses bytes that are not UTF-8', () => {
    expect(parseEntry(Buffer.concat([bytes(sample()), Buffer.of(0xff)]))).toMatchObject({ ok: false })
  })

  it('L1: takes an entry of 60 KiB and refuses one byte more', () => {
    const room = entryBytesMax - bytes(sample({ bodyJson: '{"a":""}' })).length
    expect(parseEntry(bytes(sample({ bodyJson: bodyOf(room) })))).toMatchObject({ ok: true })
    expect(parseEntry(bytes(sample({ bodyJson: bodyOf(room + 1) })))).toMatchObject({ ok: false })
  })

  it('T4: answers any bytes without throwing', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.json().map(bytes)), (input) => {
        expect(parseEntry(input).ok).toBe(false)
      }),
    )
  })
})
