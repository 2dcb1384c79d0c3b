import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isRefusal, uuidv7 } from '#core'
import type { AttemptRecord, SpendRow } from '#hub'
import { TestDatabase, type TestTenant } from '../../test/harness/postgres.ts'
import { recordAttempt, startRun } from './members.fixture.ts'
import { putBudget, reserveArgs, settleArgs, spend, spendingWriter, whoIs } from './spending.fixture.ts'
import type { Writer } from './writer.ts'

let database: TestDatabase
let admin: Client
let writer: Writer
let other: Writer

beforeAll(async () => {
  database = await TestDatabase.start()
  admin = await database.connect('postgres')
  writer = spendingWriter(database)
  other = spendingWriter(database)
})
afterAll(async () => {
  await Promise.all([writer.close(), other.close()])
  await database.stop()
})

const ruled = { namesOf: () => [], rules: { policy: undefined, caps: [] } }
const cents = (count: number): bigint => BigInt(count) * 10_000_000n

async function windowsOf(
  tenant: TestTenant,
): Promise<readonly { subject: string; held: string; settled: string; alerted: number }[]> {
  const { rows } = await admin.query<{ subject: string; held: string; settled: string; alerted: number }>(
    `select subject, held, settled, alerted from portcullis.budget_windows where tenant_id = $1 order by subject, start_at`,
    [tenant.id],
  )
  return rows
}

const problems = async (): Promise<readonly unknown[]> =>
  (await admin.query('select * from portcullis.check_budgets()')).rows

const actionsOf = async (tenant: TestTenant, action: string): Promise<readonly Record<string, unknown>[]> =>
  (
    await admin.query<{ args: Record<string, unknown> }>(
      `select convert_from(entry, 'UTF8')::json #> '{body,args}' as args from audits.entries where log = $1 and action = $2 order by seq`,
      [tenant.name, action],
    )
  ).rows.map(({ args }) => args)

const codeOf = ({ result }: Awaited<ReturnType<typeof spend>>): string =>
  isRefusal(result) ? result.code : result.replayed ? 'replayed' : 'done'

function done(row: SpendRow | undefined): Extract<SpendRow, { verdict: 'done' }> {
  if (row?.verdict !== 'done') throw new Error(JSON.stringify(row))
  return row
}

