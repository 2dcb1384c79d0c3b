import { describe, expect, it } from 'vitest'
import { loadConfig } from './load.ts'

const clock = { now: () => Date.parse('2026-11-22T10:00:00Z'), monotonic: () => 0 }

function load(retention: object) {
  return loadConfig({ text: JSON.stringify({ telemetry: { retention } }), env: {}, mode: 'up', clock })
}

describe('telemetry.retention', () => {
  it('H7: by default attempts are kept for 90 days, events for 30, benchmarks for a year, and nothing is warned of', () => {
    const loaded = load({})
    expect(loaded).toMatchObject({ ok: true, warnings: [] })
    expect(loaded.ok && loaded.config.telemetry.retention).toEqual({
      attemptsDays: 90,
      eventsDays: 30,
      benchmarksDays: 365,
      rollupHourDays: 400,
    })
  })

  it.each([0, -1, 1.5, 1101, '90 days'])('H7: %j days are refused', (days) => {
    for (const name of ['attemptsDays', 'eventsDays', 'benchmarksDays', 'rollupHourDays']) {
      const loaded = load({ [name]: days })
      expect(loaded.ok ? [] : loaded.problems.map(({ path }) => path)).toEqual([`telemetry.retention.${name}`])
    }
  })

  it('H7: days fewer than by default are warned of with what will be dropped; more are not', () => {
    const loaded = load({ attemptsDays: 30, eventsDays: 31 })
    expect(loaded.ok && loaded.warnings).toEqual([
      {
        path: 'telemetry.retention.attemptsDays',
        value: '30',
        why: 'Prompt attempts recorded before 2026-10-23 are dropped by the next daily run, and nothing brings them back.',
        todo: 'Export first what you still need, or raise it.',
        severity: 'warning',
      },
    ])
  })
})
