import type { Logger } from 'pino'
import { Connection, type ConnectionSettings } from '#store'

const purgeEveryMs = 60_000
const foldEveryMs = 2000
const purgeAtMost = 10_000

/**
 * Removes idempotency rows that are older than their 24 hours, in steps that hold no lock for long, and folds what batches have
 * added to workflows into their totals. Every replica tries; the database lets one at a time.
 */
export class Housekeeping {
  readonly #connection: Connection
  readonly #log: Logger
  readonly #timers: readonly NodeJS.Timeout[]
  readonly #working = new Set<Promise<void>>()

  constructor(settings: ConnectionSettings, log: Logger) {
    this.#connection = new Connection(settings, 'housekeeping')
    this.#log = log
    this.#timers = [this.#every(purgeEveryMs, () => this.#purge()), this.#every(foldEveryMs, () => this.#fold())]
  }

  /** Lets what is under way end. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer)
    await Promise.all(this.#working)
    await this.#connection.close()
  }

  #every(ms: number, work: () => Promise<void>): NodeJS.Timeout {
    let current: Promise<void> | undefined
    const timer = setInterval(() => {
      if (current !== undefined) return
      const done = work()
        .catch((error: unknown) =>
          this.#log.warn({ event: 'housekeeping.failed', err: error }, 'housekeeping waits for its next turn'),
        )
        .finally(() => {
          current = undefined
          this.#working.delete(done)
        })
      current = done
      this.#working.add(done)
    }, ms)
    timer.unref()
    return timer
  }

  async #fold(): Promise<void> {
    const client = await this.#connection.client()
    await client.query({ name: 'totals.fold', text: 'select portcullis.fold_workflow_deltas()' })
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
