/** A token bucket: so many calls at once after a pause, then a steady rate. */
export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

/** What a caller is told of the bucket that its call was charged to (SPEC G7). */
export interface RateState {
  readonly policy: 'key' | 'address' | 'failures'
  readonly rate: Rate
  /** Whole tokens that are left. */
  readonly left: number
  /** Milliseconds until a refused call can succeed; 0 where the tokens were there. */
  readonly waitMs: number
}
