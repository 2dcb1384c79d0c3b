import { refuse } from '#core'
import type { Step } from '../chain.ts'

/** An address that failed too often waits before any credential of it is looked at again. */
export const limitFailures: Step = (call, _progress, { failures, clock }) => {
  const waitMs = failures.wait(call.remote, clock.monotonic())
  if (waitMs === 0) return undefined
  return refuse('rate.limited', 'failure bucket of the address empty', { retryAfterSeconds: Math.ceil(waitMs / 1000) })
}
