import type { Client } from 'pg'
import type { LedgerRecord } from '#ledger'
import { appendStatement } from './batch-statements.ts'
import { Connection, send, type ConnectionSettings } from './connection.ts'

export { JobReports } from './job-reports.ts'

/** A job that the queue has handed to this process. */
export interface StartedJob {
  readonly tenantId: string
  readonly tenant: string
  readonly kind: string
  readonly trigger: string
  readonly actor: string
  readonly requestId: string
  readonly dataJson: string
}

/** A job that is over, for its entry. */
export interface EndedJob {
  readonly tenantId: string
  readonly tenant: string
  readonly id: string
  readonly kind: string
  /** The number of JobState. */
  readonly state: number
  readonly trigger: string
  readonly actor: string
  readonly requestId: string
  readonly attempts: number
  readonly error: string
  readonly elapsedMs: number
}

export interface JobSight {
  /** Attempts whose worker has not been heard of. */
  readonly lost: readonly { readonly id: string; readonly attempt: number }[]
  readonly due: boolean
  readonly ended: boolean
}

const endedAtOnce = 50

/**
 * The connection of the jobs: statements of the queue's library, what becomes of jobs, and the notices that wake the process. One
 * transaction at a time; everything else is a statement of its own.
 */
export class JobQueue {
  readonly #connection: Connection
  readonly #noticed: () => void
  #listening: Client | undefined
  #turn: Promise<unknown> = Promise.resolve()
  /** Monotonic milliseconds of the last answer of the database. */
  answeredAt = Number.NEGATIVE_INFINITY

  /** `noticed` is told when there may be something to do. */
  constructor(settings: ConnectionSettings, noticed: () => void) {
    this.#connection = new Connection({ ...settings, setUp: ['listen portcullis_jobs'] }, 'jobs')
    this.#noticed = noticed
  }

  /** One statement of the library, or several without values. */
  query(text: string, values?: readonly unknown[]): Promise<{ rows: Record<string, unknown>[] }> {
    return this.#inTurn(async (client) => {
      // Several statements in one text have several results.
      const results: unknown = await client.query(text, values === undefined ? [] : [...values])
      return { rows: (Array.isArray(results) ? results : [results]).flatMap(({ rows }) => rows ?? []) }
    })
  }

  look(): Promise<JobSight> {
    return this.#inTurn(async (client) => {
      const { rows } = await client.query<{ what: string; id: string; attempt: number }>({
        name: 'jobs.look',
        text: 'select what, id, attempt from portcullis.look_at_jobs()',
      })
      return {
        lost: rows.filter(({ what }) => what === 'lost'),
        due: rows.some(({ what }) => what === 'due'),
        ended: rows.some(({ what }) => what === 'ended'),
      }
    })
  }

  /** Undefined where the job is not to be run any more. */
  start(id: string, worker: string): Promise<StartedJob | undefined> {
    return this.#inTurn(async (client) => {
      const { rows } = await client.query<StartedJob>({
        name: 'jobs.start',
        text: `select tenant_id as "tenantId", tenant, kind, trigger, actor, request_id as "requestId", data_json as "dataJson"
          from portcullis.start_job($1, $2)`,
        values: [id, worker],
      })
      return rows[0]
    })
  }

  /** What the job says of itself while it runs. */
  async progress(id: string, attempt: number, resultJson: string): Promise<void> {
    await this.#inTurn((client) =>
      client.query({
        name: 'jobs.progress',
        text: 'select portcullis.job_progress($1, $2, $3)',
        values: [id, attempt, resultJson],
      }),
    )
  }

  /** Ends a job that must not run any more. */
  async cancel(id: string, reason: string): Promise<void> {
    await this.#inTurn((client) =>
      client.query({
        name: 'jobs.cancel',
        text: `update pgboss.job_common set state = 'cancelled', completed_on = now(), output = jsonb_build_object('message', $2::text)
          where name = 'portcullis_jobs' and id = $1 and state < 'completed'`,
        values: [id, reason],
      }),
    )
  }

  /** Lost jobs are tried again at once. */
  async hurry(id: string): Promise<void> {
    await this.#inTurn((client) =>
      client.query({
        name: 'jobs.hurry',
        text: `update pgboss.job_common set start_after = now() where name = 'portcullis_jobs' and id = $1 and state = 'retry'`,
        values: [id],
      }),
    )
  }

  /** Writes the entry of each job that has ended, once, in the transaction that takes note of it. */
  tellEnded(record: (ended: EndedJob) => LedgerRecord): Promise<readonly EndedJob[]> {
    return this.#inTurn(async (client) => {
      try {
        await client.query('begin')
        const { rows } = await client.query<EndedJob>(
          `select tenant_id as "tenantId", tenant, id, kind, state, trigger, actor, request_id as "requestId", attempts, error,
             elapsed_ms as "elapsedMs" from portcullis.take_ended_jobs($1)`,
          [endedAtOnce],
        )
        for (const statement of appendStatement(rows.map((row) => record(row)))) await send(client, statement)
        await client.query('commit')
        return rows
      } catch (error) {
        // Its state is not known: the next use connects anew.
        this.#connection.discard()
        throw error
      }
    })
  }

  async close(): Promise<void> {
    await this.#turn
    await this.#connection.close()
  }

  #inTurn<Result>(work: (client: Client) => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(async () => {
      const client = await this.#client()
      const done = await work(client)
      this.answeredAt = performance.now()
      return done
    })
    this.#turn = result.catch(() => undefined)
    return result
  }

  async #client(): Promise<Client> {
    const client = await this.#connection.client()
    if (this.#listening !== client) {
      this.#listening = client
      client.on('notification', this.#noticed)
    }
    return client
  }
}
