/** What was counted in one window, to be written as one entry. */
export interface Counted {
  readonly subject: string
  readonly count: number
  readonly firstAtMs: number
  readonly lastAtMs: number
}

interface Bucket {
  /** Entries of its own that the subject may still have. */
  left: number
  count: number
  firstAtMs: number
  lastAtMs: number
  windowEndsMs: number
  windowMs: number
}

const ownEntries = 5
const windowFirstMs = 10_000
const windowMaxMs = 300_000
const subjectsMax = 1024
const others = 'others'

/**
 * Keeps a flood of refusals from filling the ledger (SPEC L14). The first few of a subject get entries of their own; the rest is
 * counted, and written as one entry per window. Windows double while the flood lasts; a quiet one ends it. Bounded: beyond
 * 1024 subjects they share one count. Pure: time is passed in.
 */
export class Flood {
  readonly #buckets = new Map<string, Bucket>()

  /** True where the refusal gets an entry of its own; else it has been counted. */
  own(subject: string, nowMs: number): boolean {
    const name = this.#buckets.has(subject) || this.#buckets.size < subjectsMax ? subject : others
    const bucket = this.#buckets.get(name) ?? fresh(nowMs)
    this.#buckets.set(name, bucket)
    if (bucket.left > 0 && name !== others) {
      bucket.left -= 1
      return true
    }
    if (bucket.count === 0) bucket.firstAtMs = nowMs
    bucket.count += 1
    bucket.lastAtMs = nowMs
    return false
  }

  /** The counts of windows that have ended; all of them where `end` says that the process stops. */
  due(nowMs: number, end = false): readonly Counted[] {
    const counted: Counted[] = []
    for (const [subject, bucket] of this.#buckets) {
      if (!end && nowMs < bucket.windowEndsMs) continue
      if (bucket.count === 0) {
        this.#buckets.delete(subject)
        continue
      }
      counted.push({ subject, count: bucket.count, firstAtMs: bucket.firstAtMs, lastAtMs: bucket.lastAtMs })
      bucket.count = 0
      bucket.windowMs = Math.min(bucket.windowMs * 2, windowMaxMs)
      bucket.windowEndsMs = nowMs + bucket.windowMs
    }
    return counted
  }
}

function fresh(nowMs: number): Bucket {
  return {
    left: ownEntries,
    count: 0,
    firstAtMs: nowMs,
    lastAtMs: nowMs,
    windowEndsMs: nowMs + windowFirstMs,
    windowMs: windowFirstMs,
  }
}
