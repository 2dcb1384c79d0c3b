import { describe, expect, it } from 'vitest'
import { Tally } from './tally.ts'

describe('the tally of the demo', () => {
  it('M3: counts answered calls by how they were answered, and each that was sent again', () => {
    const tally = new Tally()
    for (const code of [undefined, 'rate.limited', undefined, 'rate.limited', 'kill.engaged']) tally.count(code, 1)
    expect([tally.calls, tally.allowed, tally.refusedCount, tally.sentAgain]).toEqual([5, 2, 3, 5])
    expect(Object.fromEntries(tally.refused)).toEqual({ 'rate.limited': 2, 'kill.engaged': 1 })
  })

  it('M3: runs are what ended, however they ended', () => {
    const tally = new Tally()
    Object.assign(tally.runs, { completed: 3, failed: 2, canceled: 1 })
    expect(tally.runCount).toBe(6)
  })

  it('H12: use is summed by day and model, as a provider bills it', () => {
    const tally = new Tally()
    const use = { provider: 'openai', input: 10n, cachedRead: 1n, cacheWrite: 2n, output: 3n, costNanoUsd: 50n }
    tally.addUse({ day: '2026-11-20', model: 'a', ...use })
    tally.addUse({ day: '2026-11-20', model: 'a', ...use })
    tally.addUse({ day: '2026-11-20', model: 'b', ...use })
    tally.addUse({ day: '2026-11-21', model: 'a', ...use })
    expect([...tally.use.values()]).toEqual([
      {
        day: '2026-11-20',
        model: 'a',
        provider: 'openai',
        input: 20n,
        cachedRead: 2n,
        cacheWrite: 4n,
        output: 6n,
        costNanoUsd: 100n,
      },
      { day: '2026-11-20', model: 'b', ...use },
      { day: '2026-11-21', model: 'a', ...use },
    ])
  })
})
