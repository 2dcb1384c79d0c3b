import type { Rate } from '#core'

// Sums of intervals are off by less than this: a token that is there must not be refused for the last bit of a number.
const roundingMs = 1e-4

/**
 * Token buckets by the generic cell rate algorithm: one number per subject, the theoretical arrival time.
 * Bounded: the subject seen longest ago is forgotten first, which can only let a caller in, never a bucket overflow memory.
 * The shared store computes the same in src/server/shared-rates/script.ts: change both or neither.
 */
export class Gcra {
  readonly #arrivals = new Map<string, number>()
  readonly #subjectsMax: number
  #rate: Rate

  constructor(rate: Rate, subjectsMax = 100_000) {
    this.#rate = rate
    this.#subjectsMax = subjectsMax
  }

  /** The rate of every subject that has none of its own. */
  get rate(): Rate {
    return this.#rate
  }

  /** Changes the default rate; what was charged stays charged. */
  configure(rate: Rate): void {
    this.#rate = rate
  }

  /** Takes `cost` tokens. 0 when they were there; else the milliseconds until they will be, and nothing is taken. */
  take(subject: string, nowMs: number, cost = 1, rate: Rate = this.#rate): number {
    const wait = this.wait(subject, nowMs, cost, rate)
    if (wait > 0) return wait
    const arrival = Math.max(this.#arrivals.get(subject) ?? nowMs, nowMs)
    this.#arrivals.delete(subject)
    this.#arrivals.set(subject, arrival + (cost * 1000) / rate.perSecond)
    if (this.#arrivals.size > this.#subjectsMax) {
      const oldest = this.#arrivals.keys().next()
      if (!oldest.done) this.#arrivals.delete(oldest.value)
    }
    return 0
  }

  /** Like take, but takes nothing. */
  wait(subject: string, nowMs: number, cost = 1, rate: Rate = this.#rate): number {
    const intervalMs = 1000 / rate.perSecond
    const arrival = Math.max(this.#arrivals.get(subject) ?? nowMs, nowMs)
    const waitMs = arrival - nowMs + (cost - rate.burst) * intervalMs
    return waitMs > roundingMs ? waitMs : 0
  }

  /** Whole tokens that are there now. */
  left(subject: string, nowMs: number, rate: Rate = this.#rate): number {
    const arrival = this.#arrivals.get(subject)
    return arrival === undefined ? Math.floor(rate.burst) : tokensLeft(arrival - nowMs, rate)
  }
}

/** Whole tokens in a bucket whose theoretical arrival time is `backlogMs` away. */
export function tokensLeft(backlogMs: number, rate: Rate): number {
  const left = rate.burst - ((Math.max(0, backlogMs) - roundingMs) * rate.perSecond) / 1000
  return Math.max(0, Math.min(Math.floor(rate.burst), Math.floor(left)))
}
