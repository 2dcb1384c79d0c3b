import { describe, expect, it } from 'vitest'
import { KeptAnswer } from './kept-answer.ts'

describe('KeptAnswer', () => {
  it('H10: asks once for all who ask within its time, and again after it', async () => {
    let asked = 0
    let nowMs = 0
    const kept = new KeptAnswer(
      () => Promise.resolve((asked += 1)),
      1000,
      () => nowMs,
    )
    expect(await Promise.all([kept.get(), kept.get()])).toEqual([1, 1])
    nowMs = 999
    expect(await kept.get()).toBe(1)
    nowMs = 1000
    expect(await kept.get()).toBe(2)
  })

  it('H10: keeps no failure', async () => {
    let asked = 0
    const answer = (): Promise<number> =>
      (asked += 1) === 1 ? Promise.reject(new Error('away')) : Promise.resolve(asked)
    const kept = new KeptAnswer(answer, 1000, () => 0)
    await expect(kept.get()).rejects.toThrow('away')
    expect(await kept.get()).toBe(2)
  })
})
