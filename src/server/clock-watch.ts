import type { Logger } from 'pino'

const warnMs = 1_000
const notReadyMs = 30_000

/**
 * Whether the clocks of this process and of the database agree (SPEC O15): more than 1 s apart is a WARN, once while it lasts;
 * more than 30 s is not ready. What the round trip leaves open counts in favour of the clocks.
 */
export class ClockWatch {
  readonly #log: Logger
  #skewMs: number | undefined
  #apartMs = 0
  #warned = false

  constructor(log: Logger) {
    this.#log = log
  }

  /** The clock of this process minus that of the database, as last measured. */
  get skewMs(): number | undefined {
    return this.#skewMs
  }

  /** `withinMs`: by how much the measurement may be wrong, either way. */
  measured(skewMs: number, withinMs: number): void {
    this.#skewMs = skewMs
    this.#apartMs = Math.max(0, Math.abs(skewMs) - withinMs)
    const apart = this.#apartMs > warnMs
    if (apart === this.#warned) return
    this.#warned = apart
    const rounded = Math.round(skewMs)
    if (apart)
      this.#log.warn({ event: 'clock.apart', skewMs: rounded }, 'the clocks of this machine and of the database differ')
    else this.#log.info({ event: 'clock.agrees', skewMs: rounded }, 'the clocks agree again')
  }

  notReady(): string | undefined {
    return this.#apartMs > notReadyMs ? 'the clocks of this server and of the database are too far apart' : undefined
  }
}
