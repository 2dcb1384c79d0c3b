import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { encodeBody } from '#ledger'
import { TestDatabase, type TestTenant } from '../../test/harness/postgres.ts'
import { SinkCursors } from './sink-cursors.ts'

let database: TestDatabase
let app: Client
let admin: Client
let tenants: readonly TestTenant[]
beforeAll(async () => {
  database = await TestDatabase.start()
  app = await database.connect('portcullis_app')
  admin = await database.connect('postgres')
  tenants = [await database.makeTenant('acme'), await database.makeTenant('globex')]
})
afterAll(() => database.stop())

function cursors(): SinkCursors {
  const made = new SinkCursors(database.settings())
  onTestFinished(() => made.close())
  return made
}

/** Appends entries of about that size to the log of a tenant. */
async function append(tenant: TestTenant | undefined, count: number, bytes = 100): Promise<void> {
  const body = encodeBody({
    access: 'system',
    args: { filler: 'x'.repeat(bytes) },
    at: '2026-11-21T00:00:00.000Z',
    bypass: false,
    elapsedUs: 0,
    id: 'ent_1',
    kind: 'decision',
    method: '(none)',
    outcome: 'allow',
  })
  const same = (value: string): string => Array.from({ length: count }, () => value).join('\n')
  const values = [tenant?.name ?? 'system', tenant?.id ?? '', '', '', 'decision', 'allow', '', '', body]
  await app.query('select audits.append($1, $2, $3, $4, $5, $6, $7, $8, $9)', values.map(same))
}

async function behind(of: SinkCursors, sink: string, log: string) {
  return (await of.behind([sink])).find((one) => one.log === log)
}

describe('the cursors of sinks', () => {
  it('L9: a new sink begins with the first entry of every log, whoever the logs belong to', async () => {
    await append(tenants[0], 3)
    await append(tenants[1], 2)
    const found = await cursors().behind(['fresh'])
    expect(found.map(({ log, isNew, begun, cursor, size }) => [log, isNew, begun, cursor, size])).toEqual(
      expect.arrayContaining([
        ['acme', true, 0, 0, 3],
        ['globex', true, 0, 0, 2],
        ['system', true, 0, 0, expect.any(Number)],
      ]),
    )
    for (const { waitingSeconds } of found) expect(waitingSeconds).toBeGreaterThanOrEqual(0)
  })

  it('L9: entries come in order and in full, at most 256 and about 1 MiB, and one that is larger comes alone', async () => {
    const [tenant] = tenants
    const ours = cursors()
    await append(tenant, 300)
    const first = await ours.entries('acme', 0)
    expect(first.map(({ seq }) => seq)).toEqual(Array.from({ length: 256 }, (_, at) => at))
    const { rows } = await admin.query(`select leaf, entry from audits.entries where log = 'acme' and seq = 7`)
    expect(first[7]).toEqual({ seq: 7, ...rows[0] })
    const size = (await behind(ours, 'fresh', 'acme'))?.size ?? 0
    await append(tenant, 40, 40_000)
    const large = await ours.entries('acme', size)
    const bytes = large.reduce((sum, { entry }) => sum + entry.length, 0)
    expect(bytes).toBeLessThanOrEqual(1024 * 1024)
    expect(large.length).toBeGreaterThan(20)
    expect(await ours.entries('acme', size + 40)).toEqual([])
  })

  it('L9: a cursor moves forward only, and not beyond the end of its log', async () => {
    const ours = cursors()
    const { size } = (await behind(ours, 'mover', 'globex')) ?? { size: 0 }
    await ours.begin('mover', [{ log: 'globex', begun: 0 }])
    await ours.advance('mover', 'globex', 1)
    await ours.begin('mover', [{ log: 'globex', begun: 2 }])
    expect(await behind(ours, 'mover', 'globex')).toMatchObject({ isNew: false, begun: 0, cursor: 1, size })
    await ours.advance('mover', 'globex', size + 1)
    await ours.advance('mover', 'globex', 0)
    expect(await behind(ours, 'mover', 'globex')).toMatchObject({ cursor: 1 })
    await ours.advance('mover', 'globex', size)
    expect(await behind(ours, 'mover', 'globex')).toBeUndefined()
    await expect(admin.query(`update audits.sink_cursors set next_seq = 0 where sink = 'mover'`)).rejects.toThrow(
      'moves forward only',
    )
  })

  it('L9: the app role reaches cursors and entries through the functions alone', async () => {
    await expect(app.query('select * from audits.sink_cursors')).rejects.toThrow('permission denied')
    await expect(app.query(`insert into audits.sink_cursors values ('a', 'b', 1)`)).rejects.toThrow('permission denied')
    expect((await app.query('select * from audits.entries')).rowCount).toBe(0)
    const reader = await database.connect('portcullis_reader')
    await expect(reader.query(`select * from audits.entries_to_send('acme', 0, 1, 1)`)).rejects.toThrow(
      'permission denied',
    )
  })

  it('L9: one process has a sink; another takes it over when that one is gone', async () => {
    const [one, other] = [new SinkCursors(database.settings()), cursors()]
    expect(await one.take(['a', 'b'])).toEqual(new Set(['a', 'b']))
    expect(await other.take(['a', 'c'])).toEqual(new Set(['c']))
    expect([one.has('a'), other.has('a'), other.has('c')]).toEqual([true, false, true])
    await one.close()
    await expect.poll(async () => [...(await other.take(['a', 'b', 'c']))]).toEqual(['a', 'b', 'c'])
  })

  it('L9: a process whose session was ended does not believe that the sink is its own', async () => {
    const [one, other] = [cursors(), cursors()]
    await one.take(['lost'])
    await admin.query(`select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and pid in
      (select pid from pg_stat_activity where application_name = 'portcullis sinks')`)
    await expect.poll(() => one.has('lost')).toBe(false)
    expect(await other.take(['lost']).catch(() => other.take(['lost']))).toEqual(new Set(['lost']))
    expect(await one.take(['lost'])).toEqual(new Set())
  })

  it('L9: a process that stands still loses its sinks', async () => {
    const frozen = new SinkCursors(database.settings(), 200)
    onTestFinished(() => frozen.close())
    const other = cursors()
    expect(await frozen.take(['still'])).toEqual(new Set(['still']))
    await expect.poll(async () => [...(await other.take(['still']))], { timeout: 20_000 }).toEqual(['still'])
    expect(frozen.has('still')).toBe(false)
  })

  it('L9: a sink is owed what was kept when it was new, and what it was owed stays so', async () => {
    const ours = cursors()
    await ours.begin('early', [{ log: 'globex', begun: 0 }])
    await admin.query('begin')
    await admin.query(`set local session_replication_role = replica`)
    await admin.query(`alter table audits.entries disable trigger user`)
    const deleted = await admin.query(`delete from audits.entries where log = 'globex' and seq = 0`)
    expect(deleted.rowCount).toBe(1)
    await admin.query('commit')
    expect(await behind(ours, 'late', 'globex')).toMatchObject({ isNew: true, begun: 1, cursor: 1 })
    expect(await behind(ours, 'early', 'globex')).toMatchObject({ isNew: false, begun: 0, cursor: 0 })
    expect((await ours.entries('globex', 0)).map(({ seq }) => seq)).toEqual([1])
  })
})
