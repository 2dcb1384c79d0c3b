import { sha256Hex, type Clock } from '#core'
import { addressGroup, Gcra, type GatePorts } from '#gate'

// Of one person from one address: five, then one each half minute. Of one person from everywhere: far more, so that a stranger
// cannot lock somebody out by guessing, and still fewer in a year than any password that is taken has guesses to spare.
const pairRate = { perSecond: 1 / 30, burst: 5 }
const personRate = { perSecond: 1 / 30, burst: 100 }

/** One attempt that may be made: say how it ended, once. */
export interface Attempt {
  end(failed: boolean): void
}

/**
 * How often somebody may fail to show who they are: by the name that was given, known or not, and by address. Attempts under way
 * count as failed until they end, so that many at a time are no more than one after the other.
 */
export class Attempts {
  readonly #clock: Clock
  readonly #addresses: GatePorts['failures']
  readonly #pairs = new Gcra(pairRate)
  readonly #people = new Gcra(personRate)
  readonly #underWay = new Map<string, number>()

  /** `addresses` is the bucket that failed credentials of any kind are charged to. */
  constructor(clock: Clock, addresses: GatePorts['failures']) {
    this.#clock = clock
    this.#addresses = addresses
  }

  /**
   * The attempt, or how many milliseconds to wait. What nobody can guess, such as a code, is bounded by the address alone: there is
   * no person yet.
   */
  begin(person: string | undefined, remote: string): Attempt | number {
    const group = addressGroup(remote)
    const name = sha256Hex(person ?? '')
    const buckets: readonly (readonly [Gcra, string])[] = [
      [this.#addresses, group],
      ...(person === undefined
        ? []
        : ([
            [this.#pairs, `${name} ${group}`],
            [this.#people, name],
          ] as const)),
    ]
    const nowMs = this.#clock.monotonic()
    const waits = buckets.map(([bucket, key]) => bucket.wait(key, nowMs, 1 + (this.#underWay.get(key) ?? 0)))
    const waitMs = Math.max(...waits)
    if (waitMs > 0) return waitMs
    for (const [, key] of buckets) this.#underWay.set(key, 1 + (this.#underWay.get(key) ?? 0))
    return {
      end: (failed) => {
        for (const [bucket, key] of buckets) {
          const left = (this.#underWay.get(key) ?? 1) - 1
          if (left === 0) this.#underWay.delete(key)
          else this.#underWay.set(key, left)
          if (failed) bucket.take(key, this.#clock.monotonic())
        }
      },
    }
  }
}
