import { describe, expect, it } from 'vitest'
import { costReport, demoBill, usageReport, type DayOfUse } from './provider-export.ts'

const use: DayOfUse = {
  day: '2026-11-19',
  provider: 'example',
  model: 'example-large',
  input: 1000n,
  cachedRead: 200n,
  cacheWrite: 0n,
  output: 50n,
  costNanoUsd: 1_000_000_001n,
}

describe('a provider export of our own making', () => {
  it('M3: the bill charges the dearest model 3 % more, and has a line that nothing explains and one in another currency', () => {
    const lines = demoBill([{ ...use, model: 'example-small', costNanoUsd: 5n }, use])
      .trimEnd()
      .split('\n')
    expect(lines.slice(1)).toEqual([
      '2026-11-19,example,example-large,1000,200,0,50,1.030000001,USD',
      '2026-11-19,example,example-small,1000,200,0,50,0.000000005,USD',
      '2026-11-19,example,example-unheard-of,1000,0,0,100,0.5,USD',
      '2026-11-19,example,example-large,0,0,0,0,0.5,EUR',
    ])
    expect(demoBill([])).toBe(`${lines[0]}\n`)
  })

  it('H12: reports have a bucket for each day, and costs in cents that add up exactly', () => {
    const { data } = JSON.parse(costReport([use, { ...use, day: '2026-11-18' }], 20n))
    expect(
      data.map(({ starting_at, results }: { starting_at: string; results: readonly object[] }) => [
        starting_at,
        results.length,
      ]),
    ).toEqual([
      ['2026-11-18T00:00:00Z', 2],
      ['2026-11-19T00:00:00Z', 2],
    ])
    const cents = data[0].results.map(({ amount }: { amount: string }) => Number(amount))
    expect(cents[0] + cents[1]).toBeCloseTo(102.0000001, 9)
    expect(JSON.parse(usageReport([use])).data[0].results).toMatchObject([
      { uncached_input_tokens: 1000, cache_read_input_tokens: 200 },
    ])
  })
})
