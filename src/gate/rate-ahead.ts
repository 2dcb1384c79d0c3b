import type { Method } from '@portcullis/contract'
import type { Caller, Refusal } from '#core'
import { limited, payable, shareOf } from './charge.ts'
import type { GatePorts } from './ports.ts'
import { rateSubject } from './rate-subject.ts'

type Buckets = Pick<GatePorts, 'clock' | 'calls' | 'workers' | 'shared'>

/**
 * Bounds what is done for callers before the gate decides on their calls, by the bucket that the gate will charge. It only looks:
 * the gate takes the tokens, so what is under way for a caller counts as taken until then.
 *
 * Where the buckets are shared, nothing is taken from the one that is looked at here: then no caller has more under way in one
 * process at a time than its burst, and the work itself must be bounded. The shared buckets decide on the call after it.
 */
export class RateAhead {
  readonly #buckets: Buckets
  /** Tokens by subject; nobody is in it for whom nothing is under way. */
  readonly #underWay = new Map<string, number>()

  constructor(buckets: Buckets) {
    this.#buckets = buckets
  }

  /** Does the work where the caller has the tokens for a call of that method; else nothing, and answers as the gate would. */
  async within<T>(caller: Caller, { cost }: Pick<Method, 'cost'>, work: () => Promise<T>): Promise<T | Refusal> {
    const { clock, calls, shared, workers = 1 } = this.#buckets
    const rate = shared === true ? calls.rate : shareOf(calls.rate, workers)
    const subject = rateSubject(caller)
    const others = this.#underWay.get(subject) ?? 0
    const waitMs = calls.wait(subject, clock.monotonic(), others + payable(cost, rate), rate)
    if (waitMs > 0) return limited('calls', rate, waitMs)
    this.#underWay.set(subject, others + cost)
    try {
      return await work()
    } finally {
      this.#done(subject, cost)
    }
  }

  #done(subject: string, cost: number): void {
    const left = (this.#underWay.get(subject) ?? 0) - cost
    if (left > 0) this.#underWay.set(subject, left)
    else this.#underWay.delete(subject)
  }
}
