import type { Logger } from 'pino'
import { Connection, type ConnectionSettings } from '#store'

const purgeEveryMs = 60_000
const foldEveryMs = 2000
// A month has room for many a missed turn.
const partitionsEveryMs = 6 * 3_600_000
const monthsAhead = 2
const purgeAtMost = 10_000

/**
 * Removes idempotency rows that are older than their 24 hours, and marks of batches, in steps that hold no lock for long, and folds what batches have
 * added to workflows into their totals, and makes the partitions of the ledger for months to come. Every replica tries; the
 * database lets one at a time.
 */
export class Housekeeping {
  readonly #connection: Connection
  readonly #log: Logger
  readonly #timers: readonly NodeJS.Timeout[]
  readonly #working = new Set<Promise<void>>()

  constructor(settings: ConnectionSettings, log: Logger) {
    this.#connection = new Connection(settings, 'housekeeping')
    this.#log = log
    this.#timers = [
      this.#every(purgeEveryMs, () => this.#purge()),
      this.#every(foldEveryMs, () => this.#fold()),
      this.#every(partitionsEveryMs, () => this.#makePartitions()),
    ]
  }

  /** What is not to wait for its first turn; call it once the database was found fit. */
  start(): void {
    void this.#begin(() => this.#makePartitions())
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
      current = this.#begin(work).finally(() => (current = undefined))
    }, ms)
    timer.unref()
    return timer
  }

  #begin(work: () => Promise<void>): Promise<void> {
    const done = work()
      .catch((error: unknown) =>
        this.#log.warn({ event: 'housekeeping.failed', err: error }, 'housekeeping waits for its next turn'),
      )
      .finally(() => this.#working.delete(done))
    this.#working.add(done)
    return done
  }

  /** An entry whose month has no partition makes it; ahead of time nobody waits for that. */
  async #makePartitions(): Promise<void> {
    const client = await this.#connection.client()
    await client.query('select audits.make_partitions($1)', [monthsAhead])
  }

  async #fold(): Promise<void> {
    const client = await this.#connection.client()
    await client.query({ name: 'totals.fold', text: 'select portcullis.fold_workflow_deltas()' })
  }

  async #purge(): Promise<void> {
    const client = await this.#connection.client()
    await client.query(`select portcullis.purge_commits(interval '1 hour', $1)`, [purgeAtMost])
    await client.query('select portcullis.purge_single_use($1)', [purgeAtMost])
    await client.query('select portcullis.purge_oauth($1)', [purgeAtMost])
    await client.query('select portcullis.purge_sessions($1)', [purgeAtMost])
    await client.query('select portcullis.purge_token_denials($1)', [purgeAtMost])
    for (;;) {
      const { rows } = await client.query<{ purged: string }>(
        `select portcullis.purge_idempotency(interval '24 hours', $1) as purged`,
        [purgeAtMost],
      )
      if (Number(rows[0]?.purged ?? 0) < purgeAtMost) return
    }
  }
}
