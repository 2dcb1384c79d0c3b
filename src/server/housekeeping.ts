import type { Logger } from 'pino'
import { Connection, TimeSeries, type ConnectionSettings } from '#store'

const purgeEveryMs = 60_000
const foldEveryMs = 2000
// A month has room for many a missed turn.
const partitionsEveryMs = 6 * 3_600_000
const monthsAhead = 2
// A week has room for many a missed turn.
const daysAhead = 7
// Batches, of up to a thousand attempts each.
const foldAtMost = 1000
const purgeAtMost = 10_000
// Whoever spends from the same budgets waits for so many.
const purgeBudgetsAtMost = 250

/**
 * Removes idempotency rows that are older than their 24 hours, marks of batches, and reservations that ended long ago, in steps that hold no lock for long, folds what
 * batches have added to workflows into totals and roll-ups, and makes the partitions of the ledger for months and of telemetry for days
 * to come. Every replica tries; the database lets one at a time.
 */
export class Housekeeping {
  readonly #connection: Connection
  readonly #telemetry: TimeSeries
  readonly #log: Logger
  readonly #timers: readonly NodeJS.Timeout[]
  readonly #working = new Set<Promise<void>>()

  constructor(settings: ConnectionSettings, log: Logger) {
    this.#connection = new Connection(settings, 'housekeeping')
    this.#telemetry = new TimeSeries(this.#connection)
    this.#log = log
    this.#timers = [
      this.#every(purgeEveryMs, () => this.#purge()),
      this.#every(foldEveryMs, () => this.#fold()),
      this.#every(foldEveryMs, () => this.#foldTelemetry()),
      this.#every(partitionsEveryMs, () => this.#makePartitions()),
    ]
  }

  /** What is not to wait for its first turn; call it once the database was found fit. */
  start(): void {
    void this.#begin(() => this.#noteTimescale())
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

  /** Its compression excludes row-level security, which stays. */
  async #noteTimescale(): Promise<void> {
    const client = await this.#connection.client()
    const { rows } = await client.query<{ version: string }>(
      `select extversion as version from pg_extension where extname = 'timescaledb'`,
    )
    const [found] = rows
    if (found === undefined) return
    const { version } = found
    this.#log.info({ event: 'store.timescaledb', version }, 'TimescaleDB is there and is not used')
  }

  /** An entry whose month has no partition makes it; ahead of time nobody waits for that. */
  async #makePartitions(): Promise<void> {
    const client = await this.#connection.client()
    await client.query('select audits.make_partitions($1)', [monthsAhead])
    // Day by day: none of the statements takes long.
    for (let days = 0; days <= daysAhead; days += 1) await this.#telemetry.make(days)
  }

  async #foldTelemetry(): Promise<void> {
    for (;;) if ((await this.#telemetry.fold(foldAtMost)) < foldAtMost) return
  }

  async #fold(): Promise<void> {
    const client = await this.#connection.client()
    await client.query({ name: 'totals.fold', text: 'select portcullis.fold_workflow_deltas()' })
    await client.query({ name: 'costs.fold', text: 'select portcullis.fold_cost_deltas()' })
  }

  async #purge(): Promise<void> {
    const client = await this.#connection.client()
    await client.query(`select portcullis.purge_commits(interval '1 hour', $1)`, [purgeAtMost])
    await client.query('select portcullis.purge_single_use($1)', [purgeAtMost])
    await client.query('select portcullis.purge_oauth($1)', [purgeAtMost])
    await client.query('select portcullis.purge_sessions($1)', [purgeAtMost])
    await client.query('select portcullis.purge_token_denials($1)', [purgeAtMost])
    await client.query(`select portcullis.purge_webhooks(interval '30 days', $1)`, [purgeAtMost])
    // A day more than the age up to which spans are taken: a span that is sent again finds its row, or is too old itself.
    await client.query(`select portcullis.purge_ingested(interval '8 days', $1)`, [purgeAtMost])
    await this.#purgeBudgets()
    for (;;) {
      const { rows } = await client.query<{ purged: string }>(
        `select portcullis.purge_idempotency(interval '24 hours', $1) as purged`,
        [purgeAtMost],
      )
      if (Number(rows[0]?.purged ?? 0) < purgeAtMost) return
    }
  }

  async #purgeBudgets(): Promise<void> {
    const client = await this.#connection.client()
    const text = 'select portcullis.purge_budgets($1) as purged'
    for (;;) {
      const { rows } = await client.query<{ purged: number }>(text, [purgeBudgetsAtMost])
      if ((rows[0]?.purged ?? 0) < purgeBudgetsAtMost) return
    }
  }
}
