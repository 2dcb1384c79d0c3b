import { setTimeout as pause } from 'node:timers/promises'
import type { Clock } from '#core'

/** How fast time passes: so many times faster than the clock, or as fast as it goes. */
export type Speed = number | 'max'

export const inFlightMax = 128

/** Holds the times of a plan against the clock. */
export class Pace {
  readonly #speed: Speed
  readonly #clock: Clock
  readonly #originMs: number
  readonly #startedAtMs: number
  #reachedMs: number

  /** Planned time begins at `originMs` and now. */
  constructor(speed: Speed, clock: Clock, originMs: number) {
    this.#speed = speed
    this.#clock = clock
    this.#originMs = originMs
    this.#startedAtMs = clock.monotonic()
    this.#reachedMs = originMs
  }

  /** How far the plan has come. */
  get reachedMs(): number {
    return this.#reachedMs
  }

  /** Resolves at that time of the plan. */
  async until(atMs: number): Promise<void> {
    if (this.#speed !== 'max') {
      const dueMs = this.#startedAtMs + (atMs - this.#originMs) / this.#speed
      const leftMs = dueMs - this.#clock.monotonic()
      if (leftMs > 0) await pause(leftMs)
    }
    this.#reachedMs = Math.max(this.#reachedMs, atMs)
  }
}

/** Works on the items in order, each not before its time and at most 128 of them at once. Rejects with the first failure. */
export async function inOrder<Item extends { readonly atMs: number }>(
  items: readonly Item[],
  pace: Pace,
  work: (item: Item, index: number) => Promise<void>,
): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    for (;;) {
      const index = next
      const item = items[index]
      if (item === undefined) return
      next += 1
      await pace.until(item.atMs)
      try {
        await work(item, index)
      } catch (error) {
        // The others end with what they have in hand.
        next = items.length
        throw error
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(inFlightMax, items.length) }, worker))
}
