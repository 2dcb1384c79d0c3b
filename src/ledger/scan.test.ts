import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalJson, type Json } from '#core'
import { formatEntry, genesisPrev, parseEntry } from './entry.ts'
import { EntryScanner } from './scan.ts'

const scanner = new EntryScanner()
const scan = (bytes: Uint8Array): boolean => scanner.scan(bytes, 0, bytes.length)
const textAt = (bytes: Uint8Array, start: number, end: number): string =>
  Buffer.from(bytes.subarray(start, end)).toString()

const name = fc.oneof(
  fc.string({ maxLength: 6 }),
  fc.constantFrom('a', 'ab', 'b', 'é', '\ufb33', '\u{1f602}', '__proto__', '1', '10', '2', '"', '\\', '\n'),
)
const text = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom('\u0001\u001f\u007f', '\b\t\n\f\r"\\/', '\u2028', '\ufeff', '\u{10ffff}'),
)
const { tree } = fc.letrec<{ tree: Json; list: Json; object: Json }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small' },
    text,
    fc.boolean(),
    fc.constant(null),
    fc.maxSafeInteger(),
    fc.constantFrom(0, -1, 2 ** 53 - 1, -(2 ** 53) + 1),
    tie('list'),
    tie('object'),
  ),
  list: fc.array(tie('tree'), { maxLength: 4 }),
  object: fc.dictionary(name, tie('tree'), { maxKeys: 5 }),
}))
const body = fc
  .dictionary(name, tree, { maxKeys: 6 })
  .map((value) => {
    try {
      return canonicalJson(value)
    } catch {
      return '{}'
    }
  })
  .filter((json) => json.length < 20_000)

const entryText = fc
  .record({
    bodyJson: body,
    log: fc.constantFrom('main', 'system', 'a', 'main/hipaa', '0._/-z'),
    prev: fc.constantFrom(genesisPrev, 'ab'.repeat(32)),
    seq: fc.oneof(fc.nat(), fc.constantFrom(0, 2 ** 53 - 1)),
    ts: fc.constantFrom('2026-11-21T18:45:29.123456Z', '2024-02-29T23:59:59.999999Z', '0000-01-01T00:00:00.000000Z'),
  })
  .map((entry) => Buffer.from(formatEntry(entry)))

/** What a hand or a disk does to bytes. */
const mutation = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at: fc.nat(), value: fc.nat(7) }),
  fc.record({ kind: fc.constant('insert' as const), at: fc.nat(), value: fc.nat(255) }),
  fc.record({ kind: fc.constant('delete' as const), at: fc.nat(), value: fc.nat(3) }),
  fc.record({ kind: fc.constant('set' as const), at: fc.nat(), value: fc.constantFrom(...Buffer.from('{}[]",:\\-+.0e9u')) }),
) // prettier-ignore

function mutate(bytes: Buffer, { kind, at, value }: { kind: string; at: number; value: number }): Buffer {
  const place = at % bytes.length
  const [before, after] = [bytes.subarray(0, place), bytes.subarray(place)]
  if (kind === 'insert') return Buffer.concat([before, Buffer.of(value), after])
  if (kind === 'delete') return Buffer.concat([before, after.subarray(value + 1)])
  const changed = Buffer.from(bytes)
  changed[place] = kind === 'flip' ? (changed[place] ?? 0) ^ (1 << value) : value
  return changed
}

/** The safety of the replay: what the scanner accepts, the strict reader accepts, and reads the same. */
function agree(bytes: Buffer): void {
  const parsed = parseEntry(bytes)
  if (!scan(bytes)) return
  expect(parsed).toMatchObject({ ok: true })
  if (!parsed.ok) return
  const { log, prev, seq, ts } = parsed.entry
  expect({ log, prev, seq, ts }).toEqual({
    log: textAt(bytes, scanner.logStart, scanner.logEnd),
    prev: textAt(bytes, scanner.prevStart, scanner.prevStart + 64),
    seq: scanner.seq,
    ts: textAt(bytes, scanner.tsStart, scanner.tsStart + 27),
  })
}

function hasPlainNames(value: Json | undefined): boolean {
  if (typeof value !== 'object' || value === null) return true
  return Object.entries(value).every(([key, member]) => /^[ !#-[\]-~]*$/.test(key) && hasPlainNames(member as Json))
}

describe('EntryScanner', () => {
  it('T4: accepts what parseEntry accepts, where names are plain, and reads the same', () => {
    let accepted = 0
    fc.assert(
      fc.property(entryText, (bytes) => {
        agree(bytes)
        const parsed = parseEntry(bytes)
        if (parsed.ok && hasPlainNames(parsed.entry.body)) {
          expect(scan(bytes)).toBe(true)
          accepted += 1
        }
      }),
      { numRuns: 500 },
    )
    expect(accepted).toBeGreaterThan(50)
  })

  it('T4: accepts no bytes that parseEntry refuses, however they were changed', () => {
    fc.assert(
      fc.property(entryText, fc.array(mutation, { minLength: 1, maxLength: 3 }), (bytes, mutations) => {
        let changed: Buffer = bytes
        for (const one of mutations) if (changed.length > 0) changed = mutate(changed, one)
        agree(changed)
      }),
      { numRuns: 3000 },
    )
  })

  it.each([
    ['{"a":-0}', false],
    ['{"a":01}', false],
    ['{"a":9007199254740991}', true],
    ['{"a":9007199254740992}', false],
    ['{"a":1.0}', false],
    ['{"a":1e2}', false],
    [String.raw`{"a":"\u001f\b\"\\"}`, true],
    [String.raw`{"a":"\u001F"}`, false],
    [String.raw`{"a":"\u0008"}`, false],
    [String.raw`{"a":"\/"}`, false],
    [String.raw`{"a":"\u0000"}`, false],
    ['{"a":1,"a":2}', false],
    ['{"b":1,"a":2}', false],
    ['{"a":1,"aa":2}', true],
    ['{"aa":1,"a":2}', false],
    ['{"a":{"z":1},"b":{"a":1}}', true],
    ['{"a":1,}', false],
    ['{"a": 1}', false],
    ['{"a":[1,]}', false],
    ['{"a":[]}', true],
    ['{"a":tru}', false],
    [`{"a":${'['.repeat(31)}${']'.repeat(31)}}`, true],
    [`{"a":${'['.repeat(32)}${']'.repeat(32)}}`, false],
  ])('L1: the body %s is canonical: %s', (bodyJson, expected) => {
    const bytes = Buffer.from(
      formatEntry({ bodyJson, log: 'main', prev: genesisPrev, seq: 0, ts: '2026-11-21T18:45:29.123456Z' }),
    )
    expect([scan(bytes), parseEntry(bytes).ok]).toEqual([expected, expected])
  })

  it('T4: reads only the bytes that it is given', () => {
    const bytes = Buffer.from(
      formatEntry({ bodyJson: '{"a":1}', log: 'main', prev: genesisPrev, seq: 3, ts: '2026-11-21T18:45:29.123456Z' }),
    )
    for (let end = 0; end < bytes.length; end++) expect(scanner.scan(bytes, 0, end)).toBe(false)
    const shifted = Buffer.concat([Buffer.from('xx'), bytes, Buffer.from('yy')])
    expect(scanner.scan(shifted, 2, shifted.length - 2)).toBe(true)
    expect(scanner.scan(shifted, 1, shifted.length - 2)).toBe(false)
    expect(scanner.scan(shifted, 2, shifted.length - 1)).toBe(false)
    expect(scanner.scan(shifted, 2, shifted.length + 5)).toBe(false)
  })
})
