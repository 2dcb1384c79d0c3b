import type { Logger } from 'pino'
import type { Config } from '#config'
import type { Clock } from '#core'
import type { WriterPort } from '#hub'
import type { Sink, SinkNotice } from '#ledger'
import { SinkCursors, type ConnectionSettings } from '#store'
import { Forwarder, forwarderDefaults } from './forwarder.ts'
import { makeSink } from './make-sink.ts'
import { noticeRecord } from './notice-record.ts'

export interface SinksParts {
  readonly config: Config
  readonly connection: ConnectionSettings
  readonly writer: WriterPort
  readonly clock: Clock
  readonly log: Logger
  readonly watch: SinkWatch
}

/** Told of what becomes of batches; asked for the lag at a scrape. */
export interface SinkWatch {
  sinkSent(sink: string, result: 'sent' | 'failed', entries: number): void
  watchSinks(lags: () => readonly SinkLag[]): void
}

export interface SinkLag {
  readonly sink: string
  readonly entries: number
  readonly seconds: number
}

const lookEveryMs = 500

/** The sinks of the settings, and what sends the ledger to them (SPEC L9). Costs nothing where there are none. */
export class Sinks {
  /** To publish checkpoints to, in the order of the settings. */
  readonly all: readonly Sink[]
  readonly #cursors: SinkCursors
  readonly #forwarders: ReadonlyMap<string, Forwarder>
  readonly #log: Logger
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined
  #looked = false

  constructor({ config, connection, writer, clock, log, watch }: SinksParts) {
    this.#log = log
    const noticed = (sink: string, notice: SinkNotice): void => {
      log.warn({ event: 'ledger.sink_noticed', sink, ...notice }, 'something happened to a sink of the ledger')
      writer
        .submit({ tenantId: undefined, record: () => noticeRecord(sink, notice, clock.now()) })
        .catch((error: unknown) =>
          log.error({ event: 'ledger.notice_lost', sink, err: error }, 'an event of a sink has no entry'),
        )
    }
    this.all = config.audit.sinks.map((setting) =>
      makeSink(setting, { notice: (notice) => noticed(setting.name, notice) }),
    )
    this.#cursors = new SinkCursors(connection)
    const parts = { ...forwarderDefaults, cursors: this.#cursors, host: config.audit.origin, told: log }
    this.#forwarders = new Map(
      this.all.map((sink) => [
        sink.name,
        new Forwarder({
          ...parts,
          sink,
          notice: (notice) => noticed(sink.name, notice),
          count: (result, entries) => watch.sinkSent(sink.name, result, entries),
        }),
      ]),
    )
    if (this.all.length > 0) watch.watchSinks(() => this.lags())
  }

  start(): void {
    if (this.all.length === 0) return
    this.#timer = setInterval(() => void this.#look(), lookEveryMs)
    this.#timer.unref()
  }

  /** Lets the batches that are on their way end; the rest is sent after the next start. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#looking
    await Promise.all([...this.#forwarders.values()].map((forwarder) => forwarder.close()))
    await Promise.all(this.all.map((sink) => sink.close().catch(() => undefined)))
    await this.#cursors.close()
  }

  #look(): Promise<void> {
    this.#looking ??= this.#lookOnce()
      .catch((error: unknown) =>
        this.#log.debug({ event: 'ledger.sinks_waiting', err: error }, 'the sinks wait for the store'),
      )
      .finally(() => {
        this.#looking = undefined
      })
    return this.#looking
  }

  async #lookOnce(): Promise<void> {
    const names = [...this.#forwarders.keys()]
    const mine = await this.#cursors.take(names)
    const behind = Map.groupBy(await this.#cursors.behind(names), ({ sink }) => sink)
    for (const name of mine) {
      const fresh = behind.get(name)?.filter(({ isNew }) => isNew) ?? []
      if (fresh.length > 0) await this.#cursors.begin(name, fresh)
    }
    for (const [name, forwarder] of this.#forwarders) forwarder.look(behind.get(name) ?? [], mine.has(name))
    this.#looked = true
  }

  /** Nothing is known before the first look, and nothing is not zero. */
  lags(): readonly SinkLag[] {
    return this.#looked ? [...this.#forwarders].map(([sink, { lag }]) => ({ sink, ...lag })) : []
  }
}
