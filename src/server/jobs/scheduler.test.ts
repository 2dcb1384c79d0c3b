import pino from 'pino'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { JobKind } from '#hub'
import { nextOccurrence } from './occurrences.ts'
import { Scheduler } from './scheduler.ts'

const clock = { now: () => Date.now(), monotonic: () => performance.now() }
const log = pino({ level: 'silent' })
const kind = (name: string, more: Partial<JobKind> = {}): JobKind => ({
  kind: name,
  description: '',
  enabled: true,
  schedule: '*/10 * * * *',
  timeZone: 'UTC',
  overlap: 'refuse',
  retries: 0,
  timeoutSeconds: 60,
  handler: 'builtin',
  tenant: 'main',
  ...more,
})
const iso = (ms: number | undefined): string => new Date(ms ?? Number.NaN).toISOString()

describe('schedules', () => {
  beforeEach(() => void vi.useFakeTimers({ now: Date.parse('2026-11-21T11:58:30Z') }))
  afterEach(() => void vi.useRealTimers())

  it('J2: each kind is fired when it is due, once, and again at its next time', async () => {
    const fired: string[] = []
    const scheduler = new Scheduler({
      kinds: [
        kind('a'),
        kind('b', { schedule: '5 12 * * *' }),
        kind('off', { enabled: false }),
        kind('c', { schedule: '' }),
      ],
      clock,
      log,
      fire: async ({ kind: name }, dueMs) => void fired.push(`${name} ${iso(dueMs)}`),
    })
    await scheduler.start()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(fired).toEqual([])
    await vi.advanceTimersByTimeAsync(12 * 60_000)
    expect(fired).toEqual(['a 2026-11-21T12:00:00.000Z', 'b 2026-11-21T12:05:00.000Z', 'a 2026-11-21T12:10:00.000Z'])
    scheduler.close()
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect(fired).toHaveLength(3)
  })

  it('J2: what fails to fire does not end the schedule', async () => {
    const fire = vi.fn(() => Promise.reject(new Error('the store is away')))
    const scheduler = new Scheduler({ kinds: [kind('a')], clock, log, fire })
    await scheduler.start()
    await vi.advanceTimersByTimeAsync(25 * 60_000)
    expect(fire).toHaveBeenCalledTimes(3)
    scheduler.close()
  })
})

describe('the calendar', () => {
  it.each([
    // Clocks go back at 03:00 on 25 October: the hour that comes twice is one occurrence.
    ['30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', ['2026-10-25T00:30:00.000Z', '2026-10-26T01:30:00.000Z']],
    // They go forward at 02:00 on 29 March: 02:30 is not there that day: the job runs at 03:30.
    ['30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', ['2026-03-29T01:30:00.000Z', '2026-03-30T00:30:00.000Z']],
    ['0 0 29 2 *', 'UTC', '2026-01-01T00:00:00Z', ['2028-02-29T00:00:00.000Z']],
  ])('J2: %s in %s after %s', async (schedule, zone, from, expected) => {
    const found: string[] = []
    let at = Date.parse(from)
    for (const _ of expected) {
      at = (await nextOccurrence(schedule, zone, at)) ?? Number.NaN
      found.push(iso(at))
    }
    expect(found).toEqual(expected)
  })
})
