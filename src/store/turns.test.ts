import { describe, expect, it } from 'vitest'
import { isRefusal } from '#core'
import { Turns } from './turns.ts'

let nowMs = 0
const clock = { now: () => nowMs, monotonic: () => nowMs }
const make = () => new Turns({ weightMax: 10, waitingMax: 2, waitMs: 100 }, clock)

async function taken(turns: Turns, subject: string, weight: number) {
  const turn = await turns.take(subject, weight)
  if (isRefusal(turn)) throw new Error(turn.reason)
  return turn
}

describe('turns', () => {
  it('C4: lets through what fits at a time, and the next in order when one is over', async () => {
    const turns = make()
    const first = await taken(turns, 'a', 6)
    const second = await taken(turns, 'a', 4)
    const order: string[] = []
    const third = taken(turns, 'a', 6).then((turn) => (order.push('third'), turn))
    const fourth = taken(turns, 'a', 1).then((turn) => (order.push('fourth'), turn))
    second.over()
    second.over()
    // The fourth would fit; it waits for its turn all the same.
    await Promise.resolve()
    expect(order).toEqual([])
    first.over()
    await Promise.all([third, fourth])
    expect(order).toEqual(['third', 'fourth'])
  })

  it('C4: refuses one more than may wait, and others are not held up', async () => {
    const turns = make()
    await taken(turns, 'a', 10)
    void turns.take('a', 1)
    void turns.take('a', 1)
    expect(await turns.take('a', 1)).toMatchObject({ refused: true, code: 'store.busy', retryAfterSeconds: 1 })
    await taken(turns, 'b', 10)
  })

  it('C4: lets what is larger than all through alone', async () => {
    const turns = make()
    const large = await taken(turns, 'a', 50)
    const next = turns.take('a', 1)
    expect(next).toBeInstanceOf(Promise)
    large.over()
    expect(isRefusal(await next)).toBe(false)
  })

  it('C4: refuses who waited too long, also where nothing else would fit yet', async () => {
    const turns = make()
    const first = await taken(turns, 'a', 10)
    const late = turns.take('a', 1)
    const later = turns.take('a', 1)
    nowMs += 101
    first.over()
    expect(await late).toMatchObject({ code: 'store.busy' })
    expect(await later).toMatchObject({ code: 'store.busy' })
    await taken(turns, 'a', 10)
  })
})
