import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { systemClock } from '#core'
import { inFlightMax, inOrder, Pace } from './pace.ts'

describe('the pace of the demo', () => {
  it('M3: as fast as it goes, nothing is waited for, and how far it came never goes back', async () => {
    const pace = new Pace('max', systemClock, 1000)
    expect(pace.reachedMs).toBe(1000)
    await pace.until(86_400_000)
    await pace.until(5000)
    expect(pace.reachedMs).toBe(86_400_000)
  })

  it('M3: planned time passes so many times faster than the clock, from its beginning on', async () => {
    const startedAtMs = systemClock.monotonic()
    const pace = new Pace(1000, systemClock, 500)
    await pace.until(30_500)
    // A timer may be a millisecond early.
    expect(systemClock.monotonic() - startedAtMs).toBeGreaterThanOrEqual(28)
    const past = pace.until(20_500).then(() => 'at once')
    expect(await Promise.race([past, nextTurn('later')])).toBe('at once')
    expect(pace.reachedMs).toBe(30_500)
  })

  it('M3: items begin in order, and no more than 128 are under way', async () => {
    const items = Array.from({ length: 300 }, (_, at) => ({ atMs: at }))
    const begun: number[] = []
    let [inHand, most] = [0, 0]
    await inOrder(items, new Pace('max', systemClock, 0), async (_, index) => {
      begun.push(index)
      inHand += 1
      most = Math.max(most, inHand)
      await pause(1)
      inHand -= 1
    })
    expect(begun).toEqual(items.map(({ atMs }) => atMs))
    expect([inHand, most]).toEqual([0, inFlightMax])
  })

  it('M3: after a failure nothing new begins, and the failure is told', async () => {
    const items = Array.from({ length: 1000 }, (_, at) => ({ atMs: at }))
    let begun = 0
    const work = async (_: unknown, index: number): Promise<void> => {
      begun += 1
      await pause(1)
      if (index === 3) throw new Error('the fourth')
    }
    await expect(inOrder(items, new Pace('max', systemClock, 0), work)).rejects.toThrow('the fourth')
    const untilThen = begun
    await pause(20)
    expect([begun, begun < items.length]).toEqual([untilThen, true])
  })
})
