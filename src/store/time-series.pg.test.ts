import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock, uuidv7 } from '#core'
import { TestDatabase, type TestTenant } from '../../test/harness/postgres.ts'
import { Connection } from './connection.ts'
import { inspectDatabase } from './inspect.ts'
import { alongIndexes, listStatement } from './list-statement.ts'
import { lists } from './lists.ts'
import { recordAttempt, startRun } from './members.fixture.ts'
import { readMigrations } from './migrate.ts'
import { TimeSeries } from './time-series.ts'
import { Reader } from './reader.ts'
import { Writer, writerDefaults } from './writer.ts'

const dayMs = 86_400_000
const today = Math.floor(Date.now() / dayMs) * dayMs
const past = 6

let database: TestDatabase
let admin: Client
let app: Client
let tenant: TestTenant
let writer: Writer
let connections: readonly Connection[]
let telemetry: TimeSeries
/** As another process has it. */
let elsewhere: TimeSeries
beforeAll(async () => {
  database = await TestDatabase.start()
  admin = await database.connect('postgres')
  app = await database.connect('portcullis_app')
  tenant = await database.makeTenant('telemetry')
  writer = new Writer({ connection: database.settings(), ...writerDefaults }, systemClock)
  connections = [1, 2].map(() => new Connection(database.settings(), 'test'))
  const [one, other] = connections.map((connection) => new TimeSeries(connection))
  if (one === undefined || other === undefined) throw new Error('no connections')
  telemetry = one
  elsewhere = other
  await openDays(past)
})
afterAll(async () => {
  await writer.close()
  for (const connection of connections) await connection.close()
  await database.stop()
})

/** As if the schema had been made that many days ago: the first partition ends there, and each day since has its own. */
async function openDays(days: number, but?: (dayAt: number) => boolean): Promise<void> {
  const owner = await database.connect('portcullis_owner')
  const from = (at: number) => new Date(at).toISOString()
  for (const table of ['prompt_attempts', 'run_events', 'benchmarks']) {
    for (const { name } of await telemetry.partitions(table as 'benchmarks')) {
      if (name.endsWith('_first'))
        await owner.query(`alter table portcullis.${table} detach partition portcullis.${name}`)
      else await owner.query(`drop table portcullis.${name}`)
    }
    await owner.query(`do $$ begin execute format('alter table portcullis.${table} attach partition portcullis.${table}_first
      for values from (minvalue) to (%L)', portcullis.least_id('${from(today - days * dayMs)}')); end $$`)
    for (let at = today - days * dayMs; at < today + dayMs; at += dayMs) {
      if (but?.(at) === true) continue
      const name = `${table}_${from(at).slice(0, 10).replaceAll('-', '')}`
      await owner.query('select portcullis.make_telemetry_partition($1, $2, $3, $4)', [
        table,
        name,
        from(at),
        from(at + dayMs),
      ])
    }
  }
  await owner.end()
}

const columns = `tenant_id, id, run_id, attempt_number, workflow, agent_id, provider_type, provider, model, prompt_version, prompt_hash,
  outcome, error_type, error_message, input_tokens, cached_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
  cost_nano_usd, reported_cost_nano_usd, latency_ms, quality_score_milli, created_at`

/** Attempts of a day, straight into the table. */
async function fill(client: Client, atMs: number, count: number, tenantId = tenant.id): Promise<void> {
  await client.query(
    `insert into portcullis.prompt_attempts (${columns})
      select $1, uuidv7(to_timestamp($2) - now() + n * interval '1 ms'), $3, 1 + n % 2, 'w' || n % 5, null, '', 'p', 'm' || n % 3, 'v1', '', 1 + n % 2, '', '',
             1, 2, 3, 4, 5, 6, 0, n, 0, to_timestamp($2) from generate_series(1, $4) n`,
    [tenantId, atMs / 1000, uuidv7(atMs), count],
  )
}

