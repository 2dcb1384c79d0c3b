import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { newcombe, wilson } from './intervals.ts'

const sample = (successes: number, trials: number) => ({ successes: BigInt(successes), trials: BigInt(trials) })

// Newcombe, Two-sided confidence intervals for the single proportion, Statistics in Medicine 17 (1998) 857-872, table I, method 3:
// the score interval without continuity correction.
const published = [
  [81, 263, 0.2553, 0.3662],
  [15, 148, 0.0624, 0.1605],
  [0, 20, 0, 0.1611],
  [1, 29, 0.0061, 0.1718],
] as const

// Newcombe, Interval estimation for the difference between independent proportions, Statistics in Medicine 17 (1998) 873-890,
// table II, method 10: p1 - p2.
const differences = [
  [56, 70, 48, 80, 0.0524, 0.3339],
  [9, 10, 3, 10, 0.1705, 0.809],
  [6, 7, 2, 7, 0.0582, 0.8062],
  [5, 56, 0, 29, -0.0381, 0.1926],
  [0, 10, 0, 20, -0.1611, 0.2775],
  [0, 10, 0, 10, -0.2775, 0.2775],
  [10, 10, 0, 20, 0.6791, 1],
  [10, 10, 0, 10, 0.6075, 1],
] as const

describe('wilson', () => {
  it.each(published)('H9: %i of %i is the published interval', (successes, trials, low, high) => {
    const { lowPpm, highPpm } = wilson(sample(successes, trials))
    expect(Math.round(lowPpm / 100) / 10_000).toBe(low)
    expect(Math.round(highPpm / 100) / 10_000).toBe(high)
  })

  it('H9: says that nothing is known of no trials', () => {
    expect(wilson(sample(0, 0))).toEqual({ ratePpm: 0, lowPpm: 0, highPpm: 1_000_000 })
  })

  it('H9: holds the rate, stays between 0 and 1, and becomes narrower with more of the same', () => {
    fc.assert(
      fc.property(fc.nat({ max: 10_000 }), fc.nat({ max: 10_000 }), (one, two) => {
        const [successes, trials] = [Math.min(one, two), Math.max(one, two, 1)]
        const few = wilson(sample(successes, trials))
        const many = wilson(sample(successes * 10, trials * 10))
        expect(few.lowPpm).toBeGreaterThanOrEqual(0)
        expect(few.highPpm).toBeLessThanOrEqual(1_000_000)
        expect(few.lowPpm).toBeLessThanOrEqual(few.ratePpm)
        expect(few.highPpm).toBeGreaterThanOrEqual(few.ratePpm)
        expect(many.highPpm - many.lowPpm).toBeLessThanOrEqual(few.highPpm - few.lowPpm)
        for (const each of Object.values(few)) expect(Number.isInteger(each)).toBe(true)
      }),
    )
  })
})

describe('newcombe', () => {
  it.each(differences)('H9: %i/%i against %i/%i is the published interval', (a, m, b, n, low, high) => {
    const { lowPpm, highPpm } = newcombe(sample(b, n), sample(a, m))
    // Four digits are published; ours are rounded outwards.
    expect(Math.abs(lowPpm - low * 1_000_000)).toBeLessThan(52)
    expect(Math.abs(highPpm - high * 1_000_000)).toBeLessThan(52)
  })

  it('H9: is significant only where the interval leaves out 0, and turns round with its samples', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 500 }),
        fc.nat({ max: 500 }),
        fc.nat({ max: 500 }),
        fc.nat({ max: 500 }),
        (a, b, c, d) => {
          const one = sample(Math.min(a, b), Math.max(a, b))
          const two = sample(Math.min(c, d), Math.max(c, d))
          const there = newcombe(one, two)
          const back = newcombe(two, one)
          expect(there.significant).toBe(back.significant)
          if (there.significant) expect(there.lowPpm >= 0 || there.highPpm <= 0).toBe(true)
          expect(Math.abs(there.differencePpm + back.differencePpm)).toBeLessThanOrEqual(1)
          expect(Math.abs(there.lowPpm + back.highPpm)).toBeLessThanOrEqual(1)
          if (one.trials === 0n || two.trials === 0n) expect(there.significant).toBe(false)
        },
      ),
    )
  })
})
