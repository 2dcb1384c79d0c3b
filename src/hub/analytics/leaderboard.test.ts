import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { LeaderboardRow } from './analytics-rows.ts'
import { wilson } from './intervals.ts'
import { rank } from './leaderboard.ts'

function row(model: string, successes: number, samples: number, more: Partial<LeaderboardRow> = {}): LeaderboardRow {
  const sums = { costNanoUsd: '0', latencyMs: '0' }
  return {
    workflow: 'w',
    provider: 'p',
    model,
    benchmark: false,
    samples: String(samples),
    successes: String(successes),
    ...sums,
    ...more,
  }
}

const ranks = (rows: readonly LeaderboardRow[]) => rank(rows).map((each) => `${each.rank} ${each.model}`)

describe('rank', () => {
  it('H10: what is sure goes before what looks good: few successes alone do not lead', () => {
    expect(ranks([row('lucky', 20, 20), row('proven', 980, 1000)])).toEqual(['1 proven', '1 lucky'])
  })

  it('H10: entries whose interval overlaps that of the first of their rank share it; the next takes its place as its rank', () => {
    const rows = [
      row('a', 900, 1000),
      row('b', 890, 1000),
      row('c', 700, 1000),
      row('d', 690, 1000),
      row('e', 100, 1000),
    ]
    expect(ranks(rows)).toEqual(['1 a', '1 b', '3 c', '3 d', '5 e'])
  })

  it('H10: a rank is shared with its first alone: a chain of overlaps ties nobody', () => {
    const chain = [row('a', 900, 1000), row('b', 870, 1000), row('c', 845, 1000), row('d', 815, 1000)]
    expect(ranks(chain)).toEqual(['1 a', '1 b', '3 c', '3 d'])
  })

  it('H10: workflows, and benchmarks beside attempts, have ranks of their own', () => {
    const rows = [
      row('a', 90, 100, { workflow: 'x' }),
      row('b', 10, 100, { workflow: 'x' }),
      row('c', 5, 100),
      row('d', 50, 100, { benchmark: true }),
    ]
    expect(ranks(rows)).toEqual(['1 c', '1 d', '1 a', '2 b'])
  })

  it('H10: the order is the same however the rows come, and falls with the lower bound', () => {
    const one = fc
      .tuple(fc.integer({ min: 20, max: 400 }), fc.integer({ min: 0, max: 100 }))
      .map(([samples, percent]) => ({ samples, successes: Math.floor((samples * percent) / 100) }))
    fc.assert(
      fc.property(fc.array(one, { maxLength: 20 }), (made) => {
        const rows = made.map(({ samples, successes }, at) => row(`m${at}`, successes, samples))
        const ranked = rank(rows)
        expect(rank(rows.toReversed())).toEqual(ranked)
        for (const [at, each] of ranked.entries()) {
          const before = ranked[at - 1]
          if (before === undefined) expect(each.rank).toBe(1)
          else {
            expect(before.lowPpm).toBeGreaterThanOrEqual(each.lowPpm)
            expect([before.rank, at + 1]).toContain(each.rank)
            const first = ranked[each.rank - 1]
            // Shared exactly where it cannot be told apart from the first of the rank.
            if (each.rank !== at + 1) expect(each.highPpm).toBeGreaterThanOrEqual(first?.lowPpm ?? Number.NaN)
            else expect(each.highPpm).toBeLessThan(ranked[before.rank - 1]?.lowPpm ?? Number.NaN)
          }
        }
      }),
    )
  })

  it('H10: the figures of an entry are those of its samples', () => {
    const [entry] = rank([row('a', 60, 100)])
    expect(entry).toMatchObject(wilson({ successes: 60n, trials: 100n }))
  })
})
