/** What a window has seen. */
export interface Seen {
  readonly samples: number
  /** Of the samples. */
  readonly hits: number
  readonly nanoUsd: bigint
}

export interface RateRule {
  readonly on: 'denial_rate' | 'error_rate' | 'spend_rate'
  /** A share of the samples. */
  readonly share: number
  /** An amount in the window. */
  readonly nanoUsd: bigint
  readonly minSamples: number
}

interface Bucket {
  samples: number
  hits: number
  nanoUsd: bigint
  /** Which slice of time it counts. */
  slice: number
}

const slices = 20

/**
 * Counts over the last so many milliseconds, in twenty slices (SPEC K6): nothing is counted that is older than the window, and all that is
 * younger than the window less a slice.
 */
export class RateWindow {
  readonly #sliceMs: number
  readonly #buckets: Bucket[] = []

  constructor(windowMs: number) {
    this.#sliceMs = windowMs / slices
  }

  /** Times never go back. */
  add(atMs: number, hit: boolean, nanoUsd = 0n): void {
    const slice = Math.floor(atMs / this.#sliceMs)
    let last = this.#buckets.at(-1)
    if (last === undefined || last.slice < slice) {
      last = { samples: 0, hits: 0, nanoUsd: 0n, slice }
      this.#buckets.push(last)
      while ((this.#buckets[0]?.slice ?? slice) <= slice - slices) this.#buckets.shift()
    }
    last.samples += 1
    if (hit) last.hits += 1
    last.nanoUsd += nanoUsd
  }

  read(atMs: number): Seen {
    const oldest = Math.floor(atMs / this.#sliceMs) - slices
    return this.#buckets
      .filter(({ slice }) => slice > oldest)
      .reduce(
        (sum, { samples, hits, nanoUsd }) => ({
          samples: sum.samples + samples,
          hits: sum.hits + hits,
          nanoUsd: sum.nanoUsd + nanoUsd,
        }),
        { samples: 0, hits: 0, nanoUsd: 0n },
      )
  }
}

/** Whether what was seen is more than the rule puts up with. Too few samples never are. */
export function exceeds({ on, share, nanoUsd, minSamples }: RateRule, seen: Seen): boolean {
  if (seen.samples < minSamples) return false
  return on === 'spend_rate' ? seen.nanoUsd >= nanoUsd : seen.hits >= share * seen.samples
}
