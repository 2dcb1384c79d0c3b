import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { create } from '@bufbuild/protobuf'
import { RecordSpansResponseSchema, TaskState } from '@portcullis/contract'
import { isRefusal, systemClock, uuidv7 } from '#core'
import { effect, type Effect, type TraceRun, type WriterMember } from '#hub'
import { TestDatabase, type TestTenant } from '../../test/harness/postgres.ts'
import { recordAttempt } from './members.fixture.ts'
import { TraceRuns } from './trace-runs.ts'
import { Writer, writerDefaults } from './writer.ts'

const owner = '00000000-0000-0000-0000-000000000000'
let database: TestDatabase
let admin: Client
let tenant: TestTenant
let other: TestTenant
let writer: Writer
let here: TraceRuns
let there: TraceRuns

beforeAll(async () => {
  database = await TestDatabase.start()
  admin = await database.connect('postgres')
  tenant = await database.makeTenant('tracing')
  other = await database.makeTenant('other')
  writer = new Writer({ connection: database.settings(), ...writerDefaults }, systemClock)
  here = new TraceRuns(database.settings())
  there = new TraceRuns(database.settings())
})
afterAll(async () => {
  await Promise.all([writer.close(), here.close(), there.close()])
  await database.stop()
})

function trace(number: number): string {
  return number.toString(16).padStart(32, '0')
}

function claim(traceId: string, ...spanIds: readonly string[]): Effect {
  const spans = spanIds.map((span) => ({ trace: `\\x${traceId}`, span: `\\x${span}` }))
  return effect({ operation: 'spans.claim', key: traceId, args: { owner, spans }, answer: () => ({}) })
}

function traced(id: string, more: Partial<TraceRun> = {}): Effect {
  const args: TraceRun = {
    id,
    workflow: 'traced',
    agentId: null,
    promptVersion: '',
    status: TaskState.WORKING,
    lastError: '',
    startedAtMs: 2000,
    finishedAtMs: null,
    keyId: null,
    ...more,
  }
  return effect({ operation: 'run.trace', key: id, runId: id, args, answer: () => ({}) })
}

/** A call whose parts commit together. */
function call(...parts: readonly Effect[]): WriterMember {
  const { record } = recordAttempt({ id: tenant.id, name: tenant.name }, uuidv7())
  const reply = create(RecordSpansResponseSchema)
  return {
    tenantId: tenant.id,
    effect: { parts, answerAll: () => ({ reply }) },
    output: RecordSpansResponseSchema,
    record,
  }
}

async function run(id: string): Promise<Record<string, unknown> | undefined> {
  const { rows } = await admin.query(
    'select status, workflow, last_error, extract(epoch from started_at) * 1000 as started, finished_at from portcullis.runs where id = $1',
    [id],
  )
  return rows[0]
}

describe('the runs of traces', () => {
  it('H13: of all who bring spans of a new trace at once, on two replicas, everybody gets the same run', async () => {
    const asked = (): Parameters<TraceRuns['runsOf']>[1] =>
      [1, 2, 3].map((number) => ({ traceId: trace(number), spanIds: ['0000000000000001'], newRunId: uuidv7() }))
    const whose = { tenantId: tenant.id, owner }
    const answers = await Promise.all([here, there, here, there].map((runs) => runs.runsOf(whose, asked())))
    const ids = answers.map((answer) => [...answer].map(([traceId, { runId }]) => `${traceId} ${runId}`).toSorted())
    expect(new Set(ids.map((list) => list.join())).size).toBe(1)
    expect(ids[0]).toHaveLength(3)
    const theirs = await here.runsOf({ ...whose, tenantId: other.id }, [
      { traceId: trace(1), spanIds: [], newRunId: undefined },
    ])
    expect([...theirs.keys()]).toEqual([])
  })

  it('H13: a trace is told with its run once that has begun, and with the spans that are recorded', async () => {
    const runId = uuidv7()
    const asked = { traceId: trace(10), spanIds: ['00000000000000aa', '00000000000000bb'], newRunId: runId }
    const look = async () => (await here.runsOf({ tenantId: tenant.id, owner }, [asked])).get(trace(10))
    expect(await look()).toEqual({ runId, started: false, recorded: new Set() })
    const written = await writer.submit(call(claim(trace(10), '00000000000000aa'), traced(runId)))
    expect(isRefusal(written)).toBe(false)
    expect(await look()).toEqual({ runId, started: true, recorded: new Set(['00000000000000aa']) })
  })

  it('H13: a span that another call records first fails the call as a whole, to be tried again, and nobody beside it', async () => {
    const [first, second, beside] = [uuidv7(), uuidv7(), uuidv7()]
    const results = await Promise.all([
      writer.submit(call(claim(trace(20), '00000000000000aa'), traced(first))),
      writer.submit(call(claim(trace(20), '00000000000000aa', '00000000000000bb'), traced(second))),
      writer.submit(call(claim(trace(21), '00000000000000aa'), traced(beside))),
    ])
    expect(results.map((result) => (isRefusal(result) ? result.code : 'done')).toSorted()).toEqual([
      'done',
      'done',
      'store.busy',
    ])
    const runs = await Promise.all([first, second, beside].map((id) => run(id)))
    expect(runs.filter((row) => row !== undefined)).toHaveLength(2)
    expect(runs[2]).toBeDefined()
  })

  it('H13: a root ends the run wherever it comes: with the run, after it, or beside it in a batch; an ended run stays as it is', async () => {
    const [whole, later, together] = [uuidv7(), uuidv7(), uuidv7()]
    const end = { status: TaskState.FAILED, lastError: 'x', startedAtMs: 1000, finishedAtMs: 5000 }
    await Promise.all([
      writer.submit(call(traced(whole, end))),
      writer.submit(call(traced(later))),
      writer.submit(call(traced(together))),
      writer.submit(call(traced(together, end))),
    ])
    await writer.submit(call(traced(later, end)))
    for (const id of [whole, later, together])
      expect(await run(id)).toMatchObject({ status: TaskState.FAILED, last_error: 'x', started: '1000.000000' })
    await writer.submit(call(traced(later, { ...end, status: TaskState.COMPLETED, lastError: 'y' })))
    expect(await run(later)).toMatchObject({ status: TaskState.FAILED, last_error: 'x' })
    const { rows } = await admin.query(
      `select sum(runs)::int as runs, sum(finished_runs)::int as finished from portcullis.workflow_deltas where tenant_id = $1`,
      [tenant.id],
    )
    expect(rows[0]).toMatchObject({ finished: 3 })
  })

  it('H13: what is older than any span that is taken goes', async () => {
    await admin.query(`update portcullis.ingested_spans set at = now() - interval '9 days'`)
    const app = await database.connect('portcullis_app')
    await app.query(`select portcullis.purge_ingested(interval '8 days', 1000)`)
    const { rows } = await admin.query('select count(*)::int as count from portcullis.ingested_spans')
    expect(rows[0]).toEqual({ count: 0 })
    expect((await admin.query('select from portcullis.ingested_traces')).rowCount).toBeGreaterThan(0)
  })
})
