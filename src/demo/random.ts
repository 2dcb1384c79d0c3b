import { quantileLevels, type Quantiles } from './quantiles.ts'

/** Numbers that look random and are the same for the same seed: mulberry32. Nothing secret is made with it. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** From 0 up to but not including 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let bits = this.#state
    bits = Math.imul(bits ^ (bits >>> 15), bits | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number of both ends included. */
  integer(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1))
  }

  chance(share: number): boolean {
    return this.next() < share
  }

  pick<Item>(items: readonly [Item, ...Item[]]): Item {
    return items[Math.floor(this.next() * items.length)] ?? items[0]
  }

  /** A value of that distribution: its inverse, straight between the quantiles. */
  sample(quantiles: Quantiles): number {
    return valueAt(quantiles, this.next())
  }

  /** How often something goes on that goes on `mean` times on average: at least once, at most `max` times. */
  repeats(mean: number, max: number): number {
    return Math.min(max, 1 + Math.floor(-Math.log(1 - this.next()) * (mean - 1)))
  }
}

/** The value that the share `level` (0 to 1) of the values does not exceed. */
export function valueAt(quantiles: Quantiles, level: number): number {
  const upper = Math.max(
    1,
    quantileLevels.findIndex((each) => each >= level),
  )
  const [from = 0, to = 1] = [quantileLevels[upper - 1], quantileLevels[upper]]
  const [low = 0, high = low] = [quantiles[upper - 1], quantiles[upper]]
  return low + ((high - low) * (level - from)) / (to - from)
}
