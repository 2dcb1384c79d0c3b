import pino from 'pino'
import { EventEmitter, once } from 'node:events'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { TriggerResponseSchema } from '@portcullis/contract'
import { isRefusal, publicId, refuse, sha256Hex, systemClock, uuidv7 } from '#core'
import { triggerOf, type JobKind, type WriterMember } from '#hub'
import { JobQueue, JobReports, Writer, writerDefaults, type ConnectionSettings } from '#store'
import { TestDatabase, type TestTenant } from '../../../test/harness/postgres.ts'
import { migratedPlans, queuePlans } from '../../../tools/generate-job-queue.ts'
import { Boss } from './boss.ts'
import type { JobHandler } from './job.ts'
import { endedRecord, scheduledRecord } from './records.ts'
import { JobWorker, type WorkerParts } from './worker.ts'

const log = pino({ level: 'silent' })
const states = { queued: 1, running: 2, retrying: 3, succeeded: 4, failed: 5, canceled: 6 } as const

let database: TestDatabase
let settings: ConnectionSettings
let tenant: TestTenant
let writer: Writer
let closes: (() => Promise<void>)[] = []

beforeAll(async () => {
  database = await TestDatabase.start()
  settings = database.settings()
  tenant = await database.makeTenant('acme')
  writer = new Writer({ connection: settings, ...writerDefaults }, systemClock)
})

afterEach(async () => {
  for (const close of closes) await close()
  closes = []
})

afterAll(async () => {
  await writer.close()
  await database.stop()
})

function kindOf(kind: string, more: Partial<JobKind> = {}): JobKind {
  return {
    kind,
    description: '',
    enabled: true,
    schedule: '',
    timeZone: 'UTC',
    overlap: 'refuse',
    retries: 0,
    timeoutSeconds: 60,
    handler: 'module',
    tenant: 'acme',
    ...more,
  }
}

function member(kind: JobKind, id = uuidv7()): WriterMember {
  const given = { id, trigger: 'manual', actor: 'tester', requestId: 'r-1', dataJson: '{"a":1}' } as const
  const about = {
    kind: kind.kind,
    dueMs: 0,
    requestId: 'r-1',
    tenant: { id: publicId('ten', tenant.id), name: 'acme' },
  }
  const record: WriterMember['record'] = (outcome) => scheduledRecord(about, outcome, Date.now())
  return { tenantId: tenant.id, effect: triggerOf(kind, given, Date.now()), output: TriggerResponseSchema, record }
}

async function submit(kind: JobKind): Promise<string> {
  const id = uuidv7()
  const result = await writer.submit(member(kind, id))
  if (isRefusal(result)) throw new Error(result.reason)
  return id
}

/** A process that works on jobs. */
async function work(
  handlers: Readonly<Record<string, JobHandler>>,
  more: Partial<WorkerParts> = {},
): Promise<{ readonly worker: JobWorker; readonly queue: JobQueue; readonly ended: EventEmitter }> {
  const ended = new EventEmitter()
  let worker: JobWorker | undefined
  const queue = new JobQueue(settings, () => worker?.wake())
  const boss = await Boss.open(queue, log)
  const made = new JobWorker({
    queue,
    boss,
    slots: 4,
    log,
    killed: () => undefined,
    handlerOf: ({ kind }) => {
      const handler = handlers[kind]
      return handler === undefined
        ? undefined
        : {
            kind: kindOf(kind),
            handler,
          }
    },
    ended: async () => {
      for (const job of await queue.tellEnded((one) => endedRecord(one, Date.now()))) ended.emit(job.id, job)
    },
    ...more,
  })
  worker = made
  made.start()
  closes.push(
    () => made.close(),
    () => boss.close(),
    () => queue.close(),
  )
  return { worker: made, queue, ended }
}

async function rowOf(id: string): Promise<Record<string, unknown>> {
  const admin = await database.connect('postgres')
  const { rows } = await admin.query<Record<string, unknown>>('select * from portcullis.jobs where id = $1', [id])
  return rows[0] ?? {}
}

/** Resolves when the signal aborts; then rejects with its reason. */
const untilAborted: JobHandler = async ({ signal }) => {
  await new Promise((resolve) => signal.addEventListener('abort', resolve))
  throw signal.reason
}

