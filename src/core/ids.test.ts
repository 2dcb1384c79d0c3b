import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseId, publicId, uuidv7, type IdPrefix } from './ids.ts'

const form = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

describe('ids', () => {
  it('C5: are UUIDv7 that carry their time, whatever it is', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 48 - 1 }), (ms) => {
        const id = uuidv7(ms)
        expect(id).toMatch(form)
        expect(Number.parseInt(id.replace('-', '').slice(0, 12), 16)).toBe(ms)
      }),
    )
  })

  it('C5: sort by time and are never the same, also within a millisecond and beyond one block of random bytes', () => {
    const many = Array.from({ length: 50_000 }, (_, index) => uuidv7(1_800_000_000_000 + Math.floor(index / 1000)))
    expect(new Set(many).size).toBe(many.length)
    const times = many.map((id) => id.slice(0, 13))
    expect(times).toEqual(times.toSorted())
  })

  it('C5: every random bit varies', () => {
    const bytes = Array.from({ length: 500 }, () => Buffer.from(uuidv7(0).replaceAll('-', ''), 'hex'))
    const bits = Array.from(
      { length: 80 },
      (_, bit) => new Set(bytes.map((id) => ((id[6 + (bit >> 3)] ?? 0) >> (7 - (bit & 7))) & 1)).size,
    )
    // Four bits of version and two of variant are fixed.
    expect(bits.filter((values) => values === 1)).toHaveLength(6)
  })

  it('C5: an id is read back by its own kind only', () => {
    const kinds: readonly IdPrefix[] = ['agt', 'opr', 'key', 'ten', 'tsk', 'run', 'att', 'evt', 'ben', 'req', 'ent']
    for (const kind of kinds) {
      const uuid = uuidv7()
      expect(kinds.filter((other) => parseId(other, publicId(kind, uuid)) === uuid)).toEqual([kind])
    }
  })

  it.each([
    '',
    'run_',
    'run_0199',
    uuidv7(),
    `run_${uuidv7()} `,
    `run_${uuidv7()}\n`,
    `RUN_${uuidv7()}`,
    `run_${uuidv7().toUpperCase().replace(/^/, 'F').slice(0, 36)}`,
    'run_00000000-0000-4000-8000-000000000000',
    'run_00000000-0000-7000-c000-000000000000',
    `run_${uuidv7()}'; drop table runs`,
  ])('C5: %j is no id', (text) => {
    expect(parseId('run', text)).toBeUndefined()
  })
})
