import type { Client } from 'pg'
import { Connection, type ConnectionSettings } from './connection.ts'

const tenantsMax = 10_000
const statementTimeoutMs = 60_000
const foldAtOnce = 10_000
const checkTimeoutMs = 9 * 60_000
// Room for a day that was missed: a window that nobody touched since was right, or was told, before.
const checkedDays = 3

export interface KnownTenant {
  /** Bare UUID. */
  readonly id: string
  readonly name: string
}

export interface AgedSecret {
  readonly what: 'key' | 'app' | 'signing_key'
  /** Bare UUID. */
  readonly id: string
  readonly sinceMs: number
}

/** An alert of a day: amounts as decimal text. */
export type DriftAlert = Readonly<Record<'day' | 'provider' | 'model' | 'charged' | 'known' | 'driftMilli', string>>

export interface BudgetProblem {
  /** Bare UUID. */
  readonly budgetId: string
  readonly problem: string
}

// Live secrets by their age; the identifiers alone, never what is secret.
const agesText = `select what, id, round(extract(epoch from since) * 1000)::float8 as "sinceMs" from (
    (select 'key' as what, k.id, k.created_at as since from portcullis.keys k
      where k.tenant_id = portcullis.tenant() and k.revoked_at is null and coalesce(k.expires_at, 'infinity') > now()
        and k.created_at < now() - make_interval(days => $1) order by k.created_at limit $2)
    union all
    (select 'app', a.id, a.secret_created_at from portcullis.apps a
      where a.tenant_id = portcullis.tenant() and a.disabled_at is null and a.secret_created_at < now() - make_interval(days => $1)
      order by a.secret_created_at limit $2)
    union all
    (select 'signing_key', g.id, g.created_at from portcullis.signing_keys g
      where g.tenant_id = portcullis.tenant() and g.revoked_at is null and g.created_at < now() - make_interval(days => $1)
      order by g.created_at limit $2)) s order by since limit $2`

const driftText = `select c.day::text as day, c.provider, c.model, c.charged_nano_usd::text as charged, c.known_nano_usd::text as known,
    c.drift_milli::text as "driftMilli" from portcullis.cost_corrections c
  where c.tenant_id = portcullis.tenant() and c.alert order by c.id desc limit $1`

/** What jobs read and tidy, on a connection of their own: a long statement makes nobody else wait. Close it at the end of the job. */
export class JobReports {
  readonly #connection: Connection

  constructor(settings: ConnectionSettings) {
    this.#connection = new Connection({ ...settings, statementTimeoutMs }, 'job')
  }

  tenants(): Promise<readonly KnownTenant[]> {
    return this.#inScope('', true, async (client) => {
      const text = 'select id, name from portcullis.tenants order by name limit $1'
      return (await client.query<KnownTenant>(text, [tenantsMax])).rows
    })
  }

  /** The oldest first. */
  agedSecrets(tenantId: string, days: number, limit: number): Promise<readonly AgedSecret[]> {
    return this.#inScope(
      tenantId,
      false,
      async (client) => (await client.query<AgedSecret>(agesText, [days, limit])).rows,
    )
  }

  /** The newest first. */
  driftAlerts(tenantId: string, limit: number): Promise<readonly DriftAlert[]> {
    return this.#inScope(tenantId, false, async (client) => (await client.query<DriftAlert>(driftText, [limit])).rows)
  }

  /** Of the windows that can have changed since the last looks at them. */
  budgetProblems(): Promise<readonly BudgetProblem[]> {
    return this.#inScope('', true, async (client) => {
      await client.query(`select set_config('statement_timeout', $1, true)`, [String(checkTimeoutMs)])
      const text = `select budget_id as "budgetId", problem from portcullis.check_budgets(now() - make_interval(days => $1))`
      return (await client.query<BudgetProblem>(text, [checkedDays])).rows
    })
  }

  /** Adds what waits to the totals; each fold does nothing where another process is at it. */
  async fold(): Promise<void> {
    const client = await this.#connection.client()
    await client.query('select portcullis.fold_workflow_deltas()')
    await client.query('select portcullis.fold_telemetry($1)', [foldAtOnce])
    await client.query('select portcullis.fold_cost_deltas()')
  }

  /** How many jobs were forgotten, `atMost` at a time. */
  async purgeJobs(keepDays: number, atMost: number): Promise<number> {
    const client = await this.#connection.client()
    const text = 'select portcullis.purge_jobs(make_interval(days => $1), $2) as purged'
    const { rows } = await client.query<{ purged: string }>(text, [keepDays, atMost])
    return Number(rows[0]?.purged ?? 0)
  }

  close(): Promise<void> {
    return this.#connection.close()
  }

  async #inScope<Result>(
    tenantId: string,
    platform: boolean,
    work: (client: Client) => Promise<Result>,
  ): Promise<Result> {
    const client = await this.#connection.client()
    await client.query('begin transaction read only')
    try {
      const text = `select set_config('portcullis.tenant', $1, true), set_config('portcullis.platform', $2, true)`
      await client.query(text, [tenantId, platform ? 'on' : 'off'])
      return await work(client)
    } finally {
      await client.query('rollback')
    }
  }
}
