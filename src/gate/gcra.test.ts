import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Gcra } from './gcra.ts'

const rates = fc.record({ perSecond: fc.integer({ min: 1, max: 5000 }), burst: fc.integer({ min: 1, max: 200 }) })
const gaps = fc.array(
  fc.record({ afterMs: fc.double({ min: 0, max: 2000, noNaN: true }), cost: fc.integer({ min: 1, max: 3 }) }),
  { minLength: 1, maxLength: 300 },
)

describe('token buckets', () => {
  it('G7: never let in more than burst + rate x t in any window', () => {
    fc.assert(
      fc.property(rates, gaps, (rate, calls) => {
        const bucket = new Gcra(rate)
        const entered: { at: number; cost: number }[] = []
        let now = 0
        for (const { afterMs, cost } of calls) {
          now += afterMs
          if (bucket.take('a', now, cost) === 0) entered.push({ at: now, cost })
        }
        for (let from = 0; from < entered.length; from += 1) {
          let sum = 0
          for (let to = from; to < entered.length; to += 1) {
            sum += entered[to]?.cost ?? 0
            const windowMs = (entered[to]?.at ?? 0) - (entered[from]?.at ?? 0)
            expect(sum).toBeLessThanOrEqual(rate.burst + (rate.perSecond * windowMs) / 1000 + 1e-3)
          }
        }
      }),
      { numRuns: 200 },
    )
  })

  it('G7: let the whole burst in at once after any pause, and then one per interval', () => {
    fc.assert(
      fc.property(rates, fc.double({ min: 0, max: 1e9, noNaN: true }), (rate, start) => {
        const bucket = new Gcra(rate)
        for (let call = 0; call < rate.burst; call += 1) expect(bucket.take('a', start)).toBe(0)
        const wait = bucket.take('a', start)
        expect(wait).toBeGreaterThan(0)
        expect(wait).toBeLessThanOrEqual(1000 / rate.perSecond + 1e-3)
        // Who waits as told gets in. The clock of the caller is a millisecond coarse.
        expect(bucket.take('a', start + wait + 1e-3)).toBe(0)
      }),
    )
  })

  it('G7: a refused call takes nothing, so that trying does not make the wait longer', () => {
    const bucket = new Gcra({ perSecond: 1, burst: 1 })
    bucket.take('a', 0)
    const waits = Array.from({ length: 100 }, () => bucket.take('a', 10))
    expect(new Set(waits)).toEqual(new Set([990]))
    expect(bucket.wait('a', 10)).toBe(990)
  })

  it('G7: subjects do not share a bucket, and one may have a rate of its own', () => {
    const bucket = new Gcra({ perSecond: 1, burst: 1 })
    expect([bucket.take('a', 0), bucket.take('b', 0)]).toEqual([0, 0])
    expect(bucket.take('a', 0)).toBeGreaterThan(0)
    const own = { perSecond: 1, burst: 3 }
    expect([1, 2, 3, 4].map(() => bucket.take('c', 0, 1, own) === 0)).toEqual([true, true, true, false])
  })

  it('G7: a cost above the burst is never let in', () => {
    const bucket = new Gcra({ perSecond: 1000, burst: 5 })
    expect(bucket.take('a', 0, 6)).toBeGreaterThan(0)
    expect(bucket.take('a', 1e12, 6)).toBeGreaterThan(0)
  })

  it('G7: memory is bounded: the subject seen longest ago is forgotten first', () => {
    const bucket = new Gcra({ perSecond: 1, burst: 1 }, 3)
    for (const subject of ['a', 'b', 'c']) bucket.take(subject, 0)
    expect(bucket.take('a', 1000)).toBe(0)
    bucket.take('d', 1000)
    expect(bucket.wait('a', 1000)).toBeGreaterThan(0)
    expect(bucket.wait('c', 0)).toBeGreaterThan(0)
    expect(bucket.wait('b', 0)).toBe(0)
  })

  it('G7: a new rate holds at once', () => {
    const bucket = new Gcra({ perSecond: 1, burst: 1 })
    bucket.take('a', 0)
    bucket.configure({ perSecond: 1, burst: 2 })
    expect(bucket.take('a', 0)).toBe(0)
  })
})
