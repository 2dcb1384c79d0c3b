import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import { expect } from 'vitest'
import { call, databaseOf } from '../harness/instance.ts'
import { verifyLog } from '../harness/postgres.ts'

/**
 * Workers that start runs, each under a workflow name and an idempotency key of its own. A call without an answer, or with one
 * that says to come back, is made again under the same key until it is acknowledged.
 */
export class Load {
  /** The beginning of the names of its workflows. */
  readonly name: string
  readonly #key: string
  readonly #url: () => string
  readonly #workers: Promise<unknown>
  #over = false
  #next = 0
  /** Id of the run by the name of its workflow. */
  readonly acknowledged = new Map<string, string>()
  /** What else was answered, with how often. */
  readonly refusals = new Map<string, number>()
  replays = 0

  constructor(name: string, key: string, url: () => string, workers: number) {
    this.name = name
    this.#key = key
    this.#url = url
    this.#workers = Promise.all(Array.from({ length: workers }, () => this.#work()))
  }

  /** Waits until so many more calls have been acknowledged. */
  async more(count: number, deadlineMs = 60_000): Promise<void> {
    const wanted = this.acknowledged.size + count
    const deadline = Date.now() + deadlineMs
    while (this.acknowledged.size < wanted) {
      if (Date.now() > deadline)
        expect.fail(`${this.acknowledged.size} of ${wanted} calls acknowledged; ${JSON.stringify([...this.refusals])}`)
      await delay(5)
    }
  }

  /** Ends once every call that was begun has been acknowledged. */
  async stop(): Promise<void> {
    this.#over = true
    await this.#workers
  }

  async #work(): Promise<void> {
    while (!this.#over) {
      this.#next += 1
      const workflow = `${this.name}-${this.#next}`
      for (let attempt = 1; !(await this.#try(workflow, attempt)); attempt += 1) {
        if (attempt > 2000) throw new Error(`${workflow} is never acknowledged`)
        await delay(20)
      }
    }
  }

  async #try(workflow: string, attempt: number): Promise<boolean> {
    const headers = { 'idempotency-key': workflow, 'x-request-id': `request-${workflow}-${attempt}` }
    try {
      const {
        status,
        body,
        headers: said,
      } = await call(this.#url(), 'HubService/StartRun', { workflow }, { key: this.#key, headers })
      if (status !== 200) return this.#refused(String(body.code))
      if (said.get('idempotency-replayed') === 'true') this.replays += 1
      this.acknowledged.set(workflow, body.run.id)
      return true
    } catch (error) {
      return this.#refused(error instanceof TypeError ? 'no answer' : String(error))
    }
  }

  #refused(code: string): false {
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1)
    return false
  }
}

/** Every acknowledged call is there once with its entry, nothing is there without, and the chain verifies; of the instance in a folder. */
export async function expectNothingLost(dir: string, load: Load): Promise<void> {
  const admin = new Client(await databaseOf(dir, 'postgres'))
  await admin.connect()
  await expectWhole(admin, load).finally(() => admin.end())
}

async function expectWhole(admin: Client, load: Load): Promise<void> {
  const runs = await admin.query<{ workflow: string; id: string }>(
    `select workflow, 'run_' || id as id from portcullis.runs where workflow like $1`,
    [`${load.name}-%`],
  )
  expect(runs.rows).toHaveLength(load.acknowledged.size)
  expect(new Map(runs.rows.map(({ workflow, id }) => [workflow, id]))).toEqual(load.acknowledged)
  const entries = await admin.query<{ workflow: string; count: number }>(
    `select body #>> '{args,workflow}' as workflow, count(*)::int as count
       from (select convert_from(entry, 'UTF8')::json -> 'body' as body from audits.entries
              where action = '/portcullis.v1.HubService/StartRun' and outcome = 'allow') e
      where body #>> '{args,replayed}' is null and body #>> '{args,workflow}' like $1 group by 1`,
    [`${load.name}-%`],
  )
  expect(entries.rows.filter(({ count }) => count !== 1)).toEqual([])
  expect(new Set(entries.rows.map(({ workflow }) => workflow))).toEqual(new Set(load.acknowledged.keys()))
  for (const log of ['main', 'system']) expect(await verifyLog(admin, log)).toMatchObject({ chain_valid: true })
}
