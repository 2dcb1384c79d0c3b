import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { exceeds, RateWindow, type RateRule } from './rates.ts'

const windowMs = 1000
const sliceMs = windowMs / 20
const samples = fc.array(fc.record({ waitMs: fc.nat(300), hit: fc.boolean(), nanoUsd: fc.bigInt(0n, 10n ** 15n) }), {
  maxLength: 60,
})

describe('the window of a rate', () => {
  it('K6: counts nothing older than the window, and all that is younger than it less a slice', () => {
    fc.assert(
      fc.property(samples, fc.nat(2000), (given, laterMs) => {
        const window = new RateWindow(windowMs)
        let nowMs = 0
        const made = given.map(({ waitMs, hit, nanoUsd }) => {
          nowMs += waitMs
          window.add(nowMs, hit, nanoUsd)
          return { atMs: nowMs, hit, nanoUsd }
        })
        const atMs = nowMs + laterMs
        const since = (ms: number) => made.filter((one) => one.atMs > atMs - ms)
        const [least, most] = [since(windowMs - sliceMs), since(windowMs)]
        const seen = window.read(atMs)
        expect(seen.samples).toBeGreaterThanOrEqual(least.length)
        expect(seen.samples).toBeLessThanOrEqual(most.length)
        expect(seen.hits).toBeGreaterThanOrEqual(least.filter(({ hit }) => hit).length)
        expect(seen.hits).toBeLessThanOrEqual(most.filter(({ hit }) => hit).length)
        const sum = (of: typeof made): bigint => of.reduce((total, { nanoUsd }) => total + nanoUsd, 0n)
        expect(seen.nanoUsd >= sum(least) && seen.nanoUsd <= sum(most)).toBe(true)
      }),
    )
  })

  it('K6: a rule is exceeded from its threshold on, and never by too few samples', () => {
    const rule: RateRule = { on: 'denial_rate', share: 0.5, nanoUsd: 0n, minSamples: 10 }
    const seen = { samples: 10, hits: 5, nanoUsd: 0n }
    expect(exceeds(rule, seen)).toBe(true)
    expect(exceeds(rule, { ...seen, hits: 4 })).toBe(false)
    expect(exceeds(rule, { ...seen, samples: 9, hits: 9 })).toBe(false)
    const spend: RateRule = { on: 'spend_rate', share: 0, nanoUsd: 5n, minSamples: 1 }
    expect([4n, 5n].map((nanoUsd) => exceeds(spend, { samples: 1, hits: 0, nanoUsd }))).toEqual([false, true])
  })
})
