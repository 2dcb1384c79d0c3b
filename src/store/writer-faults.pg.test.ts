import { create, toBinary } from '@bufbuild/protobuf'
import { StartRunResponseSchema } from '@portcullis/contract'
import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { isRefusal, systemClock, uuidv7 } from '#core'
import type { WriteResult } from '#hub'
import { TestDatabase, verifyLog, type TestTenant } from '../../test/harness/postgres.ts'
import { CuttingProxy, type Cut } from '../../test/harness/proxy.ts'
import { begin, effectStatements, groupByTenant } from './batch-statements.ts'
import { Connection, send } from './connection.ts'
import {
  attemptTokens,
  finishRun,
  recordAttempt,
  recordOnly,
  requestIdOf,
  startRun,
  type EffectMember,
} from './members.fixture.ts'
import { Writer, writerDefaults, type WriterSettings } from './writer.ts'

let database: TestDatabase
let admin: Client
let tenant: TestTenant
let proxy: CuttingProxy
const writers: Writer[] = []

beforeAll(async () => {
  database = await TestDatabase.start()
  admin = await database.connect('postgres')
  tenant = await database.makeTenant('faults')
  proxy = await CuttingProxy.start(database.postgres.port)
})
afterAll(async () => {
  await Promise.all(writers.map((writer) => writer.close()))
  await proxy.stop()
  await database.stop()
})

function makeWriter(port?: number, more: Partial<WriterSettings> = {}): Writer {
  const writer = new Writer({ connection: database.settings(port), ...writerDefaults, ...more }, systemClock)
  writers.push(writer)
  return writer
}

const outcomeOf = (result: WriteResult): string =>
  isRefusal(result) ? result.code : result.replayed ? 'replayed' : 'done'

const count = async (text: string, values: readonly unknown[]): Promise<number> =>
  Number((await admin.query<{ count: string }>(text, [...values])).rows[0]?.count)
const rowsOf = (one: EffectMember): Promise<number> =>
  count('select count(*) from portcullis.runs where id = $1', [one.effect?.key])
const entriesOf = (one: EffectMember): Promise<number> =>
  count('select count(*) from audits.entries where log = $1 and request_id = $2', [tenant.name, requestIdOf(one)])

async function newRun(writer: Writer): Promise<string> {
  const id = uuidv7()
  expect(outcomeOf(await writer.submit(startRun(tenant, id)))).toBe('done')
  return id
}

describe('a connection that is lost', () => {
  const cutAt = async (cut: Cut): Promise<{ one: EffectMember; outcome: string; writer: Writer }> => {
    const writer = makeWriter(proxy.port, { lanes: 1 })
    await newRun(writer)
    const cuts = proxy.cuts
    proxy.cutNext(cut)
    const id = uuidv7()
    const one = startRun(tenant, id, { key: `cut ${id}` })
    const outcome = outcomeOf(await writer.submit(one))
    expect(proxy.cuts).toBe(cuts + 1)
    return { one, outcome, writer }
  }

  it('L5: before the commit was sent, the call is refused with store.unavailable and nothing is there', async () => {
    const { one, outcome, writer } = await cutAt('at_begin')
    expect(outcome).toBe('store.unavailable')
    expect([await rowsOf(one), await entriesOf(one)]).toEqual([0, 0])
    expect(outcomeOf(await writer.submit(one))).toBe('done')
  })

  it('L5: with the commit on its way, the outcome is unknown; where it was lost, the same key does the work', async () => {
    const { one, outcome, writer } = await cutAt('before_commit')
    expect(outcome).toBe('outcome.unknown')
    expect([await rowsOf(one), await entriesOf(one)]).toEqual([0, 0])
    expect(outcomeOf(await writer.submit(one))).toBe('done')
    expect([await rowsOf(one), await entriesOf(one)]).toEqual([1, 1])
  })

  it('L5: with only the reply of the commit lost, the outcome is unknown and the same key answers the stored reply, never a second row', async () => {
    const { one, outcome, writer } = await cutAt('after_commit')
    expect(outcome).toBe('outcome.unknown')
    expect([await rowsOf(one), await entriesOf(one)]).toEqual([1, 1])
    const again = { ...startRun(tenant, uuidv7()), idempotency: one.idempotency } as EffectMember
    expect(outcomeOf(await writer.submit(again))).toBe('replayed')
    expect([await rowsOf(one), await rowsOf(again), await entriesOf(again)]).toEqual([1, 0, 1])
  })

  it('L5: a call that only records is told audit.unavailable, not that work may have been done', async () => {
    const writer = makeWriter(proxy.port, { lanes: 1 })
    await newRun(writer)
    proxy.cutNext('after_commit')
    expect(outcomeOf(await writer.submit(recordOnly(tenant, `req-${uuidv7()}`)))).toBe('audit.unavailable')
  })

  it('G20: while the database is out of reach every call is refused; when it is back the writer works again by itself', async () => {
    const writer = makeWriter(proxy.port)
    await newRun(writer)
    proxy.refuse()
    const calls = Array.from({ length: 50 }, () => startRun(tenant, uuidv7()))
    const results = await Promise.all(calls.map((one) => writer.submit(one)))
    expect(results.map(outcomeOf).every((code) => code === 'store.unavailable')).toBe(true)
    proxy.accept()
    expect(outcomeOf(await writer.submit(startRun(tenant, uuidv7())))).toBe('done')
    expect(
      await count('select count(*) from portcullis.runs where id = any ($1)', [calls.map(({ effect }) => effect?.key)]),
    ).toBe(0)
  })

  it('L5: a session ended by the server in the middle leaves neither the effect nor its entry', async () => {
    const writer = makeWriter(undefined, { lanes: 1 })
    const runId = await newRun(writer)
    const holder = await database.connect('postgres')
    await holder.query('begin')
    // The effect has been done and its entry waits for the head of the log.
    await holder.query('select from audits.heads where log = $1 for update', [tenant.name])
    const one = recordAttempt(tenant, runId)
    const waiting = writer.submit(one)
    const pid = await vi.waitFor(async () => {
      const { rows } = await admin.query<{ pid: number }>(
        `select pid from pg_stat_activity where application_name = 'portcullis writer 0' and wait_event_type = 'Lock'`,
      )
      expect(rows).toHaveLength(1)
      return rows[0]?.pid
    })
    await admin.query('select pg_terminate_backend($1)', [pid])
    // The commit was sent already, but the server answered an error before it: that is certain.
    expect(outcomeOf(await waiting)).toBe('store.unavailable')
    await holder.query('rollback')
    expect(await count('select count(*) from portcullis.prompt_attempts where run_id = $1', [runId])).toBe(0)
    expect(await entriesOf(one)).toBe(0)
    expect(await verifyLog(admin, tenant.name)).toMatchObject({ chain_valid: true })
  })

  it('L5: closing ends although the database is frozen', async () => {
    const writer = makeWriter(undefined, { lanes: 1 })
    await newRun(writer)
    const { rows } = await admin.query<{ pid: number }>(
      `select pid from pg_stat_activity where application_name = 'portcullis writer 0' and state = 'idle'`,
    )
    for (const { pid } of rows) process.kill(pid, 'SIGSTOP')
    try {
      await writer.close()
    } finally {
      for (const { pid } of rows) process.kill(pid, 'SIGCONT')
    }
  })
})

