import type { Charge, Charged } from '#gate'

/** Buckets that several replicas share. Throws where they cannot be reached in time. */
export interface SharedBuckets {
  take(charges: readonly Charge[]): Promise<Charged>
  /** The first connection, if it comes soon. */
  reached(): Promise<void>
  ping(): Promise<void>
  close(): void
}

interface SharedRatesParts {
  readonly buckets: SharedBuckets
  readonly whenAway: 'memory' | 'refuse'
  /** The buckets of this process, for the time in which the shared ones are away. */
  readonly here: (charges: readonly Charge[]) => Charged
  /** Told once an outage, of its beginning and of its end. */
  readonly changed: (away: boolean, why: unknown) => void
  readonly probeEveryMs?: number
}

/**
 * The rates of all replicas together (SPEC G7). An outage begins with the first call that got no answer in time; from then on no
 * call waits, until a probe is answered. Meanwhile each replica counts alone, or refuses: what `whenAway` says.
 */
export class SharedRates {
  readonly #parts: SharedRatesParts
  #timer: NodeJS.Timeout | undefined
  #away = false
  #outages = 0
  #alone = 0

  constructor(parts: SharedRatesParts) {
    this.#parts = parts
  }

  /** Whether the shared buckets are away. */
  get away(): boolean {
    return this.#away
  }

  /** Outages since the start. */
  get outages(): number {
    return this.#outages
  }

  /** Calls since the start that were decided without the shared buckets. */
  get alone(): number {
    return this.#alone
  }

  /** What became of the charges; undefined where they are away and the setting says to refuse. Never rejects. */
  async take(charges: readonly Charge[]): Promise<Charged | undefined> {
    const { buckets, here, whenAway } = this.#parts
    if (!this.#away) {
      try {
        return await buckets.take(charges)
      } catch (error) {
        this.#leave(error)
      }
    }
    this.#alone += 1
    // What is charged to an address alone is public or has failed: it needs no more than the count of this replica.
    if (whenAway === 'refuse' && charges.some(({ bucket }) => bucket === 'calls')) return undefined
    return here(charges)
  }

  /** Looks once, so that a server that is away is known before the first call. */
  async start(): Promise<void> {
    await this.#parts.buckets.reached().catch((error: unknown) => this.#leave(error))
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#parts.buckets.close()
  }

  #leave(why: unknown): void {
    if (this.#away) return
    this.#away = true
    this.#outages += 1
    this.#parts.changed(true, why)
    this.#probeLater()
  }

  #probeLater(): void {
    const probe = (): void => {
      this.#parts.buckets.ping().then(
        () => {
          this.#away = false
          this.#parts.changed(false, undefined)
        },
        () => this.#probeLater(),
      )
    }
    this.#timer = setTimeout(probe, this.#parts.probeEveryMs ?? 250)
    this.#timer.unref()
  }
}
