/** What was counted in one window, to be written as one entry. */
export interface Counted<About> {
  readonly subject: string
  /** The first of those that were counted: a sample of them all. Absent where many subjects share the count. */
  readonly about: About | undefined
  readonly count: number
  readonly firstAtMs: number
  readonly lastAtMs: number
}

export interface FloodBounds {
  /** Entries of its own that a subject may have before it is counted. */
  readonly ownEntries: number
  /** Subjects that are told apart; beyond them they share one count. */
  readonly subjectsMax: number
}

interface Bucket<About> {
  left: number
  about: About | undefined
  count: number
  firstAtMs: number
  lastAtMs: number
  windowEndsMs: number
  windowMs: number
}

const windowFirstMs = 20_000
const windowGrowth = 3
const windowMaxMs = 300_000
const others = 'others'

/**
 * Keeps a flood from filling the ledger (SPEC L14). The first few of a subject get entries of their own; the rest is counted,
 * and written as one entry per window. Windows last three times as long while the flood lasts; a quiet one ends it. Bounded in the
 * number of subjects. Pure: time is passed in.
 */
export class Flood<About> {
  readonly #bounds: FloodBounds
  readonly #buckets = new Map<string, Bucket<About>>()

  constructor(bounds: FloodBounds = { ownEntries: 2, subjectsMax: 1024 }) {
    this.#bounds = bounds
  }

  /** True where it gets an entry of its own; else it has been counted. `about` is asked for the first one of each count. */
  own(subject: string, nowMs: number, about: () => About | undefined = nothing): boolean {
    const known = this.#buckets.get(subject)
    const name = known !== undefined || this.#buckets.size < this.#bounds.subjectsMax ? subject : others
    const bucket = known ?? this.#buckets.get(name) ?? this.#fresh(nowMs)
    this.#buckets.set(name, bucket)
    if (bucket.left > 0 && name !== others) {
      bucket.left -= 1
      return true
    }
    if (bucket.count === 0) {
      bucket.firstAtMs = nowMs
      bucket.about = name === others ? undefined : about()
    }
    bucket.count += 1
    bucket.lastAtMs = nowMs
    return false
  }

  /** The counts of windows that have ended; all of them where `end` says that the process stops. */
  due(nowMs: number, end = false): readonly Counted<About>[] {
    const counted: Counted<About>[] = []
    for (const [subject, bucket] of this.#buckets) {
      if (!end && nowMs < bucket.windowEndsMs) continue
      if (bucket.count === 0) {
        this.#buckets.delete(subject)
        continue
      }
      const { about, count, firstAtMs, lastAtMs } = bucket
      counted.push({ subject, about, count, firstAtMs, lastAtMs })
      bucket.count = 0
      bucket.windowMs = Math.min(bucket.windowMs * windowGrowth, windowMaxMs)
      bucket.windowEndsMs = nowMs + bucket.windowMs
    }
    return counted
  }

  #fresh(nowMs: number): Bucket<About> {
    return {
      left: this.#bounds.ownEntries,
      about: undefined,
      count: 0,
      firstAtMs: nowMs,
      lastAtMs: nowMs,
      windowEndsMs: nowMs + windowFirstMs,
      windowMs: windowFirstMs,
    }
  }
}

function nothing(): undefined {
  return undefined
}
