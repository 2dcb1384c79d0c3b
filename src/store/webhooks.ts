import type { Client } from 'pg'
import { Connection, type ConnectionSettings } from './connection.ts'

/** What a webhook wants of the ledger: entries with an action and, unless it is empty, with the outcome beside it. */
export interface WebhookWants {
  readonly name: string
  /** Empty for all. */
  readonly tenant: string
  readonly actions: readonly string[]
  readonly outcomes: readonly string[]
}

export interface DueDelivery {
  readonly log: string
  readonly seq: number
  readonly action: string
  readonly attempts: number
  /** Undefined where retention has taken it. */
  readonly entry: Uint8Array | undefined
}

export interface DeadDelivery {
  readonly webhook: string
  readonly log: string
  readonly seq: number
  readonly action: string
  readonly attempts: number
  readonly givenUpAt: Date
  readonly error: string
}

export interface WebhookCount {
  readonly webhook: string
  /** Events that wait, and entries that were not looked at. */
  readonly lag: number
  readonly dead: number
}

const silentMs = 20_000
// Below what a statement has time for.
const lookAtMost = 10_000
const waitingMax = 1000
const dueAtMost = 20
/** Deliveries that were given up and are kept, of each webhook; and for how long. */
export const deadMax = 10_000

/** What webhooks have to deliver (SPEC O11), on a connection of its own. */
export class WebhookStore {
  readonly #connection: Connection
  readonly #mine = new Map<string, Client>()

  /** PostgreSQL ends the session of a process that stands still, so that another one takes its webhooks over. */
  constructor(settings: ConnectionSettings) {
    const setUp = [...(settings.setUp ?? []), `set idle_session_timeout = ${silentMs}`]
    this.#connection = new Connection({ ...settings, setUp }, 'webhooks')
  }

  /** Takes the webhooks that no other process has. Answers with all that are ours. */
  async take(names: readonly string[]): Promise<ReadonlySet<string>> {
    const client = await this.#connection.client()
    const missing = names.filter((name) => this.#mine.get(name) !== client)
    if (missing.length > 0) {
      const { rows } = await client.query<{ name: string; mine: boolean }>({
        name: 'webhooks.take',
        text: `select w.name, pg_try_advisory_lock(hashtextextended('portcullis webhook ' || w.name, 0)) as mine
          from unnest($1::text[]) as w (name)`,
        values: [missing],
      })
      for (const { name, mine } of rows) if (mine) this.#mine.set(name, client)
    }
    return new Set(names.filter((name) => this.has(name)))
  }

  /** Whether this process still has the webhook, as far as it knows. */
  has(name: string): boolean {
    const client = this.#mine.get(name)
    return client !== undefined && this.#connection.holds(client)
  }

  /** Puts into line what the webhook has not looked at yet, a bounded part of it. */
  async collect(wants: WebhookWants): Promise<{ readonly looked: number; readonly missing: number }> {
    const [row] = await this.#rows<{ looked: string; missing: string }>({
      name: 'webhooks.collect',
      text: 'select * from portcullis.collect_webhook($1, $2, $3::text[], $4::text[], $5, $6)',
      values: [wants.name, wants.tenant, wants.actions, wants.outcomes, lookAtMost, waitingMax],
    })
    return { looked: Number(row?.looked ?? 0), missing: Number(row?.missing ?? 0) }
  }

  /** The next that are to be tried, the oldest first. */
  async due(name: string): Promise<readonly DueDelivery[]> {
    const rows = await this.#rows<Omit<DueDelivery, 'seq' | 'entry'> & { seq: string; entry: Uint8Array | null }>({
      name: 'webhooks.due',
      text: 'select * from portcullis.due_webhook($1, $2)',
      values: [name, dueAtMost],
    })
    return rows.map((row) => ({ ...row, seq: Number(row.seq), entry: row.entry ?? undefined }))
  }

  /** Delivered, or not wanted: it is in line no more. */
  async done(name: string, { log, seq }: Pick<DueDelivery, 'log' | 'seq'>): Promise<void> {
    await this.#settle(name, log, seq, null, null)
  }

  /** Tried again after that time; without one it is given up. */
  async failed(
    name: string,
    { log, seq }: Pick<DueDelivery, 'log' | 'seq'>,
    error: string,
    againMs: number | undefined,
  ): Promise<void> {
    await this.#settle(name, log, seq, error, againMs ?? null)
  }

  async counts(webhooks: readonly Pick<WebhookWants, 'name' | 'tenant'>[]): Promise<readonly WebhookCount[]> {
    const rows = await this.#rows<{ webhook: string; waiting: string; dead: string; behind: string }>({
      name: 'webhooks.counts',
      text: 'select * from portcullis.webhook_counts($1::text[], $2::text[])',
      values: [webhooks.map(({ name }) => name), webhooks.map(({ tenant }) => tenant)],
    })
    return rows.map(({ webhook, waiting, dead, behind }) => ({
      webhook,
      lag: Number(waiting) + Number(behind),
      dead: Number(dead),
    }))
  }

  /** What was given up, the newest first. */
  async dead(webhook: string | undefined, atMost: number): Promise<readonly DeadDelivery[]> {
    const rows = await this.#rows<Omit<DeadDelivery, 'seq' | 'givenUpAt'> & { seq: string; given_up_at: Date }>({
      name: 'webhooks.dead',
      text: 'select * from portcullis.dead_webhooks($1, $2)',
      values: [webhook ?? null, atMost],
    })
    return rows.map(({ given_up_at: givenUpAt, seq, ...row }) => ({ ...row, seq: Number(seq), givenUpAt }))
  }

  /** Puts one that was given up into line again, or all of the webhook, with an entry that says so; answers how many. */
  async replay(webhook: string, at: Pick<DueDelivery, 'log' | 'seq'> | undefined, body: string): Promise<number> {
    const [row] = await this.#rows<{ again: string }>({
      name: 'webhooks.replay',
      text: 'select portcullis.replay_webhook($1, $2, $3::bigint, $4) as again',
      values: [webhook, at?.log ?? null, at?.seq ?? null, body],
    })
    return Number(row?.again ?? 0)
  }

  async close(): Promise<void> {
    await this.#connection.close()
  }

  async #settle(name: string, log: string, seq: number, error: string | null, againMs: number | null): Promise<void> {
    await this.#rows({
      name: 'webhooks.settle',
      text: 'select portcullis.settle_webhook($1, $2, $3::bigint, $4, $5::float8, $6)',
      values: [name, log, seq, error, againMs, deadMax],
    })
  }

  async #rows<Row extends object>(statement: {
    readonly name: string
    readonly text: string
    readonly values: readonly unknown[]
  }): Promise<readonly Row[]> {
    const client = await this.#connection.client()
    return (await client.query({ ...statement, values: [...statement.values] })).rows as readonly Row[]
  }
}