describe('spending under lock', () => {
  it('B4: 1,000 reserves of $0.10 at the same time by two replicas fit a hard budget of $5 exactly fifty times', async () => {
    const tenant = await database.makeTenant('burst')
    await putBudget(writer, tenant)
    const outcomes = await Promise.all(
      Array.from({ length: 1000 }, (_, n) =>
        spend(n % 2 === 0 ? writer : other, tenant, reserveArgs(tenant, cents(10))),
      ),
    )
    const codes = outcomes.map(codeOf)
    expect(codes.filter((code) => code === 'done')).toHaveLength(50)
    expect(codes.filter((code) => code === 'budget.exceeded')).toHaveLength(950)
    expect(await windowsOf(tenant)).toEqual([{ subject: '', held: String(cents(500)), settled: '0', alerted: 0 }])
    const rows = await admin.query('select 1 from portcullis.reservations where tenant_id = $1', [tenant.id])
    expect(rows.rowCount).toBe(50)
    expect(await problems()).toEqual([])
  })

  it('B4: a settlement books the exact amount, frees the rest, and is the same when it is made again', async () => {
    const tenant = await database.makeTenant('settle')
    await putBudget(writer, tenant)
    const held = done((await spend(writer, tenant, reserveArgs(tenant, cents(100)))).row)
    const first = await spend(writer, tenant, settleArgs(tenant, held.reservationId, cents(37)), { key: 's' })
    expect([codeOf(first), done(first.row).settledNanoUsd]).toEqual(['done', cents(37)])
    expect(codeOf(await spend(writer, tenant, settleArgs(tenant, held.reservationId, cents(37)), { key: 's' }))).toBe(
      'replayed',
    )
    const again = await spend(writer, tenant, settleArgs(tenant, held.reservationId, cents(37)))
    expect(done(again.row)).toMatchObject({ unchanged: true, settledNanoUsd: cents(37) })
    expect(codeOf(await spend(writer, tenant, settleArgs(tenant, held.reservationId, cents(38))))).toBe('object.state')
    expect(await windowsOf(tenant)).toEqual([{ subject: '', held: '0', settled: String(cents(37)), alerted: 0 }])
    expect(await problems()).toEqual([])
  })

  it('B4: a reservation expires once, what was seen is booked, and a late settlement is booked as overage', async () => {
    const tenant = await database.makeTenant('late')
    await putBudget(writer, tenant)
    const { reservationId } = done((await spend(writer, tenant, reserveArgs(tenant, cents(300)))).row)
    const extend = { ...whoIs(tenant), kind: 'extend', reservationId, ttlMs: 0, addTokens: 0n } as const
    const seen = { addNanoUsd: 0n, boundOf: () => 0n, seenTokens: 7n, seenPriceOf: () => cents(20), ...ruled }
    await spend(writer, tenant, { ...extend, ...seen })
    const expire = { ...whoIs(tenant), kind: 'expire', reservationId, killed: false } as const
    // Not due yet.
    expect(done((await spend(writer, tenant, expire)).row).unchanged).toBe(true)
    await admin.query(`update portcullis.reservations set expires_at = now() - interval '1 s' where id = $1`, [
      reservationId,
    ])
    const due = await admin.query('select id from portcullis.due_reservations(10)')
    expect(due.rows).toEqual([{ id: reservationId }])
    const [one, two] = await Promise.all([spend(writer, tenant, expire), spend(other, tenant, expire)])
    expect(done(one?.row).unchanged).not.toBe(done(two?.row).unchanged)
    expect(await windowsOf(tenant)).toMatchObject([{ held: '0', settled: String(cents(20)) }])
    const late = done((await spend(writer, tenant, settleArgs(tenant, reservationId, cents(600)))).row)
    expect(late).toMatchObject({ late: true, overageNanoUsd: cents(580) })
    expect(await windowsOf(tenant)).toMatchObject([{ held: '0', settled: String(cents(600)), alerted: 100 }])
    // Used is above the limit: the next one has no room.
    expect(codeOf(await spend(writer, tenant, reserveArgs(tenant, 0n)))).toBe('budget.exceeded')
    expect(await actionsOf(tenant, 'budget.reservation_expired')).toHaveLength(1)
    expect(await actionsOf(tenant, 'budget.overage')).toMatchObject([{ late: true }])
    expect(await problems()).toEqual([])
  })

  it('B4: what an attempt cost that a cap refuses is in its reservation, and its expiry books it', async () => {
    const tenant = await database.makeTenant('capped')
    await putBudget(writer, tenant)
    const runId = uuidv7()
    await writer.submit(startRun(tenant, runId))
    const asked = reserveArgs(tenant, cents(50), { runId, model: 'model', models: ['model'] })
    const { reservationId } = done((await spend(writer, tenant, asked)).row)
    const caps = { maxCostPerRunNanoUsd: 1n, maxAttemptsPerRun: 0n, maxTokensPerRun: 0n, maxLatencyPerAttemptMs: 0n }
    const { effect: recorded } = recordAttempt(tenant, runId)
    const refused = await spend(writer, tenant, {
      ...whoIs(tenant),
      kind: 'attempt',
      attempt: recorded?.args as AttemptRecord,
      reservationId,
      agentId: null,
      keyId: null,
      models: ['model'],
      tool: '',
      nanoUsd: cents(20),
      priceUnknown: false,
      tokens: 7n,
      priceVersion: '',
      skuOf: ({ model }) => `/${model}`,
      rules: { policy: caps, caps: [] },
    })
    expect(codeOf(refused)).toBe('policy.cap_exceeded')
    expect(await windowsOf(tenant)).toMatchObject([{ held: String(cents(50)), settled: '0' }])
    await spend(writer, tenant, { ...whoIs(tenant), kind: 'expire', reservationId, killed: true })
    expect(await windowsOf(tenant)).toMatchObject([{ held: '0', settled: String(cents(20)) }])
    const { rowCount } = await admin.query('select from portcullis.prompt_attempts where tenant_id = $1', [tenant.id])
    expect([rowCount, await problems()]).toEqual([0, []])
  })

  it('B7: each threshold of a window is told once, in the transaction that passes it', async () => {
    const tenant = await database.makeTenant('threshold')
    await putBudget(writer, tenant)
    for (const amount of [240, 20, 160, 80]) {
      const { reservationId } = done((await spend(writer, tenant, reserveArgs(tenant, cents(amount)))).row)
      await spend(writer, tenant, settleArgs(tenant, reservationId, cents(amount)))
    }
    const told = await actionsOf(tenant, 'budget.threshold')
    expect(told.map(({ threshold, used }) => [threshold, used])).toEqual([
      [50, String(cents(260))],
      [80, String(cents(420))],
      [100, String(cents(500))],
    ])
  })

  it('B3: several budgets hold at once: of each agent, of a model in a rolling window, of all requests', async () => {
    const tenant = await database.makeTenant('several')
    const agents = [uuidv7(), uuidv7()]
    for (const [n, id] of agents.entries()) {
      await admin.query(
        `insert into portcullis.agents (tenant_id, id, name, owner, labels, allowed_models, allowed_tools) values ($1, $2, $3, '', '{"team":"red"}', '{}', '{}')`,
        [tenant.id, id, `agent-${n}`],
      )
    }
    await putBudget(writer, tenant, { subjectKind: 3, subjectId: '*', limit: '3', unit: 3 })
    await putBudget(writer, tenant, {
      subjectKind: 2,
      subjectId: 'red',
      limit: '5',
      unit: 3,
      windowKind: 3,
      duration: '',
    })
    const rolling = { windowKind: 2, duration: '1h', durationMs: '3600000' }
    await putBudget(writer, tenant, { subjectKind: 6, subjectId: 'dear', limit: '40', unit: 2, ...rolling })
    const tries = [0, 0, 0, 0, 1, 1, 1].map((n) =>
      spend(writer, tenant, reserveArgs(tenant, 0n, { agentId: agents[n] ?? '' })),
    )
    expect((await Promise.all(tries)).map(codeOf).filter((code) => code === 'done')).toHaveLength(5)
    // Of each model there is one use, whatever a call calls it.
    await putBudget(writer, tenant, { subjectKind: 6, subjectId: '*', limit: '60', unit: 2, ...rolling })
    const spelled = [['dear'], ['dear-0', 'dear'], ['dear', 'dear-2']]
    const dear = spelled.map((models) => spend(writer, tenant, reserveArgs(tenant, 0n, { models })))
    expect((await Promise.all(dear)).map(codeOf).toSorted()).toEqual(['budget.exceeded', 'done', 'done'])
    const cheap = [['cheap'], ['cheap', 'cheap-1'], ['cheap', 'cheap-2'], ['cheap', 'cheap-3']].map((models) =>
      spend(writer, tenant, reserveArgs(tenant, 0n, { models })),
    )
    expect((await Promise.all(cheap)).map(codeOf).filter((code) => code === 'done')).toHaveLength(3)
    const denied = (await spend(writer, tenant, reserveArgs(tenant, 0n, { agentId: agents[0] ?? '' }))).row
    expect(denied).toMatchObject({
      verdict: 'refused',
      refusal: { code: 'budget.exceeded', facts: { used: '0', held: '3', asked: '1' } },
    })
    expect(await problems()).toEqual([])
  })

  it('B4: changes of budgets, finished runs and spending of the same rows at once end without a deadlock', async () => {
    const tenant = await database.makeTenant('mixed')
    const id = await putBudget(writer, tenant, { limit: String(cents(100_000)) })
    const runId = uuidv7()
    await writer.submit(startRun(tenant, runId))
    const writers = [writer, other]
    const held = await Promise.all(
      writers.flatMap((one) => [1, 2].map(() => spend(one, tenant, reserveArgs(tenant, 5n, { runId })))),
    )
    const ids = held.map(({ row }) => done(row).reservationId)
    const work = writers.flatMap((one, n) => [
      putBudget(one, tenant, { id, made: false, limit: String(cents(90_000 + n)) }).then(() => 'done'),
      ...ids.slice(n * 2, n * 2 + 2).map((of) => spend(one, tenant, settleArgs(tenant, of, 5n)).then(codeOf)),
      one.submit(recordAttempt(tenant, runId)).then((result) => (isRefusal(result) ? result.code : 'done')),
      ...Array.from({ length: 20 }, () => spend(one, tenant, reserveArgs(tenant, 5n, { runId })).then(codeOf)),
    ])
    expect(new Set(await Promise.all(work))).toEqual(new Set(['done']))
    expect(await problems()).toEqual([])
  })
})

