import { setImmediate } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Charge, Charged } from '#gate'
import { SharedRates, type SharedBuckets } from './shared-rates.ts'

const rate = { perSecond: 1, burst: 1 }
const call: Charge = { bucket: 'calls', subject: 'key_1', cost: 1, rate, take: true }
const failure: Charge = { bucket: 'failures', subject: '192.0.2.1', cost: 1, rate, take: true }
const there: Charged = { limited: undefined, left: [7] }
const here: Charged = { limited: undefined, left: [3] }

const opened: SharedRates[] = []
afterEach(() => {
  for (const rates of opened.splice(0)) rates.close()
  vi.useRealTimers()
})

function ratesOver(buckets: Partial<SharedBuckets>, whenAway: 'memory' | 'refuse' = 'memory') {
  const changes: boolean[] = []
  const all = {
    take: () => Promise.resolve(there),
    ping: () => Promise.resolve(),
    reached: () => Promise.resolve(),
    close: () => undefined,
    ...buckets,
  }
  const changed = (away: boolean): void => void changes.push(away)
  const rates = new SharedRates({ buckets: all, whenAway, here: () => here, changed, probeEveryMs: 10 })
  opened.push(rates)
  return { rates, changes }
}

const gone = () => Promise.reject(new Error('gone'))

describe('rates that replicas share', () => {
  it('G7: what the shared buckets say holds', async () => {
    const { rates, changes } = ratesOver({})
    expect(await rates.take([call])).toBe(there)
    expect([rates.away, rates.outages, rates.alone, changes]).toEqual([false, 0, 0, []])
  })

  it('G7: while they are away each replica counts alone; an outage is told of once and asked about by no call', async () => {
    let asked = 0
    const take = () => {
      asked += 1
      return gone()
    }
    const { rates, changes } = ratesOver({ take, ping: gone })
    const results = [await rates.take([call]), await rates.take([call]), await rates.take([failure])]
    expect(results).toEqual([here, here, here])
    expect([asked, rates.outages, rates.alone, changes]).toEqual([1, 1, 3, [true]])
  })

  it('G7: or refuses what has a credential, as set; what an address is charged for alone is counted here', async () => {
    const { rates } = ratesOver({ take: gone, ping: gone }, 'refuse')
    expect(await rates.take([{ ...failure, take: false }, call])).toBeUndefined()
    expect(await rates.take([failure])).toBe(here)
    expect(await rates.take([{ ...failure, bucket: 'addresses' }])).toBe(here)
  })

  it('G7: many calls that fail at once are one outage, and a probe that is answered ends it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    let up = false
    const answer = <T>(value: T) => (up ? Promise.resolve(value) : gone())
    const { rates, changes } = ratesOver({ take: () => answer(there), ping: () => answer(undefined) })
    await Promise.all([1, 2, 3].map(() => rates.take([call])))
    expect([rates.away, rates.outages]).toEqual([true, 1])
    vi.advanceTimersByTime(10)
    await setImmediate()
    expect(rates.away).toBe(true)
    up = true
    vi.advanceTimersByTime(10)
    await setImmediate()
    expect([rates.away, changes]).toEqual([false, [true, false]])
    expect(await rates.take([call])).toBe(there)
  })

  it('G7: buckets that are away at the start are known before the first call', async () => {
    const { rates, changes } = ratesOver({ reached: gone, ping: gone })
    await rates.start()
    expect([rates.away, changes]).toEqual([true, [true]])
  })
})
