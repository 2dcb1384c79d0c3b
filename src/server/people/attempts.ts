import { sha256Hex, type Clock } from '#core'
import { addressGroup, type GatePorts } from '#gate'
import type { AttemptCount } from '#store'

// Of one person from one address: five, then one each half minute. Of one person from everywhere: far more, so that a stranger
// cannot lock somebody out by guessing, and still fewer in a year than any password that is taken has guesses to spare.
const pairRate = { intervalMs: 30_000, burst: 5 }
const personRate = { intervalMs: 30_000, burst: 100 }

/** Counts attempts of all replicas. */
export interface AttemptCounts {
  /** Counts one attempt under each key and answers 0, or counts none and answers the milliseconds to wait. */
  beginSignIn(counts: readonly AttemptCount[]): Promise<number>
  giveBackSignIn(counts: readonly AttemptCount[]): Promise<void>
}

/** One attempt that may be made: say how it ended, once. */
export interface Attempt {
  end(failed: boolean): Promise<void>
}

/**
 * How often somebody may fail to show who they are: by the name that was given, known or not, whichever replica is asked, and by address at
 * this one. Attempts under way count as failed until they end, so that many at a time are no more than one after the other.
 */
export class Attempts {
  readonly #clock: Clock
  readonly #addresses: GatePorts['failures']
  readonly #counts: AttemptCounts
  /** By address. */
  readonly #underWay = new Map<string, number>()

  /** `addresses` is the bucket that failed credentials of any kind are charged to. */
  constructor(clock: Clock, addresses: GatePorts['failures'], counts: AttemptCounts) {
    this.#clock = clock
    this.#addresses = addresses
    this.#counts = counts
  }

  /**
   * The attempt, or how many milliseconds to wait. What nobody can guess, such as a code, is bounded by the address alone: there is
   * no person yet. Rejects where the counts cannot be asked: then nobody tries.
   */
  async begin(person: string | undefined, remote: string): Promise<Attempt | number> {
    const group = addressGroup(remote)
    const underWay = this.#underWay.get(group) ?? 0
    const waitMs = this.#addresses.wait(group, this.#clock.monotonic(), 1 + underWay)
    if (waitMs > 0) return waitMs
    this.#underWay.set(group, 1 + underWay)
    if (person === undefined) return { end: (failed) => Promise.resolve(this.#leave(group, failed)) }
    const counts = countsOf(person, group)
    try {
      const personWaitMs = await this.#counts.beginSignIn(counts)
      if (personWaitMs > 0) {
        this.#leave(group, false)
        return personWaitMs
      }
    } catch (error) {
      this.#leave(group, false)
      throw error
    }
    return {
      end: async (failed) => {
        this.#leave(group, failed)
        if (failed) return
        try {
          await this.#counts.giveBackSignIn(counts)
        } catch {
          // It stays counted, for half a minute.
        }
      },
    }
  }

  #leave(group: string, failed: boolean): void {
    const left = (this.#underWay.get(group) ?? 1) - 1
    if (left === 0) this.#underWay.delete(group)
    else this.#underWay.set(group, left)
    if (failed) this.#addresses.take(group, this.#clock.monotonic())
  }
}

/** Names are anybody's to type in: what is kept of them is a digest. */
function countsOf(person: string, group: string): readonly AttemptCount[] {
  return [
    { keyHex: sha256Hex(`pair\0${person}\0${group}`), ...pairRate },
    { keyHex: sha256Hex(`person\0${person}`), ...personRate },
  ]
}
