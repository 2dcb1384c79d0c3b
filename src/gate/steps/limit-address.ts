import { addressGroup } from '../address-group.ts'
import type { Step } from '../chain.ts'
import { charge } from '../charge.ts'

/** Public reads are charged to the address: there is nobody else to charge. */
export const limitAddress: Step = (call, progress, ports) =>
  charge(progress, ports, 'addresses', addressGroup(call.remote), { cost: call.method.cost })