describe('a frozen replica', () => {
  /** Runs flush 1 of these members as another replica would, and then nothing more. */
  async function freeze(members: readonly EffectMember[]): Promise<Connection> {
    const frozen = new Connection(database.settings(), 'frozen')
    const client = await frozen.client()
    const [group] = groupByTenant(members)
    if (group === undefined) throw new Error('nothing to freeze with')
    await Promise.all([begin, ...effectStatements(group)].map((statement) => send(client, statement)))
    return frozen
  }

  it('L5: delays no other key; its own keys answer idempotency.in_flight, and work once PostgreSQL has ended its session', async () => {
    const held = Array.from({ length: 8 }, (_, i) => startRun(tenant, uuidv7(), { key: `frozen ${i}` }))
    const frozen = await freeze(held)
    const idle = `select count(*) from pg_stat_activity where application_name = 'portcullis frozen' and state = 'idle in transaction'`
    const writer = makeWriter(undefined, { lanes: 1, duplicateWaitMs: 200 })
    try {
      const others = Array.from({ length: 100 }, (_, i) => startRun(tenant, uuidv7(), { key: `not frozen ${i}` }))
      const own = held.map((one) => writer.submit(one))
      const results = await Promise.all(others.map((one) => writer.submit(one)))
      expect(new Set(results.map(outcomeOf))).toEqual(new Set(['done']))
      const refused = await Promise.all(own)
      expect(new Set(refused.map(outcomeOf))).toEqual(new Set(['idempotency.in_flight']))
      // All of that while the other one still held its keys.
      expect(await count(idle, [])).toBe(1)
      await vi.waitFor(async () => expect(await count(idle, [])).toBe(0), { timeout: 10_000, interval: 50 })
      const later = await Promise.all(held.map((one) => writer.submit(one)))
      expect(new Set(later.map(outcomeOf))).toEqual(new Set(['done']))
      for (const one of held) expect(await entriesOf(one)).toBe(2)
    } finally {
      frozen.discard()
    }
  })

  it('L5: a replica that stood still until its session was ended has done nothing, says so or that it cannot know, and goes on', async () => {
    const writer = makeWriter(undefined, { lanes: 1 })
    const runId = await newRun(writer)
    const one = recordAttempt(tenant, runId)
    const effect = one.effect ?? expect.fail('a member without work')
    const answer: typeof effect.answer = (row) => {
      // Blocks this thread between the two flushes, for longer than a session may stand idle in a transaction.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2500)
      return effect.answer(row)
    }
    // What the server said may be lost with the connection it was said on.
    expect(['store.unavailable', 'outcome.unknown']).toContain(
      outcomeOf(await writer.submit({ ...one, effect: { ...effect, answer } })),
    )
    expect(await count('select count(*) from portcullis.prompt_attempts where run_id = $1', [runId])).toBe(0)
    expect(outcomeOf(await writer.submit(one))).toBe('done')
  })
})

