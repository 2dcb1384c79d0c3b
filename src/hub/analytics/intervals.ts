/** A share of successes with its interval at 95 percent, in millionths. */
export interface Proportion {
  readonly ratePpm: number
  readonly lowPpm: number
  readonly highPpm: number
}

export interface Difference {
  /** Second minus first, in millionths. */
  readonly differencePpm: number
  readonly lowPpm: number
  readonly highPpm: number
  /** The interval leaves 0 out. */
  readonly significant: boolean
}

export interface Sample {
  readonly successes: bigint
  readonly trials: bigint
}

// The 97.5 % point of the normal distribution.
const z = 1.959_963_984_540_054
const million = 1_000_000

interface Interval {
  readonly rate: number
  readonly low: number
  readonly high: number
}

/**
 * The score interval of Wilson (1927), without continuity correction: it stays between 0 and 1 and holds for small samples and rates
 * near the ends. Of no trials nothing is known: 0, from 0 to 1.
 */
export function wilson(sample: Sample): Proportion {
  const { rate, low, high } = intervalOf(sample)
  // Rounded outwards, so that the interval is not made narrower than it is.
  return { ratePpm: Math.round(rate * million), lowPpm: Math.floor(low * million), highPpm: Math.ceil(high * million) }
}

/**
 * The difference of two independent shares, second minus first, with Newcombe's hybrid score interval (Statistics in Medicine 17,
 * 1998, 873-890, method 10): made of the Wilson intervals of both.
 */
export function newcombe(first: Sample, second: Sample): Difference {
  const one = intervalOf(first)
  const two = intervalOf(second)
  const difference = two.rate - one.rate
  const low = difference - Math.hypot(two.rate - two.low, one.high - one.rate)
  const high = difference + Math.hypot(two.high - two.rate, one.rate - one.low)
  const known = first.trials > 0n && second.trials > 0n
  return {
    differencePpm: known ? Math.round(difference * million) : 0,
    lowPpm: known ? Math.floor(low * million) : -million,
    highPpm: known ? Math.ceil(high * million) : million,
    significant: known && (low > 0 || high < 0),
  }
}

function intervalOf({ successes, trials }: Sample): Interval {
  if (trials <= 0n) return { rate: 0, low: 0, high: 1 }
  // Beyond 2^53 a number is inexact by less than the millionths that are told.
  const n = Number(trials)
  const rate = Math.min(1, Math.max(0, Number(successes) / n))
  const centre = (rate + (z * z) / (2 * n)) / (1 + (z * z) / n)
  const half = (z / (1 + (z * z) / n)) * Math.sqrt((rate * (1 - rate)) / n + (z * z) / (4 * n * n))
  return {
    rate,
    low: rate === 0 ? 0 : Math.max(0, centre - half),
    high: rate === 1 ? 1 : Math.min(1, centre + half),
  }
}
