import fc from 'fast-check'
import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock, uuidv7 } from '#core'
import { TestDatabase, type TestTenant } from '../../test/harness/postgres.ts'
import { Connection } from './connection.ts'
import { recordAttempt, startRun, type EffectMember } from './members.fixture.ts'
import { TimeSeries } from './time-series.ts'
import { Writer, writerDefaults } from './writer.ts'

const dayMs = 86_400_000
const today = Math.floor(Date.now() / dayMs) * dayMs

let database: TestDatabase
let admin: Client
let tenant: TestTenant
let writer: Writer
let connections: readonly Connection[]
let telemetry: TimeSeries
/** As another process has it. */
let elsewhere: TimeSeries
beforeAll(async () => {
  database = await TestDatabase.start()
  admin = await database.connect('postgres')
  tenant = await database.makeTenant('telemetry')
  writer = new Writer({ connection: database.settings(), ...writerDefaults }, systemClock)
  connections = [1, 2].map(() => new Connection(database.settings(), 'test'))
  const [one, other] = connections.map((connection) => new TimeSeries(connection))
  if (one === undefined || other === undefined) throw new Error('no connections')
  telemetry = one
  elsewhere = other
})
afterAll(async () => {
  await writer.close()
  for (const connection of connections) await connection.close()
  await database.stop()
})

function withArgs(one: EffectMember, more: object): EffectMember {
  if (one.effect === undefined) throw new Error('a member without work')
  return { ...one, effect: { ...one.effect, args: { ...one.effect.args, ...more } } }
}

describe('roll-ups', () => {
  const sums = `select coalesce(sum(attempts), 0)::int as attempts, coalesce(sum(latency_ms), 0)::float8 as latency,
    coalesce((select sum(n) from unnest(portcullis.sum_histograms(latency_histogram)) n), 0)::int as counted`

  async function totals(table: string): Promise<unknown> {
    const { rows } = await admin.query(`${sums} from portcullis.telemetry_rollups_${table} where tenant_id = $1`, [
      tenant.id,
    ])
    return rows[0]
  }

  it('H7: each attempt is counted exactly once, by hour and by day, while two fold and calls commit', async () => {
    const runId = uuidv7()
    await writer.submit(startRun(tenant, runId))
    const over = new AbortController()
    const folding = [telemetry, elsewhere].map(async (process) => {
      while (!over.signal.aborted) await process.fold(3)
    })
    await Promise.all(Array.from({ length: 300 }, () => writer.submit(recordAttempt(tenant, runId))))
    over.abort()
    await Promise.all(folding)
    while ((await telemetry.fold(1000)) > 0);
    const { rows } = await admin.query<{ n: number; ms: number }>(
      'select count(*)::int as n, sum(latency_ms)::int as ms from portcullis.prompt_attempts where tenant_id = $1',
      [tenant.id],
    )
    const wanted = { attempts: rows[0]?.n, latency: rows[0]?.ms, counted: rows[0]?.n }
    expect(wanted.attempts).toBe(300)
    expect(await totals('hour')).toEqual(wanted)
    expect(await totals('day')).toEqual(wanted)
  })

  it('T2, H7: roll-ups say what a query over the attempts themselves says, whatever they are and whenever they are folded', async () => {
    const attempt = fc.record({
      model: fc.constantFrom('a', 'b', 'b"c', 'é'),
      provider: fc.constantFrom('', 'p'),
      outcome: fc.constantFrom(1, 2),
      attemptNumber: fc.integer({ min: 0, max: 3 }),
      latencyMs: fc.bigInt(0n, 10n ** 12n).map(String),
      inputTokens: fc.bigInt(0n, 10n ** 12n).map(String),
      createdAtMs: fc.integer({ min: today - 3 * dayMs, max: today }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(attempt, { minLength: 1, maxLength: 30 }), fc.uuid(), async (attempts, workflow) => {
        const runId = uuidv7()
        await writer.submit(withArgs(startRun(tenant, runId), { workflow }))
        const recorded = attempts.map((one) =>
          writer.submit(withArgs(recordAttempt(tenant, runId), { ...one, workflow })),
        )
        await Promise.all([...recorded, telemetry.fold(2)])
        while ((await telemetry.fold(1000)) > 0);
        const counts = `model, provider, sum(attempts)::text, sum(successes)::text, sum(failures)::text, sum(retries)::text,
          sum(input_tokens)::text, sum(latency_ms)::text`
        const direct = (span: string) => `select date_trunc('${span}', created_at, 'UTC') as bucket, ${counts} from (
          select *, 1 as attempts, (outcome = 1)::int as successes, (outcome = 2)::int as failures, (attempt_number > 1)::int as retries
            from portcullis.prompt_attempts where run_id = $1) a group by 1, 2, 3 order by 1, 2, 3`
        for (const span of ['hour', 'day']) {
          const { rows: wanted } = await admin.query(direct(span), [runId])
          const { rows: found } = await admin.query(
            `select bucket, ${counts} from portcullis.telemetry_rollups_${span} where workflow = $1 group by 1, 2, 3 order by 1, 2, 3`,
            [workflow],
          )
          expect(found).toEqual(wanted)
        }
      }),
      { numRuns: 12 },
    )
  })

  it('H7: what is rolled back is not counted, and what commits late is', async () => {
    const before = await totals('day')
    const delta = `insert into portcullis.telemetry_deltas select '${tenant.id}', date_trunc('hour', now()), 'late', '', '', '', null, 2, 1, 1, 1,
      0, 0, 0, 0, 0, 0, 30, array[1, 12]::smallint[]`
    const slow = await database.connect('portcullis_app')
    for (const end of ['rollback', 'commit']) {
      await slow.query('begin')
      await slow.query(`select set_config('portcullis.tenant', $1, true)`, [tenant.id])
      await slow.query(delta)
      expect(await telemetry.fold(1000)).toBe(0)
      await slow.query(end)
    }
    expect(await telemetry.fold(1000)).toBe(1)
    expect(await telemetry.fold(1000)).toBe(0)
    const { attempts, latency, counted } = before as { attempts: number; latency: number; counted: number }
    expect(await totals('day')).toEqual({ attempts: attempts + 2, latency: latency + 30, counted: counted + 2 })
  })

  it('H7: quantiles are within 5 % of those of the latencies themselves', async () => {
    const ms = fc.oneof(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 100_000_000 }))
    const given = fc.tuple(fc.array(ms, { minLength: 1, maxLength: 60 }), fc.constantFrom(0.5, 0.95, 0.99))
    await fc.assert(
      fc.asyncProperty(given, async ([latencies, share]) => {
        const { rows } = await admin.query<{ value: number }>(
          `select portcullis.latency_quantile(portcullis.sum_histograms(portcullis.histogram(array[portcullis.latency_bucket(l)], array[1])), $2) as value
             from unnest($1::bigint[]) l`,
          [latencies, share],
        )
        const exact = latencies.toSorted((a, b) => a - b)[Math.max(1, Math.ceil(share * latencies.length)) - 1] ?? 0
        expect(Math.abs((rows[0]?.value ?? -1) - exact)).toBeLessThanOrEqual(exact * 0.05 + 1e-9)
      }),
      { numRuns: 150 },
    )
    const none = await admin.query(`select portcullis.latency_quantile('{}', 0.5) as none`)
    expect(none.rows).toEqual([{ none: null }])
  })
})