describe('two replicas', () => {
  it('L5: racing on 2,000 calls over the same 200 keys and hot runs, each key has one effect and nothing deadlocks', async () => {
    const race = await database.makeTenant('race')
    const replicas = [makeWriter(), makeWriter()] as const
    const runs = Array.from({ length: 10 }, () => uuidv7())
    await Promise.all(runs.map((id) => replicas[0].submit(startRun(race, id))))
    const deadlocks = `select deadlocks as count from pg_stat_database where datname = 'portcullis'`
    const before = await count(deadlocks, [])
    const calls = Array.from({ length: 2000 }, (_, i) => {
      const key = i % 200
      return {
        replica: replicas[Math.floor(i / 200) % 2],
        call: recordAttempt(race, runs[key % 10] ?? '', { key: `race ${key}`, outcome: 1 + (key % 2) }),
      }
    })
    const results = await Promise.all(
      calls.map(async ({ replica, call }) => (replica === undefined ? 'none' : outcomeOf(await replica.submit(call)))),
    )
    const of = (code: string): number => results.filter((one) => one === code).length
    expect(of('done')).toBe(200)
    // A duplicate may also have waited its two seconds in vain; it has had no effect then.
    expect(of('replayed') + of('idempotency.in_flight')).toBe(1800)
    const { rows } = await admin.query(
      `select r.total_attempts as total, r.success_attempts as success, r.failed_attempts as failed, r.input_tokens as input,
              count(a.*) as rows, count(a.*) filter (where a.outcome = 1) as won, count(a.*) filter (where a.outcome = 2) as lost
         from portcullis.runs r join portcullis.prompt_attempts a on a.run_id = r.id where r.tenant_id = $1
        group by r.id, r.total_attempts, r.success_attempts, r.failed_attempts, r.input_tokens`,
      [race.id],
    )
    expect(rows).toHaveLength(10)
    for (const row of rows) {
      expect(row).toMatchObject({ total: '20', rows: '20', input: String(20 * attemptTokens) })
      expect([row.success, row.failed]).toEqual([row.won, row.lost])
    }
    expect(await verifyLog(admin, race.name)).toMatchObject({ chain_valid: true, count: 10 + 2000 })
    expect(await count(deadlocks, [])).toBe(before)
  })

  it('G15: the primary key stands behind the locks: who comes second under a key undoes its work and answers the first reply', async () => {
    const writer = makeWriter()
    await newRun(writer)
    const id = uuidv7()
    const one = startRun(tenant, id, { key: `second ${id}` })
    const reply = create(StartRunResponseSchema, { run: { id: 'run_of_the_first' } })
    const first = await database.connect('postgres')
    await first.query('begin')
    await first.query(
      `insert into portcullis.idempotency (tenant_id, key_digest, payload_digest, reply) values ($1, decode($2, 'hex'), decode($3, 'hex'), $4)`,
      [
        tenant.id,
        one.idempotency?.keyDigest,
        one.idempotency?.payloadDigest,
        Buffer.from(toBinary(StartRunResponseSchema, reply)),
      ],
    )
    const waiting = writer.submit(one)
    const waits = `select count(*) from pg_stat_activity where application_name like 'portcullis writer %' and wait_event_type = 'Lock'`
    await vi.waitFor(async () => expect(await count(waits, [])).toBe(1), { timeout: 5000, interval: 5 })
    await first.query('commit')
    expect(await waiting).toMatchObject({ refused: false, replayed: true, reply })
    expect([await rowsOf(one), await entriesOf(one)]).toEqual([0, 1])
  })

  it('L5: ends and attempts of the same runs from two replicas leave each run ended once', async () => {
    const race = await database.makeTenant('ends')
    const replicas = [makeWriter(), makeWriter()] as const
    const runs = Array.from({ length: 20 }, () => uuidv7())
    await Promise.all(runs.map((id) => replicas[0].submit(startRun(race, id))))
    const calls = runs.flatMap((id) =>
      replicas.flatMap((replica) => [replica.submit(finishRun(race, id)), replica.submit(recordAttempt(race, id))]),
    )
    const outcomes = (await Promise.all(calls)).map(outcomeOf)
    expect(outcomes.filter((one) => one === 'object.state')).toHaveLength(20)
    expect(outcomes.filter((one) => one === 'done')).toHaveLength(60)
    expect(
      await count(
        'select count(*) from portcullis.runs where tenant_id = $1 and total_attempts = 2 and finished_at is not null',
        [race.id],
      ),
    ).toBe(20)
  })
})
