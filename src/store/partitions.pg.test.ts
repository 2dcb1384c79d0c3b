import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TestDatabase, verifyLog } from '../../test/harness/postgres.ts'
import { appendInThePast } from '../ledger/past.fixture.ts'
import { inspectDatabase } from './inspect.ts'

let database: TestDatabase
let admin: Client
let app: Client
beforeAll(async () => {
  database = await TestDatabase.start()
  admin = await database.connect('postgres')
  app = await database.connect('portcullis_app')
})
afterAll(() => database.stop())

const thisMonth = new Date().toISOString().slice(0, 7).replace('-', '')
const one = `select * from audits.append('system', '', '', '', '', 'allow', '', '', '{}')`

async function monthsOf(retentionClass: string): Promise<readonly string[]> {
  const { rows } = await admin.query<{ name: string }>('select name from audits.months() where class = $1', [
    retentionClass,
  ])
  return rows.map(({ name }) => name)
}

async function messageOf(client: Client, ...statements: readonly string[]): Promise<string> {
  await client.query('begin')
  try {
    for (const statement of statements) await client.query(statement)
    return 'done'
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    await client.query('rollback')
  }
}

describe('partitions of the ledger', () => {
  it('L12: are made ahead by the app role, which has no DDL, for each class that has a log; again is fine', async () => {
    await app.query('select audits.make_partitions(2)')
    expect(await monthsOf('default')).toHaveLength(3)
    expect(await monthsOf('hipaa')).toEqual([])
    await app.query(`select audits.create_log('clinic/hipaa', null, 'hipaa')`)
    expect((await app.query('select audits.make_partitions(2) as made')).rows).toEqual([{ made: 2 }])
    expect((await app.query('select audits.make_partitions(2) as made')).rows).toEqual([{ made: 0 }])
    expect(await monthsOf('hipaa')).toHaveLength(3)
    expect(await messageOf(app, `select audits.make_partition('hipaa', now())`)).toContain('permission denied')
    expect(await messageOf(app, 'select audits.make_partitions(1000)')).toContain('0 to 12 months')
  })

  it('L12: an append whose partition is missing makes it, and two at once make it once', async () => {
    const drop = `drop table audits.entries_default_${thisMonth}`
    await admin.query('begin')
    await admin.query(drop)
    // As when the first entry of a month comes before housekeeping.
    await admin.query(`insert into audits.heads (log) values ('fresh')`)
    await admin.query(one.replace('system', 'fresh'))
    expect(await verifyTail(admin, 'fresh')).toBe('1')
    await admin.query('rollback')

    const far = new Date(Date.UTC(2031, 4, 3)).toISOString()
    await app.query(`select audits.create_log('ahead-a', null), audits.create_log('ahead-b', null)`)
    await admin.query('alter table audits.heads disable trigger heads_only_grow')
    await admin.query(`update audits.heads set last_ts = $1 where log in ('ahead-a', 'ahead-b')`, [far])
    await admin.query('alter table audits.heads enable always trigger heads_only_grow')
    const other = await database.connect('portcullis_app')
    await Promise.all([app.query(one.replace('system', 'ahead-a')), other.query(one.replace('system', 'ahead-b'))])
    expect(await monthsOf('default')).toContain('entries_default_203105')
    for (const log of ['ahead-a', 'ahead-b']) {
      expect(await verifyLog(admin, log)).toMatchObject({ chain_valid: true, count: 1 })
    }
    const inspected = await database.connect('portcullis_app')
    expect(await inspectDatabase(inspected)).toEqual([])
  })

  it.each(['audits.entries', 'audits.entries_default', `audits.entries_default_${thisMonth}`])(
    'L6: %s refuses changes to the app role, the owner and a superuser, also as a replica',
    async (table) => {
      const owner = await database.connect('portcullis_owner')
      await app.query(one)
      for (const statement of [`update ${table} set code = 'x'`, `delete from ${table}`, `truncate ${table}`]) {
        expect(await messageOf(app, statement), statement).toContain('permission denied')
        expect(await messageOf(owner, statement), statement).toContain('the ledger is append-only')
        expect(await messageOf(admin, statement), statement).toContain('the ledger is append-only')
        expect(await messageOf(admin, 'set local session_replication_role = replica', statement)).toContain(
          'the ledger is append-only',
        )
      }
      await owner.end()
    },
  )

  it('L6: nobody reads a partition past the table, and (log, seq) is unique in a month', async () => {
    const month = `audits.entries_default_${thisMonth}`
    expect(await messageOf(app, `select from ${month}`)).toContain('permission denied')
    expect(await messageOf(admin, `insert into ${month} select * from ${month}`)).toContain('duplicate key')
  })

  it.each([
    [
      `alter table audits.entries_default_${thisMonth} disable trigger entries_refuse_statement`,
      'entries_refuse_statement',
    ],
    [`drop trigger entries_refuse_statement on audits.entries_default_${thisMonth}`, 'entries_refuse_statement'],
    [`alter table audits.entries_default_${thisMonth} enable trigger entries_refuse_row`, 'entries_refuse_row'],
    ['alter table only audits.entries_pci disable trigger entries_refuse_statement', 'entries_refuse_statement'],
  ])('L6: the start refuses to serve after `%s`', async (change, trigger) => {
    await admin.query('begin')
    await admin.query(change)
    await admin.query('set local role portcullis_app')
    const problems = await inspectDatabase(admin)
    await admin.query('rollback')
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain(`the append-only triggers ${trigger} of audits.entries_`)
  })

  it('L6: the start refuses a role that may write a partition', async () => {
    await admin.query('begin')
    await admin.query(`grant insert on audits.entries_default_${thisMonth} to portcullis_app`)
    await admin.query('set local role portcullis_app')
    const problems = await inspectDatabase(admin)
    await admin.query('rollback')
    expect(problems.join()).toContain('may write the ledger past the append function')
  })
})

