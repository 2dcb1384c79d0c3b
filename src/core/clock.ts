import { performance } from 'node:perf_hooks'

/** Time is passed in, so that tests decide what it is. */
export interface Clock {
  /** Wall time in milliseconds since the epoch; may step. */
  now(): number
  /** Milliseconds on a clock that never goes back; only differences mean something. */
  monotonic(): number
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
}