describe('what ended long ago', () => {
  const purge = async (): Promise<number> => {
    const app = await database.connect('portcullis_app')
    const { rows } = await app.query<{ purged: number }>('select portcullis.purge_budgets(1000) as purged')
    return rows[0]?.purged ?? -1
  }
  const endedAgo = (id: string, days: number): Promise<unknown> =>
    admin.query(
      `update portcullis.reservations set ended_at = now() - make_interval(days => $2), expires_at = now() - make_interval(days => $2)
        where id = $1`,
      [id, days],
    )
  const checkedSince = async (days: number): Promise<readonly { problem: string }[]> =>
    (
      await admin.query<{ problem: string }>(
        'select * from portcullis.check_budgets(now() - make_interval(days => $1))',
        [days],
      )
    ).rows

  it('B4: reservations that ended 30 days ago go, and the sums of their windows add up without them', async () => {
    const tenant = await database.makeTenant('purged')
    await putBudget(writer, tenant)
    await putBudget(writer, tenant, { unit: 3, limit: '100', windowKind: 3, duration: '' })
    const ids: string[] = []
    for (const amount of [10, 20, 30, 40])
      ids.push(done((await spend(writer, tenant, reserveArgs(tenant, cents(amount)))).row).reservationId)
    const [old = '', young = '', late = '', held = ''] = ids
    await spend(writer, tenant, settleArgs(tenant, old, cents(9)))
    await spend(writer, tenant, settleArgs(tenant, young, cents(19)))
    await spend(writer, tenant, { ...whoIs(tenant), kind: 'expire', reservationId: late, killed: true })
    await endedAgo(old, 31)
    await endedAgo(young, 29)
    await endedAgo(late, 31)
    const before = await windowsOf(tenant)
    expect(await purge()).toBe(2)
    expect(await purge()).toBe(0)
    const { rows } = await admin.query<{ id: string }>(
      'select id from portcullis.reservations where tenant_id = $1 order by id',
      [tenant.id],
    )
    expect(rows.map(({ id }) => id)).toEqual([young, held].toSorted())
    expect(await windowsOf(tenant)).toEqual(before)
    expect([await problems(), await checkedSince(3)]).toEqual([[], []])
    // Nobody settles what is gone; what is held is settled as ever.
    expect(codeOf(await spend(writer, tenant, settleArgs(tenant, late, cents(1))))).toBe('object.not_found')
    expect(codeOf(await spend(writer, tenant, settleArgs(tenant, held, cents(40))))).toBe('done')
    expect([await problems(), await checkedSince(3)]).toEqual([[], []])
    await admin.query('update portcullis.budget_windows set settled = settled + 1 where tenant_id = $1', [tenant.id])
    const [wrong] = await checkedSince(3)
    expect(wrong?.problem).toMatch(/^settled is \d+, and \d+ was settled$/)
    await admin.query('update portcullis.budget_windows set settled = settled - 1 where tenant_id = $1', [tenant.id])
  })

  it('B4: windows go once they are over and nobody touched them for 400 days, and what never resets stays', async () => {
    const tenant = await database.makeTenant('over')
    const ago = (days: number): string => new Date(Date.now() - days * 86_400_000).toISOString()
    const windows = [
      { started: 402, touched: 402, of: { duration: 'day' }, goes: true },
      { started: 402, touched: 399, of: { duration: 'day' }, goes: false },
      {
        started: 402,
        touched: 402,
        of: { windowKind: 2, duration: '366d', durationMs: String(366 * 86_400_000) },
        goes: false,
      },
      {
        started: 900,
        touched: 402,
        of: { windowKind: 2, duration: '366d', durationMs: String(366 * 86_400_000) },
        goes: true,
      },
      { started: 900, touched: 402, of: { windowKind: 3, duration: '' }, goes: false },
      { started: 900, touched: 402, of: { windowKind: 3, duration: '', subjectKind: 5, subjectId: '*' }, goes: true },
    ]
    const kept: string[] = []
    for (const { goes, of, started, touched } of windows) {
      const id = await putBudget(writer, tenant, of)
      if (!goes) kept.push(id)
      await admin.query(
        `insert into portcullis.budget_windows (tenant_id, budget_id, subject, start_at, held, settled, purged_settled, touched_on)
         values ($1, $2, '', $3, 0, 5, 5, $4)`,
        [tenant.id, id, ago(started), ago(touched)],
      )
    }
    expect(await purge()).toBe(3)
    const { rows } = await admin.query<{ id: string }>(
      'select budget_id as id from portcullis.budget_windows where tenant_id = $1 order by 1',
      [tenant.id],
    )
    expect(rows.map(({ id }) => id)).toEqual(kept.toSorted())
    expect(await problems()).toEqual([])
  })

  it('B4: spending and the purge of the same budgets at once end without a deadlock, one purge at a time', async () => {
    const tenants = [await database.makeTenant('busy-a'), await database.makeTenant('busy-b')]
    const old: { readonly tenant: TestTenant; readonly id: string }[] = []
    for (const tenant of tenants) {
      await putBudget(writer, tenant, { limit: String(cents(100_000)) })
      await putBudget(writer, tenant, { limit: String(cents(100_000)), windowKind: 3, duration: '' })
      for (let n = 0; n < 20; n += 1)
        old.push({ tenant, id: done((await spend(writer, tenant, reserveArgs(tenant, 5n))).row).reservationId })
    }
    await Promise.all(
      old.map(({ tenant, id }) =>
        spend(writer, tenant, { ...whoIs(tenant), kind: 'expire', reservationId: id, killed: true }),
      ),
    )
    for (const { id } of old) await endedAgo(id, 31)
    const codes = new Set<string>()
    const work = old.flatMap(({ tenant, id }, n) => [
      spend(n % 2 === 0 ? writer : other, tenant, settleArgs(tenant, id, 3n)).then((one) => codes.add(codeOf(one))),
      spend(n % 2 === 0 ? other : writer, tenant, reserveArgs(tenant, 5n)).then((one) => codes.add(codeOf(one))),
    ])
    const purges = await Promise.all([purge(), purge(), purge(), ...work]).then((all) => all.slice(0, 3))
    expect([...codes].filter((code) => code !== 'done' && code !== 'object.not_found')).toEqual([])
    expect(purges.every((count) => typeof count === 'number' && count >= 0)).toBe(true)
    while ((await purge()) > 0);
    expect(await problems()).toEqual([])
  })

  it('B4: while one process purges, another does nothing', async () => {
    const [one, two] = [await database.connect('portcullis_app'), await database.connect('portcullis_app')]
    await one.query('begin')
    await one.query('select portcullis.purge_budgets(1000)')
    const tenant = await database.makeTenant('turns')
    await putBudget(writer, tenant)
    const { reservationId } = done((await spend(writer, tenant, reserveArgs(tenant, 5n))).row)
    await spend(writer, tenant, settleArgs(tenant, reservationId, 5n))
    await endedAgo(reservationId, 31)
    const purgeOnce = 'select portcullis.purge_budgets(1000) as purged'
    expect((await two.query(purgeOnce)).rows).toEqual([{ purged: 0 }])
    await one.query('commit')
    expect((await two.query(purgeOnce)).rows).toEqual([{ purged: 1 }])
  })
})