describe('the queue of the jobs', () => {
  it('J2: the schema in the migration is the one that the installed pg-boss makes', () => {
    expect(migratedPlans()).toBe(queuePlans())
  })

  it('J2: a job that was triggered runs, and its result, its row and its entry say so', async () => {
    const seen: unknown[] = []
    const { ended } = await work({
      quick: async ({ data, attempt, tenant: whose }) => {
        seen.push(data, attempt, whose)
        return { found: 3 }
      },
    })
    const id = await submit(kindOf('quick'))
    const [job] = await once(ended, id)
    expect(job).toMatchObject({ kind: 'quick', state: states.succeeded, attempts: 1, tenant: 'acme' })
    expect(seen).toEqual([{ a: 1 }, 1, 'acme'])
    const row = await rowOf(id)
    expect(row).toMatchObject({ state: states.succeeded, error: '', recorded: true })
    expect(JSON.parse(String(row['result_json']))).toEqual({ found: 3 })
    const admin = await database.connect('postgres')
    const { rows } = await admin.query(
      `select body from (select convert_from(entry, 'UTF8')::json -> 'body' as body from audits.entries where action = 'job.ended') e
         where body -> 'args' ->> 'job' = $1`,
      [`job_${id}`],
    )
    expect(rows).toHaveLength(1)
    // What a job found is of its tenant: the queue keeps none of it.
    const queue = await admin.query('select data, output from pgboss.job where id = $1', [id])
    expect(queue.rows).toEqual([{ data: null, output: null }])
  })

  it('J1: of many triggers of a kind at once one is accepted, and the others are told which', async () => {
    const kind = kindOf('one-at-a-time')
    const other = new Writer({ connection: settings, ...writerDefaults }, systemClock)
    const results = await Promise.all(
      Array.from({ length: 24 }, (_, index) => (index % 2 === 0 ? writer : other).submit(member(kind))),
    )
    await other.close()
    const accepted = results.filter((result) => !result.refused)
    expect(accepted).toHaveLength(1)
    const admin = await database.connect('postgres')
    const { rows } = await admin.query<{ id: string }>('select id from portcullis.jobs where kind = $1', [kind.kind])
    expect(rows).toHaveLength(1)
    for (const result of results.filter(isRefusal))
      expect(result).toMatchObject({ code: 'job.running', facts: { jobId: `job_${rows[0]?.id}` } })
    const { ended } = await work({ [kind.kind]: async () => ({}) })
    const [done] = await once(ended, rows[0]?.id ?? '')
    expect(done).toMatchObject({ state: states.succeeded })
    // It has ended: the next one may come.
    expect((await writer.submit(member(kind))).refused).toBe(false)
  })

  it('J2: of servers whose schedules are due at the same time one triggers, and the others hear of its job', async () => {
    const kind = kindOf('at-midnight', { overlap: 'allow' })
    const other = new Writer({ connection: settings, ...writerDefaults }, systemClock)
    const key = sha256Hex('schedule at-midnight')
    const idempotency = { keyDigest: key, payloadDigest: key }
    const results = await Promise.all([writer, other].map((one) => one.submit({ ...member(kind), idempotency })))
    await other.close()
    expect(results.filter((result) => !result.refused && result.replayed)).toHaveLength(1)
    const admin = await database.connect('postgres')
    const { rows } = await admin.query('select id from portcullis.jobs where kind = $1', [kind.kind])
    expect(rows).toHaveLength(1)
  })

  it('J2: two processes with a kind that queues run its jobs one after the other, each once', async () => {
    const [running, ran]: [Set<string>, string[]] = [new Set(), []]
    let most = 0
    const handler: JobHandler = async ({ id }) => {
      running.add(id)
      ran.push(id)
      most = Math.max(most, running.size)
      await new Promise((resolve) => setImmediate(resolve))
      running.delete(id)
      return {}
    }
    const kind = kindOf('in-line', { overlap: 'queue' })
    const ids = [await submit(kind), await submit(kind), await submit(kind), await submit(kind)]
    const [one, two] = [await work({ 'in-line': handler }), await work({ 'in-line': handler })]
    await Promise.all(ids.map((id) => Promise.race([once(one.ended, id), once(two.ended, id)])))
    expect(most).toBe(1)
    expect(ran.toSorted()).toEqual(ids.map((id) => `job_${id}`).toSorted())
  })

  it('J2: a job that fails is tried again, and then is in the dead letter queue with its error', async () => {
    let tries = 0
    const { ended, queue } = await work({
      broken: () => {
        tries += 1
        return Promise.reject(new Error('no luck with sk-ant-REDACTED'))
      },
    })
    const id = await submit(kindOf('broken', { retries: 1 }))
    const failed = once(ended, id)
    await expect
      .poll(
        async () => {
          await queue.hurry(id)
          return tries
        },
        { interval: 20, timeout: 20_000 },
      )
      .toBe(2)
    const [job] = await failed
    expect(job).toMatchObject({ state: states.failed, attempts: 2 })
    const row = await rowOf(id)
    expect(String(row['error'])).toMatch(/^no luck with/)
    expect(String(row['error'])).not.toContain('aaaaaaaa')
    const admin = await database.connect('postgres')
    const { rows } = await admin.query(
      `select source_id, source_output from pgboss.job where name = 'portcullis_jobs_dead' and source_id = $1`,
      [id],
    )
    expect(rows).toEqual([{ source_id: id, source_output: null }])
  })

  it('J1: a job that is canceled is aborted, and stays canceled', async () => {
    const { ended } = await work({ long: untilAborted })
    const id = await submit(kindOf('long'))
    await expect.poll(async () => (await rowOf(id))['state'], { interval: 20, timeout: 20_000 }).toBe(states.running)
    const app = await database.connect('portcullis_app')
    await app.query(`select set_config('portcullis.tenant', $1, false)`, [tenant.id])
    const canceled = once(ended, id)
    const { rows } = await app.query<{ verdict: string }>('select verdict from portcullis.cancel_job($1, $2)', [
      id,
      'w',
    ])
    expect(rows).toEqual([{ verdict: 'done' }])
    expect((await canceled)[0]).toMatchObject({ state: states.canceled, error: 'w' })
    const again = await app.query<{ verdict: string }>('select verdict from portcullis.cancel_job($1, $2)', [id, 'w'])
    expect(again.rows).toEqual([{ verdict: 'object.state' }])
    const foreign = await database.makeTenant('elsewhere')
    await app.query(`select set_config('portcullis.tenant', $1, false)`, [foreign.id])
    expect((await app.query('select verdict from portcullis.cancel_job($1, $2)', [id, 'w'])).rows).toEqual([])
  })

  it('J2: a job that takes longer than its time is given up', async () => {
    const { ended } = await work({ slow: untilAborted })
    const id = await submit(kindOf('slow', { timeoutSeconds: 1 }))
    const [job] = await once(ended, id)
    expect(job).toMatchObject({ state: states.failed, error: 'it took longer than 1 s' })
  })

  it('K1: a job of a kind that is killed is canceled before it starts', async () => {
    const { ended } = await work(
      { killed: () => Promise.reject(new Error('it ran')) },
      { killed: () => refuse('kill.engaged', 'drill') },
    )
    const id = await submit(kindOf('killed'))
    const [job] = await once(ended, id)
    expect(job).toMatchObject({ state: states.canceled, error: 'a kill switch stops it' })
  })

  it('J2: a worker that stops gives its jobs back', async () => {
    const first = await work({ handed: untilAborted })
    const id = await submit(kindOf('handed', { retries: 1 }))
    await expect.poll(async () => (await rowOf(id))['state'], { interval: 20, timeout: 20_000 }).toBe(states.running)
    await first.worker.close()
    const { ended } = await work({ handed: async ({ attempt }) => ({ attempt }) })
    const [job] = await once(ended, id)
    expect(job).toMatchObject({ state: states.succeeded, attempts: 2 })
  })

  it('J2: the app role can neither change the queue nor look into jobs of others', async () => {
    const app = await database.connect('portcullis_app')
    await expect(app.query('create table pgboss.x ()')).rejects.toThrow(/permission denied/)
    await expect(app.query(`select pgboss.create_queue('x', '{}')`)).rejects.toThrow(/permission denied/)
    await expect(app.query(`update portcullis.jobs set state = 4`)).rejects.toThrow(/permission denied/)
    expect((await app.query('select id from portcullis.jobs')).rows).toEqual([])
  })

  it('J2: jobs past their time are forgotten, and one that the queue lost is not left waiting', async () => {
    const admin = await database.connect('postgres')
    await admin.query(`delete from pgboss.job where name = 'portcullis_jobs_dead'`)
    const kept = await submit(kindOf('kept'))
    const lost = await submit(kindOf('lost'))
    await admin.query('delete from pgboss.job where id = $1', [lost])
    await admin.query(`update portcullis.jobs set created_at = now() - interval '2 hours' where id = $1`, [lost])
    await admin.query(
      `update portcullis.jobs set finished_at = now() - interval '40 days' where finished_at is not null`,
    )
    const { ended } = await work({ kept: async () => ({}) })
    await once(ended, kept)
    const reports = new JobReports(settings)
    await reports.purgeJobs(30, 1000)
    await reports.close()
    const { rows } = await admin.query<{ id: string; state: number }>('select id, state from portcullis.jobs')
    const left = new Map(rows.map(({ id, state }) => [id, state]))
    expect([left.get(kept), left.get(lost)]).toEqual([states.succeeded, states.failed])
    expect([...left.values()].filter((state) => state === states.canceled)).toEqual([])
  })

  it('J2: whoever asks, a job that ended within the day is not forgotten', async () => {
    const id = await submit(kindOf('fresh'))
    const { ended } = await work({ fresh: async () => ({}) })
    await once(ended, id)
    const app = await database.connect('portcullis_app')
    const { rows } = await app.query<{ purged: string }>(`select portcullis.purge_jobs('-1 day', 1000) as purged`)
    expect(rows).toEqual([{ purged: '0' }])
    expect(await rowOf(id)).toMatchObject({ state: states.succeeded })
  })

  it('J2: the library may do its own maintenance with the rights of the app role', async () => {
    const { queue } = await work({})
    const boss = await Boss.open(queue, log)
    await expect(boss.maintain()).resolves.toBeUndefined()
    await boss.close()
  })
})
