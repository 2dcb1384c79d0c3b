import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { append, LedgerDatabase, verifyLog } from './ledger-database.fixture.ts'

const acme = '0199aaaa-aaaa-7aaa-8aaa-aaaaaaaaaaaa'
const other = '0199bbbb-bbbb-7bbb-8bbb-bbbbbbbbbbbb'
let database: LedgerDatabase
let admin: Client
let owner: Client
let app: Client
let reader: Client

beforeAll(async () => {
  database = await LedgerDatabase.start()
  admin = await database.connect('postgres')
  owner = await database.connect('portcullis_owner')
  app = await database.connect('portcullis_app')
  reader = await database.connect('portcullis_reader')
  await admin.query(`insert into portcullis.tenants (id, name) values ($1, 'acme'), ($2, 'other')`, [acme, other])
  await app.query(
    `select audits.create_log('acme', $1), audits.create_log('other', $2), audits.create_log('system', null)`,
    [acme, other],
  )
  await append(app, [
    { log: 'acme', tenantId: acme, body: '{"n":1}' },
    { log: 'other', tenantId: other, body: '{"n":2}' },
    { log: 'system', body: '{"n":3}' },
  ])
})

afterAll(() => database[Symbol.asyncDispose]())

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

async function logsSeen(client: Client, tenant: string, platform: string): Promise<readonly [string[], string[]]> {
  await client.query('begin')
  await client.query(`select set_config('portcullis.tenant', $1, true), set_config('portcullis.platform', $2, true)`, [
    tenant,
    platform,
  ])
  const entries = await client.query<{ log: string }>('select log from audits.entries order by log')
  const heads = await client.query<{ log: string }>('select log from audits.heads order by log')
  await client.query('commit')
  return [entries.rows.map(({ log }) => log), heads.rows.map(({ log }) => log)]
}

const insert = `insert into audits.entries (log, seq, ts, outcome, leaf, entry, retention_class) values ('acme', 9, now(), 'allow', sha256(''), '', 'default')`
const month = `entries_default_${new Date().toISOString().slice(0, 7).replace('-', '')}`
const changes = [
  `update audits.entries set caller = 'x'`,
  `update audits.entries set caller = 'x' where false`,
  'delete from audits.entries',
  'truncate audits.entries',
  'delete from audits.heads',
  'truncate audits.heads',
  'update audits.heads set last_ts = now()',
  `update audits.heads set size = 0, frontier = ''`,
]

describe('the ledger in SQL', () => {
  it.each([
    insert,
    ...changes,
    `insert into audits.heads (log) values ('mine')`,
    'select * from audits.heads for update',
  ])('L6: denies the app role and the reader: %s', async (statement) => {
    expect(await messageOf(app, statement)).toContain('permission denied')
    expect(await messageOf(reader, statement)).toContain('permission denied')
  })

  it('L6: denies the app role other roles, changes of the schema, and what belongs to the owner', async () => {
    expect(await messageOf(app, 'set role portcullis_owner')).toContain('permission denied')
    expect(await messageOf(app, 'set session_replication_role = replica')).toContain('permission denied')
    expect(await messageOf(app, 'alter table audits.entries disable trigger all')).toContain('must be owner')
    expect(await messageOf(app, 'drop table audits.entries')).toContain('must be owner')
    expect(await messageOf(app, 'create table audits.mine (a int)')).toContain('permission denied')
    expect(await messageOf(app, `select audits.split_lines('a')`)).toContain('permission denied')
  })

  it('L6: denies the reader to append and to make logs', async () => {
    expect(await messageOf(reader, `select audits.append('acme','','','','','allow','','','{}')`)).toContain(
      'permission denied',
    )
    expect(await messageOf(reader, `select audits.create_log('x', null)`)).toContain('permission denied')
  })

  it.each(changes)('L6: refuses the owner and a superuser, also as a replica: %s', async (statement) => {
    const refused = 'the ledger is append-only'
    const cascade = statement.startsWith('truncate') ? `${statement} cascade` : statement
    expect(await messageOf(owner, cascade)).toContain(refused)
    expect(await messageOf(admin, cascade)).toContain(refused)
    expect(await messageOf(admin, 'set local session_replication_role = replica', cascade)).toContain(refused)
  })

  it('L6: refuses a superuser the ways around: upsert, merge and data-modifying subqueries', async () => {
    const upsert = `insert into audits.${month} select * from audits.entries on conflict (log, seq) do update set caller = 'x'`
    const merge = 'merge into audits.entries e using (select 1) s on true when matched then delete'
    const hidden = 'with gone as (delete from audits.entries returning 1) select count(*) from gone'
    for (const statement of [upsert, merge, hidden]) {
      expect(await messageOf(admin, statement)).toContain('the ledger is append-only')
    }
    for (const log of ['acme', 'other', 'system']) {
      expect(await verifyLog(admin, log)).toMatchObject({ chain_valid: true, count: 1 })
    }
  })

  it('L6: shows a tenant its own entries, and those of the platform to the platform only', async () => {
    for (const client of [app, reader]) {
      expect(await logsSeen(client, acme, 'off')).toEqual([['acme'], ['acme']])
      expect(await logsSeen(client, other, '')).toEqual([['other'], ['other']])
      expect(await logsSeen(client, '', '')).toEqual([[], []])
      expect(await logsSeen(client, '', 'on')).toEqual([['system'], ['system']])
      expect(await logsSeen(client, acme, 'on')).toEqual([
        ['acme', 'system'],
        ['acme', 'system'],
      ])
    }
  })

  it('L6: refuses an entry of one tenant in the log of another', async () => {
    await expect(append(app, [{ log: 'acme', tenantId: other, body: '{}' }])).rejects.toThrow(
      'another tenant than its log',
    )
    await expect(append(app, [{ log: 'acme', body: '{}' }])).rejects.toThrow('another tenant than its log')
  })

  it('L6: forces row-level security and keeps every trigger on ENABLE ALWAYS', async () => {
    const { rows } = await admin.query(`
      select c.relname as name, c.relforcerowsecurity as forced, bool_and(t.tgenabled = 'A') as always
        from pg_class c join pg_trigger t on t.tgrelid = c.oid and not t.tgisinternal
       where c.relnamespace = 'audits'::regnamespace and c.relname in ('entries', 'heads') group by 1, 2 order by 1`)
    expect(rows).toEqual([
      { name: 'entries', forced: true, always: true },
      { name: 'heads', forced: true, always: true },
    ])
  })
})
