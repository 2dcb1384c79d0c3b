import { describe, expect, it } from 'vitest'
import { Hand } from './hand.ts'

/** A store that keeps what is held, and answers when it is told to. */
function handWith({ max = 4096 } = {}) {
  const state = { away: false, nowMs: 0 }
  const held: number[] = []
  const failures: unknown[] = []
  const hold = (atMost: number): Promise<void> => {
    if (state.away) return Promise.reject(new Error('away'))
    held.push(atMost)
    return Promise.resolve()
  }
  const hand = new Hand({ hold, monotonic: () => state.nowMs, failed: (error) => failures.push(error), max })
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  return { hand, held, failures, state, settle }
}

describe('what is in hand', () => {
  it('L7: nothing is taken before the database knows of it', async () => {
    const { hand, held, settle } = handWith()
    expect(hand.takes(0)).toBe(false)
    await settle()
    expect(held).toEqual([256])
    expect(hand.takes(0)).toBe(true)
    expect([hand.takes(255), hand.takes(256)]).toEqual([true, false])
  })

  it('L7: it grows before it is full, in few steps, up to its bound', async () => {
    const { hand, held, settle } = handWith()
    for (let inHand = 0; inHand < 5000; inHand += 1) {
      if (!hand.takes(inHand)) {
        await settle()
        if (!hand.takes(inHand)) break
      }
      if (inHand % 64 === 0) await settle()
    }
    expect(held).toEqual([256, 1024, 4096])
    expect([hand.takes(4095), hand.takes(4096)]).toEqual([true, false])
  })

  it('L7: what is not needed for a minute is given back, and an idle process holds none and says nothing', async () => {
    const { hand, held, settle } = handWith()
    hand.takes(0)
    await settle()
    hand.takes(200)
    await settle()
    expect(hand.held).toBe(1024)
    const look = async (times: number): Promise<void> => {
      for (let count = 0; count < times; count += 1) {
        hand.look()
        await settle()
      }
    }
    await look(13)
    expect(held.at(-1)).toBe(256)
    await look(12)
    expect([held.at(-1), hand.held]).toEqual([0, 0])
    const said = held.length
    await look(100)
    expect(held).toHaveLength(said)
  })

  it('L7: a process that uses its hand says every few seconds that it lives', async () => {
    const { hand, held, settle } = handWith()
    hand.takes(0)
    await settle()
    for (let count = 0; count < 30; count += 1) {
      hand.takes(100)
      hand.look()
      await settle()
    }
    expect(held).toEqual(Array.from({ length: 31 }, () => 256))
  })

  it('L7: a store that is away is asked once a second, and nothing is taken meanwhile', async () => {
    const { hand, held, failures, state, settle } = handWith()
    state.away = true
    for (let call = 0; call < 1000; call += 1) {
      expect(hand.takes(0)).toBe(false)
      await Promise.resolve()
      await Promise.resolve()
      await Promise.resolve()
      await Promise.resolve()
    }
    expect(failures).toHaveLength(1)
    state.away = false
    state.nowMs = 1000
    hand.takes(0)
    await settle()
    expect(held).toEqual([256])
  })

  it('L7: a stop says that nothing is in hand any more', async () => {
    const { hand, held, settle } = handWith()
    hand.takes(0)
    await settle()
    await hand.close()
    expect(held).toEqual([256, 0])
  })
})
