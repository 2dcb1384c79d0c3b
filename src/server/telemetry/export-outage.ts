import type { Logger } from 'pino'

export type ExportSignal = 'metrics' | 'traces' | 'logs'

interface ExportResult {
  /** 0 is success. */
  readonly code: number
  readonly error?: Error
}

interface Exporter<Items> {
  export(items: Items, done: (result: ExportResult) => void): void
}

/**
 * Says once that the collector does not take what is exported, and once that it does again: when every signal that failed got through.
 * What it does not take is dropped by the SDK; no call hears of it.
 */
export class ExportOutage {
  readonly #log: Pick<Logger, 'warn' | 'info'>
  readonly #failing = new Set<ExportSignal>()

  constructor(log: Pick<Logger, 'warn' | 'info'>) {
    this.#log = log
  }

  /** The same exporter, watched. */
  watch<Items, One extends Exporter<Items>>(signal: ExportSignal, exporter: One & Exporter<Items>): One {
    const send = exporter.export.bind(exporter)
    exporter.export = (items, done) =>
      send(items, (result) => {
        if (result.code === 0) this.#worked(signal)
        else this.#failed(signal, result.error)
        done(result)
      })
    return exporter
  }

  #failed(signal: ExportSignal, error: Error | undefined): void {
    const first = this.#failing.size === 0
    this.#failing.add(signal)
    if (!first) return
    const why = error?.message ?? 'no reason was given'
    const todo =
      'check telemetry.otlp.endpoint and headersFile, and the collector; what it does not take is lost, the ledger is not'
    this.#log.warn({ event: 'telemetry.not_exported', signal, why, todo }, 'the collector does not take telemetry')
  }

  #worked(signal: ExportSignal): void {
    if (!this.#failing.delete(signal) || this.#failing.size > 0) return
    this.#log.info({ event: 'telemetry.exported_again' }, 'the collector takes telemetry again')
  }
}