describe('partitions of telemetry', () => {
  it('H7: are made ahead by the app role, which has no DDL; again, and by two at once, is fine', async () => {
    const made = await Promise.all([telemetry.make(3), elsewhere.make(3)])
    expect(made[0] + made[1]).toBe(3 * 3)
    expect(await telemetry.make(3)).toBe(0)
    const days = (await telemetry.partitions('run_events')).map(({ sinceMs }) => sinceMs)
    expect(days).toEqual([undefined, ...Array.from({ length: past + 4 }, (_, at) => today + (at - past) * dayMs)])
    await expect(telemetry.make(1000)).rejects.toThrow('0 to 31 days ahead')
  })

  it('H7: a row lies in the partition of the day of its id', async () => {
    await fill(admin, today - 2 * dayMs, 10)
    await fill(admin, today - 3 * dayMs, 10)
    const { rows } = await admin.query(
      `select tableoid::regclass::text as place, count(*)::int as n from portcullis.prompt_attempts group by 1 order by 1`,
    )
    const name = (at: number) =>
      `portcullis.prompt_attempts_${new Date(at).toISOString().slice(0, 10).replaceAll('-', '')}`
    expect(rows).toEqual([
      { place: name(today - 3 * dayMs), n: 10 },
      { place: name(today - 2 * dayMs), n: 10 },
    ])
  })

  it('G11: nobody reads or writes a partition past its table, and the start finds nothing wrong with them', async () => {
    const reader = await database.connect('portcullis_reader')
    const { rows } = await admin.query<{ name: string; secure: boolean }>(
      `select c.oid::regclass::text as name, c.relrowsecurity and c.relforcerowsecurity as secure from pg_class c
        where c.relispartition and c.relkind = 'r' and c.relnamespace = 'portcullis'::regnamespace`,
    )
    expect(rows.length).toBeGreaterThan(3 * past)
    for (const { name, secure } of rows) {
      expect([name, secure]).toEqual([name, true])
      for (const client of [app, reader])
        await expect(client.query(`select from ${name}`)).rejects.toThrow('permission denied')
      await expect(app.query(`insert into ${name} default values`)).rejects.toThrow('permission denied')
    }
    expect(await inspectDatabase(await database.connect('portcullis_app'))).toEqual([])
    await expect(app.query(`select portcullis.make_telemetry_partition('runs', 'x', now(), now())`)).rejects.toThrow(
      'permission denied',
    )
  })

  it('H7: an attempt of a day without a partition makes it, and nothing is lost', async () => {
    await admin.query('delete from portcullis.prompt_attempts')
    await openDays(past, (at) => at === today)
    const runId = uuidv7()
    await writer.submit(startRun(tenant, runId))
    const results = await Promise.all(Array.from({ length: 20 }, () => writer.submit(recordAttempt(tenant, runId))))
    expect(results.filter((one) => one.refused)).toEqual([])
    const { rows } = await admin.query<{ n: number }>(
      'select count(*)::int as n from portcullis.prompt_attempts where run_id = $1',
      [runId],
    )
    expect(rows).toEqual([{ n: 20 }])
    await telemetry.make(2)
  })
})

