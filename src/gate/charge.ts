import { refuse, type Rate, type RateState, type Refusal } from '#core'
import { addressGroup } from './address-group.ts'
import type { Allowed, Call, Decision, Progress } from './call.ts'
import { rateSubject } from './rate-subject.ts'
import type { GatePorts } from './ports.ts'

/** Tokens that a decision depends on. Where the buckets are shared, somebody else takes them, in the order of the list. */
export interface Charge {
  readonly bucket: 'failures' | 'addresses' | 'calls'
  readonly subject: string
  readonly cost: number
  readonly rate: Rate
  /** False where the tokens must be there and are left there. */
  readonly take: boolean
}

/** What became of the charges: the first that found its bucket empty, or the tokens that are left in each. */
export type Charged =
  | { readonly limited: Charge; readonly waitMs: number }
  | { readonly limited: undefined; readonly left: readonly number[] }

const policies = { failures: 'failures', addresses: 'address', calls: 'key' } as const
const reasons = {
  failures: 'failure bucket of the address empty',
  addresses: 'address bucket empty',
  calls: 'key bucket empty',
} as const

/** Takes the tokens of one charge at once, or notes it where the buckets are shared. */
export function charge(
  progress: Progress,
  ports: GatePorts,
  bucket: Charge['bucket'],
  subject: string,
  { cost = 1, rate: own, take = true }: { cost?: number; rate?: Rate | undefined; take?: boolean } = {},
): Refusal | undefined {
  const buckets = ports[bucket]
  const rate = own ?? buckets.rate
  if (ports.shared === true) {
    const noted = progress.charges ?? []
    progress.charges = [...noted, { bucket, subject, cost: payable(cost, rate), rate, take }]
    return undefined
  }
  const share = shareOf(rate, ports.workers ?? 1)
  const nowMs = ports.clock.monotonic()
  const tokens = payable(cost, share)
  const waitMs = take ? buckets.take(subject, nowMs, tokens, share) : buckets.wait(subject, nowMs, tokens, share)
  if (waitMs > 0) return limited(bucket, share, waitMs)
  if (bucket === 'calls') progress.limit = stateOf(bucket, share, buckets.left(subject, nowMs, share))
  return undefined
}

/** Takes the charges from the buckets of this process: what a shared store falls back to. */
export function chargeHere(charges: readonly Charge[], ports: GatePorts): Charged {
  const nowMs = ports.clock.monotonic()
  const left: number[] = []
  for (const each of charges) {
    const share = shareOf(each.rate, ports.workers ?? 1)
    const buckets = ports[each.bucket]
    const tokens = payable(each.cost, share)
    const waitMs = each.take
      ? buckets.take(each.subject, nowMs, tokens, share)
      : buckets.wait(each.subject, nowMs, tokens, share)
    if (waitMs > 0) return { limited: { ...each, rate: share }, waitMs }
    left.push(buckets.left(each.subject, nowMs, share))
  }
  return { limited: undefined, left }
}

/** The decision once its charges are settled: a bucket that was empty comes before every refusal that followed it. */
export function settle(decision: Decision, charges: readonly Charge[], charged: Charged): Decision {
  if (charged.limited !== undefined) {
    const { bucket, rate } = charged.limited
    // Who is over the rate of its address is not told, and not remembered, as whose it was.
    const caller = bucket === 'calls' ? decision.caller : undefined
    const actor = bucket === 'calls' ? decision.actor : undefined
    return { refused: true, refusal: limited(bucket, rate, charged.waitMs), caller, actor }
  }
  const at = charges.findIndex(({ bucket }) => bucket === 'calls')
  const [paid, left] = [charges[at], charged.left[at]]
  if (paid === undefined || left === undefined) return decision
  const limit = stateOf('calls', paid.rate, left)
  return decision.refused ? { ...decision, refusal: { ...decision.refusal, limit } } : { ...decision, limit }
}

/** The refusal of a call whose bucket is empty, with all that its caller may know of it. */
export function limited(bucket: Charge['bucket'], rate: Rate, waitMs: number): Refusal {
  return refuse('rate.limited', reasons[bucket], {
    retryAfterSeconds: Math.ceil(waitMs / 1000),
    limit: { ...stateOf(bucket, rate, 0), waitMs },
  })
}

/** The charge of a call that is not the gate's own: a method that the contract does not have. */
export function addressCharge(call: Pick<Call, 'remote'>, ports: GatePorts): Charge {
  return { bucket: 'addresses', subject: addressGroup(call.remote), cost: 1, rate: ports.addresses.rate, take: true }
}

/**
 * What a call costs beyond its method, once its message is known: a charge to the bucket of its caller. Both together take no
 * more than the bucket can hold.
 */
export function furtherCharge(
  { method }: Pick<Call, 'method'>,
  { caller, rate }: Allowed,
  cost: number,
  ports: GatePorts,
): Charge | undefined {
  if (caller === undefined || cost <= method.cost) return undefined
  const own = rate ?? ports.calls.rate
  const share = ports.shared === true ? own : shareOf(own, ports.workers ?? 1)
  const more = payable(cost, share) - payable(method.cost, share)
  return more <= 0 ? undefined : { bucket: 'calls', subject: rateSubject(caller), cost: more, rate: own, take: true }
}

const shares = new WeakMap<Rate, { readonly workers: number; readonly share: Rate }>()

/** What one of several workers may let in, so that all of them together keep the rate; each lets at least one call in. */
export function shareOf(rate: Rate, workers: number): Rate {
  if (workers <= 1) return rate
  const known = shares.get(rate)
  if (known?.workers === workers) return known.share
  const share = { perSecond: rate.perSecond / workers, burst: Math.max(1, Math.floor(rate.burst / workers)) }
  shares.set(rate, { workers, share })
  return share
}

/** A call that costs more than its bucket can hold takes all of it: else it could never be made. */
export function payable(cost: number, rate: Rate): number {
  return cost > rate.burst ? rate.burst : cost
}

function stateOf(bucket: Charge['bucket'], rate: Rate, left: number): RateState {
  return { policy: policies[bucket], rate, left, waitMs: 0 }
}
