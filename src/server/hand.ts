const levels: readonly number[] = [0, 256, 1024, 4096]
const retryMs = 1000
const lookEveryMs = 5000
const looksUntilLower = 12

interface HandParts {
  /** Resolves once it is durable that at most so many entries may be lost. */
  readonly hold: (atMost: number) => Promise<void>
  readonly monotonic: () => number
  /** Told of what failed, for the log. */
  readonly failed: (error: unknown) => void
  readonly max?: number
}

/**
 * How many entries this process may have answered for and not committed yet (SPEC L7). The database knows the number before so many
 * are taken in hand, so that a crash can be told of; it is raised and lowered in a few wide steps, never for a call. A process
 * that answers nothing ahead of its entries holds none.
 */
export class Hand {
  readonly #parts: HandParts
  readonly #max: number
  #held = 0
  #peak = 0
  #quietLooks = 0
  #working: Promise<void> | undefined
  #retryAt = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined

  constructor(parts: HandParts) {
    this.#parts = parts
    this.#max = parts.max ?? 4096
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), lookEveryMs)
    this.#timer.unref()
  }

  /** At most so many may be lost now. */
  get held(): number {
    return this.#held
  }

  /** Whether one more may be taken beside those in hand. Where it may not, its caller waits for its entry. */
  takes(inHand: number): boolean {
    if (inHand >= this.#peak) this.#peak = inHand + 1
    if (inHand * 2 >= this.#held && this.#held < this.#max) this.#change(Math.min(this.#max, above(this.#held)))
    return inHand < this.#held
  }

  /** Says that the process lives, and gives back what it has not needed for a minute. */
  look(): void {
    const peak = this.#peak
    this.#peak = 0
    if (this.#held === 0) return
    const lower = below(this.#held)
    this.#quietLooks = peak * 2 < lower || peak === 0 ? this.#quietLooks + 1 : 0
    if (this.#quietLooks < looksUntilLower) return this.#change(this.#held)
    this.#quietLooks = 0
    return this.#change(lower)
  }

  /** After the last entry has been written. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#working
    if (this.#held === 0) return
    this.#held = 0
    await this.#parts.hold(0).catch(this.#parts.failed)
  }

  #change(next: number): void {
    if (this.#working !== undefined || this.#parts.monotonic() < this.#retryAt) return
    // Less holds before it is known, more only after.
    if (next < this.#held) this.#held = next
    this.#working = this.#parts
      .hold(next)
      .then(() => {
        this.#held = next
      })
      .catch((error: unknown) => {
        this.#retryAt = this.#parts.monotonic() + retryMs
        this.#parts.failed(error)
      })
      .finally(() => {
        this.#working = undefined
      })
  }
}

function above(held: number): number {
  return levels.find((level) => level > held) ?? held
}

function below(held: number): number {
  return levels.findLast((level) => level < held) ?? 0
}