describe('retention', () => {
  const entryOf = (table: string, partition: string, untilMs: number): string => {
    const args = { partition, table, until: new Date(untilMs).toISOString() }
    return JSON.stringify({ access: 'system', args, kind: 'telemetry.retention', outcome: 'allow' })
  }

  it('H7: an expired partition is dropped with its entry in the ledger, once; others stay', async () => {
    await fill(admin, today - 5 * dayMs, 1000)
    await fill(admin, today - 4 * dayMs, 1000)
    const [first, second, third] = await telemetry.partitions('prompt_attempts')
    const beforeMs = today - 4 * dayMs
    for (const { name, untilMs } of [first, second, third].flatMap((one) => one ?? [])) {
      const table = 'prompt_attempts'
      const drop = { table, beforeMs, by: 'test', body: entryOf(table, name, untilMs) } as const
      const lie = { ...drop, name, body: entryOf(table, 'another', untilMs) }
      await expect(telemetry.drop(lie)).rejects.toThrow('does not say that the partition')
      expect([name, await telemetry.drop({ ...drop, name })]).toEqual([name, 'dropped'])
      expect(await telemetry.drop({ ...drop, name })).toBe('gone')
    }
    expect((await telemetry.partitions('prompt_attempts'))[0]?.sinceMs).toBe(today - 4 * dayMs)
    const { rows } = await admin.query<{ n: number }>(
      `select count(*)::int as n from audits.entries where log = 'system' and action = 'telemetry.retention'`,
    )
    expect(rows).toEqual([{ n: 3 }])
  })

  it.each([
    ['prompt_attempts', 'a partition that is not over', -2 * dayMs, 'has rows until'],
    ['prompt_attempts', 'today', 0, 'kept for a day at least'],
    ['runs', 'a table that is none of them', -2 * dayMs, 'has no partitions'],
  ])('H7: of %s %s is not dropped', async (table, _what, offset, why) => {
    const [oldest] = (await telemetry.partitions('prompt_attempts')).toReversed()
    const name = oldest?.name ?? ''
    const body = entryOf(table, name, oldest?.untilMs ?? 0)
    const drop = { table: table as 'benchmarks', name, beforeMs: today + offset, by: 'test', body }
    await expect(telemetry.drop(drop)).rejects.toThrow(why)
  })

  it('H7: where the table is in use the drop gives up, says so and leaves no entry', async () => {
    const [oldest] = await telemetry.partitions('run_events')
    const user = await database.connect('portcullis_app')
    await user.query('begin')
    await user.query('select from portcullis.run_events')
    const drop = {
      table: 'run_events',
      name: oldest?.name ?? '',
      beforeMs: today - 5 * dayMs,
      by: 'test',
      body: entryOf('run_events', oldest?.name ?? '', oldest?.untilMs ?? 0),
    } as const
    expect(await telemetry.drop(drop)).toBe('busy')
    await user.query('rollback')
    const { rows } = await admin.query<{ n: number }>(
      `select count(*)::int as n from audits.entries where log = 'system' and action = 'telemetry.retention'`,
    )
    expect(rows).toEqual([{ n: 3 }])
    expect(await telemetry.drop(drop)).toBe('dropped')
  })
})

describe('lists over partitions', () => {
  /** The partitions that a statement opens, as it runs. */
  async function opened(filter: object, before: string | undefined, since?: string): Promise<readonly string[]> {
    const { text, values } = listStatement(lists.attempts, filter, { size: 10, before }, since)
    const client = await database.connect('portcullis_app')
    for (const setting of [...alongIndexes, 'set enable_sort = off']) await client.query(setting)
    await client.query(`select set_config('portcullis.tenant', $1, false)`, [tenant.id])
    await client.query(`prepare page as ${text}`)
    const given = values.map((value) => (typeof value === 'number' ? String(value) : `'${value}'`)).join(', ')
    const { rows } = await client.query<{ 'QUERY PLAN': string }>(
      `explain (analyze, timing off) execute page(${given})`,
    )
    await client.end()
    const lines = rows.map((row) => row['QUERY PLAN'])
    expect(lines.join('\n')).not.toMatch(/Seq Scan|Sort Method/)
    return lines.filter((line) => line.includes('Index Scan') && !line.includes('never executed'))
  }

  it('H7: a page opens the partitions that it can be in, and of these the newest first until it is full', async () => {
    await fill(admin, today - 3 * dayMs + 1, 500)
    await fill(admin, today - 2 * dayMs + 1, 500)
    await admin.query('analyze portcullis.prompt_attempts')
    const all = (await telemetry.partitions('prompt_attempts')).length
    expect(all).toBeGreaterThan(5)
    const id = uuidv7(today - dayMs - 1)
    // Full after the first day with rows.
    expect((await opened({}, id)).length).toBe(1)
    // A day before the run, and all days since.
    expect((await opened({ runId: uuidv7(today - 2 * dayMs + 5) }, undefined)).length).toBe(all - 1)
    expect((await opened({ workflow: 'w1' }, id, uuidv7(today - 3 * dayMs))).length).toBe(2)
    expect((await opened({ outcome: 2 }, id, uuidv7(today - 3 * dayMs))).length).toBe(1)
  })
})

