import { refuse } from '#core'
import type { Step } from '../chain.ts'

export const limitKey: Step = (_call, { key }, { calls, clock }) => {
  if (key === undefined) return undefined
  const waitMs = calls.take(key.id, clock.monotonic(), 1, key.rate)
  if (waitMs === 0) return undefined
  return refuse('rate.limited', 'key bucket empty', { retryAfterSeconds: Math.ceil(waitMs / 1000) })
}