describe('windows', () => {
  it('B3: a calendar day of a time zone with daylight saving time is as long as the day is', async () => {
    const app = await database.connect('portcullis_app')
    const { rows } = await app.query<{ hours: number; start: Date }>(
      `select extract(epoch from resets_at - start_at)::int / 3600 as hours, start_at as start
         from unnest(array['2026-03-29 12:00+02', '2026-10-25 12:00+01', '2026-06-01 12:00+02']::timestamptz[]) at,
              lateral portcullis.budget_window(1::smallint, 'day', 0::bigint, 'Europe/Berlin', at)`,
    )
    expect(rows.map(({ hours }) => hours)).toEqual([23, 25, 24])
    expect(rows.map(({ start }) => start.toISOString())).toEqual([
      '2026-03-28T23:00:00.000Z',
      '2026-10-24T22:00:00.000Z',
      '2026-05-31T22:00:00.000Z',
    ])
    const others = await app.query<{ start: Date; resets: Date | null }>(
      `select w.start_at as start, w.resets_at as resets
         from (values ('week'), ('month'), ('quarter'), ('year'), ('hour')) d(unit),
              lateral portcullis.budget_window(1::smallint, unit, 0::bigint, 'UTC', '2026-08-05 10:30Z') w`,
    )
    expect(
      others.rows.map(({ start, resets }) => [start.toISOString().slice(0, 13), resets?.toISOString().slice(0, 13)]),
    ).toEqual([
      ['2026-08-03T00', '2026-08-10T00'],
      ['2026-08-01T00', '2026-09-01T00'],
      ['2026-07-01T00', '2026-10-01T00'],
      ['2026-01-01T00', '2027-01-01T00'],
      ['2026-08-05T10', '2026-08-05T11'],
    ])
  })
})
