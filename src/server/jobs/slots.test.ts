import { describe, expect, it } from 'vitest'
import { slotsOf } from './slots.ts'

const shares = (atOnce: number, workers: number): readonly number[] =>
  Array.from({ length: workers }, (_, at) =>
    slotsOf(atOnce, { PORTCULLIS_WORKERS: String(workers), PORTCULLIS_WORKER: String(at) }),
  )

describe('the jobs of several workers', () => {
  it('J2: workers of one machine share what it takes, and each takes one at least', () => {
    expect([shares(2, 2), shares(5, 2), shares(2, 4), shares(0, 2)]).toEqual([
      [1, 1],
      [3, 2],
      [1, 1, 1, 1],
      [0, 0],
    ])
    expect([slotsOf(2, {}), slotsOf(2, { PORTCULLIS_WORKERS: '1', PORTCULLIS_WORKER: '0' })]).toEqual([2, 2])
  })
})
