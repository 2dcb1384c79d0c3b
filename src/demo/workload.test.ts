import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { codeTrace, conversationTrace, quantileLevels, type Quantiles } from './quantiles.ts'
import { Random, valueAt } from './random.ts'
import { allWorkflows, roles } from './roles.ts'
import { arrivals, burstCalls, callsOf, dayMs, planDay, type Day } from './workload.ts'

const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 })

function runsOf(day: Day) {
  return day.stories.flatMap((story) => (story.kind === 'run' ? [story] : []))
}

describe('the day of the demo', () => {
  it('M3: the same seed makes the same day, another seed another one', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 60 }), (seed, runs) => {
        expect(planDay(seed, runs)).toEqual(planDay(seed, runs))
        expect(planDay(seed, runs)).not.toEqual(planDay(seed ^ 1, runs))
      }),
      { numRuns: 20 },
    )
  })

  it('M3: everything happens in order and within the day', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 80 }), (seed, runs) => {
        const day = planDay(seed, runs)
        const times = day.stories.map(({ atMs }) => atMs)
        expect(times).toEqual(times.toSorted((a, b) => a - b))
        for (const run of runsOf(day)) {
          const own = [run.atMs, ...run.steps.map(({ atMs }) => atMs), run.endMs]
          expect(own).toEqual(own.toSorted((a, b) => a - b))
          expect(run.atMs).toBeGreaterThanOrEqual(0)
          expect(run.endMs).toBeLessThan(dayMs)
        }
        expect(runsOf(day)).toHaveLength(runs)
        expect(day.calls).toBe(
          allWorkflows.length + day.tasks.length + day.stories.reduce((sum, story) => sum + callsOf(story), 0),
        )
      }),
      { numRuns: 30 },
    )
  })

  it('M3: 10,000 samples of each size and pause have the quantiles of its trace', () => {
    const tables = [codeTrace, conversationTrace].flatMap((trace) => Object.values<Quantiles>({ ...trace }))
    expect(tables).toHaveLength(6)
    for (const [seed, table] of tables.entries()) {
      const random = new Random(seed)
      const samples = Array.from({ length: 10_000 }, () => random.sample(table)).toSorted((a, b) => a - b)
      for (const level of quantileLevels.slice(1, -1)) {
        // Within what the table has a hundredth to either side: 10,000 samples are far more exact than that.
        const seen = samples[Math.round(level * (samples.length - 1))] ?? Number.NaN
        expect(seen).toBeGreaterThanOrEqual(valueAt(table, level - 0.01))
        expect(seen).toBeLessThanOrEqual(valueAt(table, level + 0.01))
      }
      expect(samples[0]).toBeGreaterThanOrEqual(table[0] ?? Infinity)
      expect(samples.at(-1)).toBeLessThanOrEqual(table.at(-1) ?? -Infinity)
    }
  })

  it('M3: a table is read back at its own levels, ascending in between', () => {
    for (const table of [codeTrace.gapMs, conversationTrace.contextTokens]) {
      for (const [index, level] of quantileLevels.entries())
        expect(valueAt(table, level)).toBeCloseTo(table[index] ?? -1, 6)
      fc.assert(
        fc.property(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }), (a, b) => {
          expect(valueAt(table, Math.min(a, b))).toBeLessThanOrEqual(valueAt(table, Math.max(a, b)))
        }),
      )
    }
  })

  it('M3: work is dense by day and thin at night', () => {
    const times = arrivals(new Random(5), 5000)
    const between = (from: number, to: number): number =>
      times.filter((ms) => ms >= (from * dayMs) / 24 && ms < (to * dayMs) / 24).length
    expect(between(9, 17)).toBeGreaterThan(3 * between(0, 8))
    expect(between(0, 6)).toBeGreaterThan(0)
  })

  it('M3: every agent works, some runs fail after their retries, and tokens of a failed attempt are not answered', () => {
    const runs = runsOf(planDay(1, 600))
    expect(new Set(runs.map(({ agent }) => agent)).size).toBe(roles.length)
    const ends = runs.map(({ end }) => end)
    expect(new Set(ends)).toEqual(new Set(['completed', 'failed', 'canceled']))
    expect(ends.filter((end) => end === 'failed').length).toBeLessThan(runs.length / 10)
    for (const run of runs) {
      const attempts = run.steps.flatMap((step) => (step.kind === 'attempt' ? [step] : []))
      expect(attempts.map(({ number }) => number)).toEqual(attempts.map((_, index) => index + 1))
      expect(run.end === 'failed').toBe(attempts.slice(-4).filter(({ errorType }) => errorType !== '').length === 4)
      for (const { errorType, output, costNanoUsd, input } of attempts) {
        if (errorType !== '') expect(output).toBe(0)
        expect(Number.isSafeInteger(costNanoUsd) && input >= 0).toBe(true)
      }
    }
  })

  it('M3: every kind of denial is in the day, each far fewer than the ledger writes one by one', () => {
    const day = planDay(3, 400)
    const kinds = day.stories.map(({ kind }) => kind)
    const count = (kind: string): number => kinds.filter((each) => each === kind).length
    expect([count('bad_scope'), count('unknown_key'), count('burst')]).toEqual([6, 4, 2])
    expect(burstCalls * count('burst')).toBeLessThan(50)
    expect(runsOf(day).some(({ reused }) => reused)).toBe(true)
  })
})
