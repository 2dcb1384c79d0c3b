import { describe, expect, it } from 'vitest'
import type { Caller } from '#core'
import { Gcra } from './gcra.ts'
import { RateAhead } from './rate-ahead.ts'
import { rateSubject } from './rate-subject.ts'

const caller: Caller = {
  kind: 'service',
  id: 'svc',
  tenant: { id: 'ten_1', name: 'main' },
  scopes: new Set(),
  credential: { kind: 'dpop_access_token', id: 'j' },
}

function world(more: { readonly shared?: boolean; readonly workers?: number } = {}) {
  const calls = new Gcra({ perSecond: 1, burst: 4 })
  const ahead = new RateAhead({ clock: { now: () => 0, monotonic: () => 0 }, calls, ...more })
  const ends: (() => void)[] = []
  const start = (cost = 1, who = caller): Promise<unknown> =>
    ahead.within(who, { cost }, () => new Promise((end) => ends.push(() => end('done'))))
  return { calls, ends, start }
}

describe('what is done before the gate decides', () => {
  it.each([
    ['buckets of this process', {}, 4],
    ['its share of them', { workers: 2 }, 2],
    ['shared buckets', { shared: true, workers: 2 }, 4],
  ])('G7: is bounded by the burst of the caller: %s', async (_what, more, burst) => {
    const { calls, ends, start } = world(more)
    const running = Array.from({ length: burst }, () => start())
    expect(await start()).toMatchObject({ code: 'rate.limited', limit: { rate: { burst } } })
    expect(ends).toHaveLength(burst)
    // It only looks, and others are not held up.
    expect(calls.left(rateSubject(caller), 0)).toBe(4)
    void start(1, { ...caller, id: 'other' })
    expect(ends).toHaveLength(burst + 1)
    for (const end of ends) end()
    expect(await Promise.all(running)).toEqual(Array.from({ length: burst }, () => 'done'))
    void start(burst)
    expect(ends).toHaveLength(burst + 2)
  })

  it('G7: is not begun where the bucket is empty, and what costs more than a full one needs all of it', async () => {
    const { calls, ends, start } = world()
    void start(100)
    expect(ends).toHaveLength(1)
    expect(await start()).toMatchObject({ code: 'rate.limited' })
    ends[0]?.()
    await Promise.resolve()
    calls.take(rateSubject(caller), 0, 1)
    expect(await start(100)).toMatchObject({ code: 'rate.limited', retryAfterSeconds: 1 })
    calls.take(rateSubject(caller), 0, 3)
    expect(await start()).toMatchObject({ code: 'rate.limited', retryAfterSeconds: 1 })
    expect(ends).toHaveLength(1)
  })

  it('G7: counts no longer once it failed', async () => {
    const calls = new Gcra({ perSecond: 1, burst: 1 })
    const ahead = new RateAhead({ clock: { now: () => 0, monotonic: () => 0 }, calls })
    const fails = (): Promise<unknown> => ahead.within(caller, { cost: 1 }, () => Promise.reject(new Error('away')))
    await expect(fails()).rejects.toThrow('away')
    await expect(fails()).rejects.toThrow('away')
  })
})
