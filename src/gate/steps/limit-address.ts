import { refuse } from '#core'
import type { Step } from '../chain.ts'

/** Public reads are charged to the address: there is nobody else to charge. */
export const limitAddress: Step = (call, _progress, { addresses, clock }) => {
  const waitMs = addresses.take(call.remote, clock.monotonic())
  if (waitMs === 0) return undefined
  return refuse('rate.limited', 'address bucket empty', { retryAfterSeconds: Math.ceil(waitMs / 1000) })
}
