import { addressGroup } from '../address-group.ts'
import type { Step } from '../chain.ts'
import { charge } from '../charge.ts'

/** An address that failed too often waits before any credential of it is looked at again. */
export const limitFailures: Step = (call, progress, ports) =>
  charge(progress, ports, 'failures', addressGroup(call.remote), { take: false })
