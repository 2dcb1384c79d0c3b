import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalJson, canonicalJsonWithFloats, type Json } from './canonical-json.ts'

const vectors = join(import.meta.dirname, '../../../shared/vectors/rfc8785/testdata')
const vectorsAbsent = !existsSync(vectors)
const nest = (levels: number): Json => (levels === 0 ? 1 : [nest(levels - 1)])
// What JSON.stringify writes as \u0000 is refused, see below.
const json = fc.jsonValue({ maxDepth: 5 }).filter((v) => !JSON.stringify(v).includes('\\u0000')) as fc.Arbitrary<Json>

describe('canonicalJson', () => {
  const names = vectorsAbsent ? [] : readdirSync(join(vectors, 'input'))

  it.skipIf(vectorsAbsent)('T3: has the six vectors of RFC 8785 (skipped where ../shared/vectors is absent)', () => {
    expect(names.toSorted()).toEqual(
      ['arrays', 'french', 'structures', 'unicode', 'values', 'weird'].map((n) => `${n}.json`),
    )
  })

  it.each(names)('T3: agrees with the RFC 8785 vector %s', (name) => {
    const input: Json = JSON.parse(readFileSync(join(vectors, 'input', name), 'utf8'))
    const output = readFileSync(join(vectors, 'output', name), 'utf8')
    expect(canonicalJsonWithFloats(input)).toBe(output)
    if (name === 'values.json') expect(() => canonicalJson(input)).toThrow('not an integer within 2^53')
    else expect(canonicalJson(input)).toBe(output)
  })

  it('L1: sorts keys by UTF-16 code units, not by code points', () => {
    expect(canonicalJson({ '\ufb33': 1, '\u{1f602}': 2, b: 3, a: 4, '': 5 })).toBe(
      '{"":5,"a":4,"b":3,"\u{1f602}":2,"\ufb33":1}',
    )
  })

  it('L1: leaves undefined members out and keeps null', () => {
    expect(canonicalJson({ b: undefined, a: null, c: [null] })).toBe('{"a":null,"c":[null]}')
  })

  it.each([1.5, NaN, Infinity, 2 ** 53, -(2 ** 53), 1e300])(
    'L1: refuses the number %s and says what to do',
    (value) => {
      expect(() => canonicalJson({ a: value })).toThrow('decimal string')
    },
  )

  it('L1: writes integers up to the edge of 2^53, and minus zero as zero', () => {
    expect(canonicalJson([2 ** 53 - 1, -(2 ** 53) + 1, -0])).toBe('[9007199254740991,-9007199254740991,0]')
  })

  it('L1: refuses lone surrogates and NUL, in values and in keys', () => {
    expect(() => canonicalJson('a\ud800')).toThrow('lone surrogate')
    expect(() => canonicalJson({ '\udc00': 1 })).toThrow('lone surrogate')
    expect(() => canonicalJson('a\0')).toThrow('NUL')
    expect(() => canonicalJson({ '\0': 1 })).toThrow('NUL')
  })

  it('L1: takes 32 levels, refuses 33, and a cycle with them', () => {
    expect(canonicalJson(nest(32))).toBe('['.repeat(32) + '1' + ']'.repeat(32))
    expect(() => canonicalJson(nest(33))).toThrow('flatten the value')
    const cycle: { a?: Json } = {}
    cycle.a = cycle
    expect(() => canonicalJson(cycle)).toThrow('flatten the value')
  })

  it('L1: refuses what is not JSON rather than writing it as {}', () => {
    // @ts-expect-error a Date is not JSON
    expect(() => canonicalJson(new Date(0))).toThrow('instance of a class')
    // @ts-expect-error undefined is not JSON in a list
    expect(() => canonicalJson([undefined])).toThrow('undefined')
    // @ts-expect-error a bigint is not JSON
    expect(() => canonicalJson({ a: 1n })).toThrow('bigint')
  })

  it('L1: keeps a key named __proto__ as data', () => {
    expect(canonicalJson(JSON.parse('{"__proto__":{"a":1}}'))).toBe('{"__proto__":{"a":1}}')
  })

  it('L1: reads back as the same value and is a fixed point', () => {
    fc.assert(
      fc.property(json, (value) => {
        const text = canonicalJsonWithFloats(value)
        const back: Json = JSON.parse(text)
        expect(back).toEqual(JSON.parse(JSON.stringify(value)))
        expect(canonicalJsonWithFloats(back)).toBe(text)
      }),
    )
  })
})
