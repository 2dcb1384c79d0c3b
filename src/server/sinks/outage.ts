import type { Logger } from 'pino'

export type OutageTold = Pick<Logger, 'warn' | 'info'>

/** Says once that a sink does not work, and once that it works again: when every log that failed has been sent to it. */
export class Outage {
  readonly #sink: string
  readonly #log: OutageTold
  readonly #failing = new Set<string>()
  #since = 0

  constructor(sink: string, log: OutageTold) {
    this.#sink = sink
    this.#log = log
  }

  failed(log: string, error: unknown): void {
    const first = this.#failing.size === 0
    this.#failing.add(log)
    if (!first) return
    this.#since = performance.now()
    const why = error instanceof Error ? error.message : String(error)
    const todo = 'nothing is lost, the ledger keeps it until the sink is back; see docs/sinks.md'
    this.#log.warn(
      { event: 'ledger.sink_away', sink: this.#sink, log, why, todo },
      'a sink of the ledger does not take entries',
    )
  }

  worked(log: string): void {
    if (!this.#failing.delete(log) || this.#failing.size > 0) return
    const seconds = Math.round((performance.now() - this.#since) / 1000)
    this.#log.info({ event: 'ledger.sink_back', sink: this.#sink, seconds }, 'a sink of the ledger takes entries again')
  }
}
