import type { Step } from '../chain.ts'
import { charge } from '../charge.ts'
import { rateSubject } from '../rate-subject.ts'

/** Every caller has a bucket of its own, by its credential; a call takes as many tokens as its method costs. */
export const limitKey: Step = (call, progress, ports) => {
  const { caller, key } = progress
  if (caller === undefined) return undefined
  return charge(progress, ports, 'calls', rateSubject(caller), { cost: call.method.cost, rate: key?.rate })
}