it('H7: page by page every row is listed once, in order, whatever days lie between', async () => {
  const other = await database.makeTenant('sparse')
  const scope = { tenantId: other.id, platform: false }
  for (const days of [3, 1]) await fill(admin, today - days * dayMs, 12, other.id)
  const reader = new Reader(database.settings(), 2)
  for (const filter of [
    {},
    { workflow: 'w1' },
    { outcome: 1 },
    { outcome: 2, model: 'm1' },
    { createdBeforeMs: today - 2 * dayMs },
  ]) {
    const ids: string[] = []
    let before: string | undefined
    do {
      const page = await reader.attempts(scope, filter, { size: 5, before })
      if ('code' in page) throw new Error(page.code)
      ids.push(...page.rows.map(({ id }) => id))
      before = page.next
    } while (before !== undefined)
    const { rows } = await admin.query<{ id: string }>(
      `select id from portcullis.prompt_attempts where tenant_id = $1 and workflow = coalesce($2, workflow) and model = coalesce($3, model)
         and outcome = coalesce($4, outcome) and id < portcullis.least_id(to_timestamp(coalesce($5, 4e9))) order by id desc`,
      [
        other.id,
        filter.workflow,
        filter.model,
        filter.outcome,
        filter.createdBeforeMs && filter.createdBeforeMs / 1000,
      ],
    )
    expect([filter, ids]).toEqual([filter, rows.map(({ id }) => id)])
    expect(ids.length).toBeGreaterThan(0)
  }
  await reader.close()
})

it('H7: a schema of before keeps its rows where they are, in the first partition, and counts them once', async () => {
  await database.emptyDatabase('before')
  const owner = await database.connect('portcullis_owner', 'before')
  const inside = await database.connect('postgres', 'before')
  const migrations = await readMigrations()
  for (const { text } of migrations.filter(({ version }) => version < 19)) await owner.query(text)
  await inside.query(`insert into portcullis.tenants (id, name) values ($1, 'old')`, [tenant.id])
  await fill(inside, today - 200 * dayMs, 500)
  const place = `select pg_relation_filenode('portcullis.prompt_attempts_first') as place`
  const filenode = await inside.query(place.replace('_first', ''))
  await owner.query(migrations.find(({ version }) => version === 19)?.text ?? '')
  expect((await inside.query(place)).rows).toEqual(filenode.rows)
  const counts = await inside.query(`select count(*)::int as n, min(tableoid::regclass::text) as place,
    (select sum(attempts)::int from portcullis.telemetry_rollups_hour) as hours,
    (select sum(cost_nano_usd)::int from portcullis.telemetry_rollups_day where failures > 0 and retries > 0) as cost,
    (select count(*)::int from portcullis.telemetry_deltas) as left from portcullis.prompt_attempts`)
  expect(counts.rows).toEqual([{ n: 500, place: 'portcullis.prompt_attempts_first', hours: 500, cost: 3000, left: 0 }])
  const granted = await inside.query(
    `select has_table_privilege('portcullis_app', 'portcullis.prompt_attempts', 'insert') as table,
            has_table_privilege('portcullis_app', 'portcullis.prompt_attempts_first', 'insert') as partition`,
  )
  expect(granted.rows).toEqual([{ table: true, partition: false }])
})