async function verifyTail(client: Client, log: string): Promise<string | undefined> {
  const { rows } = await client.query<{ count: string }>('select count(*) from audits.entries where log = $1', [log])
  return rows[0]?.count
}

describe('queries over partitions', () => {
  beforeAll(async () => {
    await app.query(`select audits.create_log('long', null)`)
    const times = Array.from(
      { length: 240 },
      (_, index) => new Date(Date.UTC(2025, Math.floor(index / 20), 1 + (index % 20))),
    )
    await appendInThePast(admin, 'long', times)
    await admin.query('analyze audits.entries')
  })

  it.each([
    ['by seq, forward', `e.log = 'long' and e.seq >= 100 order by e.seq limit 50`],
    ['by seq, backward', `e.log = 'long' order by e.seq desc limit 50`],
    ['by caller', `e.log = 'long' and e.caller = 'agt_past' order by e.seq desc limit 50`],
    ['by code', `e.log = 'long' and e.code = 'auth.scope_missing' order by e.seq desc limit 50`],
    ['by request', `e.log = 'long' and e.request_id = 'req_long_7' order by e.seq desc limit 50`],
    ['by outcome', `e.log = 'long' and e.outcome = 'deny' order by e.seq desc limit 50`],
  ])('C4: entries %s are found along an index in every month', async (_, where) => {
    await app.query('begin')
    await app.query(`select set_config('portcullis.platform', 'on', true), set_config('enable_seqscan', 'off', true)`)
    const { rows } = await app.query<{ 'QUERY PLAN': string }>(
      `explain select e.log, e.seq, e.leaf, e.entry from audits.entries e where ${where}`,
    )
    await app.query('rollback')
    const lines = rows.map((row) => row['QUERY PLAN'])
    expect(lines.filter((line) => line.includes('Seq Scan on'))).toEqual([])
    expect(lines.filter((line) => /Index (?:Only )?Scan/.test(line)).length).toBeGreaterThan(0)
  })

  it('C4: a bound in time leaves only the months that it meets', async () => {
    await app.query('begin')
    await app.query(`select set_config('portcullis.platform', 'on', true)`)
    const { rows } = await app.query<{ 'QUERY PLAN': string }>(
      `explain select e.seq from audits.entries e where e.log = 'long' and e.ts >= '2025-03-02Z' and e.ts < '2025-04-30Z'`,
    )
    await app.query('rollback')
    const text = rows.map((row) => row['QUERY PLAN']).join('\n')
    expect(text).toMatch(/entries_default_202503/)
    expect(text).toMatch(/entries_default_202504/)
    expect(text).not.toMatch(/entries_default_2025(?:0[125-9]|1)/)
    expect(text).not.toContain('entries_hipaa')
  })
})
