import { describe, expect, it } from 'vitest'
import { noPrices } from '../costs/ports.ts'
import type { PastAttempt } from '../ports.ts'
import { Simulation } from './simulate.ts'

const budget = {
  id: 'b',
  name: '',
  subjectKind: 1,
  subjectId: '',
  unit: 3,
  limit: 2n,
  windowKind: 2,
  durationMs: '60000',
  hard: false,
  action: 2,
} as const

/** An attempt at a second, with the window of a budget over the last minute. */
function attemptAt(second: number, more: Partial<PastAttempt> = {}): PastAttempt {
  const startMs = second * 1000
  return {
    id: String(second),
    runId: 'r',
    agentId: null,
    team: null,
    provider: '',
    model: 'm',
    costNanoUsd: '1',
    tokens: '1',
    createdAtMs: startMs,
    startMs,
    fromMs: startMs - 60_000,
    resetsAtMs: null,
    ...more,
  }
}

describe('a budget over attempts of the past', () => {
  it('B6: the window moves on: what it has left behind has room again, and what was recorded late counts where it stands', () => {
    const simulation = new Simulation(budget, noPrices)
    const told = [0, 30, 31, 61, 62, 32, 91].map((second) => {
      const before = simulation.result()
      simulation.take(attemptAt(second))
      return simulation.result().admitted > before.admitted
    })
    expect(told).toEqual([true, true, false, true, false, false, true])
    expect(simulation.result()).toMatchObject({ attempts: 7n, admitted: 4n, denied: 3n })
    expect(simulation.result().firstDeniedAt).toMatchObject({ seconds: 31n })
  })

  it('B6: a bucket for each attempt and each run takes no longer than one for all, and others have their turn in a page', async () => {
    const simulation = new Simulation({ ...budget, subjectKind: 5, subjectId: '*', durationMs: '3600000' }, noPrices)
    const attempts = Array.from({ length: 50_000 }, (_, n) =>
      attemptAt(n * 60, { runId: `r${n % 20_000}`, fromMs: n * 60_000 - 3_600_000 }),
    )
    let turns = 0
    let ticking: NodeJS.Immediate
    const tick = (): void => {
      turns += 1
      ticking = setImmediate(tick)
    }
    ticking = setImmediate(tick)
    await simulation.takeAll(attempts)
    clearImmediate(ticking)
    expect(turns).toBeGreaterThanOrEqual(100)
    expect(simulation.result()).toMatchObject({ attempts: 50_000n, admitted: 50_000n })
  })
})
