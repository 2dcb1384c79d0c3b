import { describe, expect, it } from 'vitest'
import { rateHeaders } from './rate-headers.ts'

describe('the fields RateLimit and RateLimit-Policy', () => {
  const rate = { perSecond: 10, burst: 2000 }

  it('G7: say what is left, how long until the bucket is full, what it holds and how long it takes to fill', () => {
    expect(rateHeaders({ policy: 'key', rate, left: 1980, waitMs: 0 })).toEqual({
      limit: '"key";r=1980;t=2',
      policy: '"key";q=2000;w=200',
    })
    expect(rateHeaders({ policy: 'address', rate, left: 2000, waitMs: 0 }).limit).toBe('"address";r=2000;t=0')
  })

  it('G7: say of an empty bucket when to come back', () => {
    expect(rateHeaders({ policy: 'failures', rate, left: 0, waitMs: 1001 }).limit).toBe('"failures";r=0;t=2')
  })

  it('G7: hold whole numbers also for the share of a worker and a rate below one', () => {
    const { limit, policy } = rateHeaders({ policy: 'key', rate: { perSecond: 0.3, burst: 1 }, left: 1, waitMs: 0 })
    expect([limit, policy]).toEqual(['"key";r=1;t=0', '"key";q=1;w=4'])
  })
})
