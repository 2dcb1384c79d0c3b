import type { Logger } from 'pino'
import { Connection, type ConnectionSettings } from '#store'

const everyMs = 60_000
const purgeAtMost = 10_000

/** Removes idempotency rows that are older than their 24 hours: each minute, in steps that hold no lock for long. */
export class Housekeeping {
  readonly #connection: Connection
  readonly #timer: NodeJS.Timeout

  constructor(settings: ConnectionSettings, log: Logger) {
    this.#connection = new Connection(settings, 'housekeeping')
    this.#timer = setInterval(() => {
      this.#purge().catch((error: unknown) =>
        log.warn({ event: 'housekeeping.failed', err: error }, 'old idempotency rows stay for now'),
      )
    }, everyMs)
    this.#timer.unref()
  }

  close(): void {
    clearInterval(this.#timer)
    this.#connection.discard()
  }

  async #purge(): Promise<void> {
    const client = await this.#connection.client()
    for (;;) {
      const { rows } = await client.query<{ purged: string }>(
        `select portcullis.purge_idempotency(interval '24 hours', $1) as purged`,
        [purgeAtMost],
      )
      if (Number(rows[0]?.purged ?? 0) < purgeAtMost) return
    }
  }
}
