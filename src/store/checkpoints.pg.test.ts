import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { canonicalJson } from '#core'
import { rootOf } from '#ledger'
import { append, itemsOf, LedgerDatabase } from '../ledger/ledger-database.fixture.ts'

let database: LedgerDatabase
let admin: Client
let app: Client
const log = 'tiled'

beforeAll(async () => {
  database = await LedgerDatabase.start()
  admin = await database.connect('postgres')
  app = await database.connect('portcullis_app')
  await app.query('select audits.create_log($1, null)', [log])
  for (let at = 0; at < 600; at += 300) await append(app, drafts(at, 300))
}, 120_000)

afterAll(() => database[Symbol.asyncDispose]())

function drafts(from: number, count: number) {
  return Array.from({ length: count }, (_, at) => ({ log, body: canonicalJson({ n: from + at }) }))
}

async function stateOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => 'done',
    (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
  )
}

describe('tiles and checkpoints in PostgreSQL', () => {
  it('L11: full tiles are copied from the entries, in order and a few at a time', async () => {
    const make = (most: number) => app.query('select audits.extend_tiles($1, $2) as made', [log, most])
    expect((await make(1)).rows).toEqual([{ made: 1 }])
    expect((await make(64)).rows).toEqual([{ made: 1 }])
    expect((await make(64)).rows).toEqual([{ made: 0 }])
    const leaves = (await itemsOf(admin, log)).map(({ leaf }) => leaf ?? Buffer.alloc(0))
    const { rows } = await admin.query(
      'select level, index, hashes, root from audits.tiles where log = $1 order by 2',
      [log],
    )
    expect(rows).toEqual(
      [0, 1].map((index) => {
        const part = leaves.slice(index * 256, index * 256 + 256)
        return { level: 0, index: String(index), hashes: Buffer.concat(part), root: rootOf(part) }
      }),
    )
  })

  it('L11: a tile whose entries are not all there is not made', async () => {
    await app.query(`select audits.create_log('holed', null)`)
    await append(
      app,
      drafts(0, 256).map((one) => ({ ...one, log: 'holed' })),
    )
    await admin.query('begin')
    await admin.query(`set local session_replication_role = replica`)
    await admin.query(`alter table audits.heads disable trigger all`)
    await admin.query(`update audits.heads set size = 512, frontier = '\\x${'ab'.repeat(32)}' where log = 'holed'`)
    await admin.query(`alter table audits.heads enable always trigger heads_only_grow`)
    await admin.query('commit')
    expect(await stateOf(app.query(`select audits.extend_tiles('holed', 64)`))).toBe('LG020')
  })

  it('L8: checkpoints only grow, and only over tiles that are there', async () => {
    const add = (size: number) =>
      app.query('select audits.add_checkpoint($1, $2, $3, $4) as added', [log, size, Buffer.alloc(32), 'note'])
    expect(await stateOf(add(601))).toBe('LG021')
    expect((await add(600)).rows).toEqual([{ added: true }])
    expect((await add(600)).rows).toEqual([{ added: false }])
    expect((await add(599)).rows).toEqual([{ added: false }])
    await append(app, drafts(600, 300))
    expect(await stateOf(add(900))).toBe('LG021')
  })

  it('L8: an anchor moves forward only, and only to a checkpoint that is there', async () => {
    const sizes = async () =>
      (await admin.query('select sink, size from audits.anchors where log = $1', [log])).rows as unknown[]
    await app.query('select audits.note_anchor($1, $2, $3)', [log, 'worm', 500])
    expect(await sizes()).toEqual([])
    await app.query('select audits.note_anchor($1, $2, $3)', [log, 'worm', 600])
    expect(await sizes()).toEqual([{ sink: 'worm', size: '600' }])
    expect(await stateOf(admin.query('update audits.anchors set size = 1'))).toBe('42501')
  })

  it.each([
    'update audits.tiles set hashes = hashes',
    'delete from audits.tiles',
    'truncate audits.tiles cascade',
    'update audits.checkpoints set note = note',
    'delete from audits.checkpoints',
    'truncate audits.checkpoints',
    'delete from audits.anchors',
    'truncate audits.anchors',
  ])('L6: even a superuser is refused: %s', async (statement) => {
    expect(await stateOf(admin.query(statement))).toBe('42501')
    await admin.query(`set session_replication_role = replica`)
    expect(await stateOf(admin.query(statement))).toBe('42501')
    await admin.query(`reset session_replication_role`)
  })

  it.each([
    `insert into audits.tiles values ('tiled', null, 0, 2, '', '')`,
    `insert into audits.checkpoints values ('tiled', null, 700, '', '')`,
    `insert into audits.anchors values ('tiled', null, 's', 700)`,
    `insert into audits.checkpoint_stops values ('tiled', null, 'r')`,
    `delete from audits.checkpoint_stops`,
  ])('L6: the app role writes them through the functions alone: %s', async (statement) => {
    expect(await stateOf(app.query(statement))).toBe('42501')
  })

  it('G11: a caller sees tiles and checkpoints of its own tenant, and those of the platform only as an operator', async () => {
    const seen = async (platform: string) => {
      await app.query('begin')
      await app.query(`select set_config('portcullis.platform', $1, true)`, [platform])
      const { rows } = await app.query(`select (select count(*) from audits.tiles)::int as tiles,
        (select count(*) from audits.checkpoints)::int as checkpoints, (select count(*) from audits.anchors)::int as anchors`)
      await app.query('rollback')
      return rows[0] as unknown
    }
    expect(await seen('off')).toEqual({ tiles: 0, checkpoints: 0, anchors: 0 })
    expect(await seen('on')).toMatchObject({ checkpoints: 1, anchors: 1 })
  })

  it('L8: a stop is told once, and so is its end', async () => {
    const ask = async (text: string) =>
      (await app.query<{ changed: boolean }>(`select ${text} as changed`)).rows[0]?.changed
    expect(await ask(`audits.stop_checkpoints('tiled', 'one')`)).toBe(true)
    expect(await ask(`audits.stop_checkpoints('tiled', 'two')`)).toBe(false)
    const { rows } = await app.query(`select stopped from audits.checkpoint_state('tiled')`)
    expect(rows).toEqual([{ stopped: 'two' }])
    expect(await ask(`audits.resume_checkpoints('tiled')`)).toBe(true)
    expect(await ask(`audits.resume_checkpoints('tiled')`)).toBe(false)
  })

  it('L11: a tile of level 1 is made of the roots of those below, and the tree over it is the tree of the head', async () => {
    await app.query(`select audits.create_log('deep', null)`)
    await admin.query('begin')
    // 65,536 entries would take a minute: the leaves are all that tiles are made of.
    await admin.query('set local session_replication_role = replica')
    await admin.query(`insert into audits.tiles (log, tenant_id, level, index, hashes, root)
      select 'deep', null, 0, i, h.hashes, audits.perfect_root(h.hashes) from generate_series(0, 255) i,
        lateral (select string_agg(sha256(convert_to(i || ' ' || j, 'UTF8')), '' order by j) as hashes from generate_series(0, 255) j) h`)
    await admin.query('alter table audits.heads disable trigger heads_only_grow')
    await admin.query(`update audits.heads set size = 65536, frontier = '\\x${'ab'.repeat(32)}' where log = 'deep'`)
    await admin.query('alter table audits.heads enable always trigger heads_only_grow')
    await admin.query('commit')
    expect((await app.query(`select audits.extend_tiles('deep', 64) as made`)).rows).toEqual([{ made: 1 }])
    const { rows } = await admin.query<{ level: number; root: Buffer; hashes: Buffer }>(
      `select level, root, hashes from audits.tiles where log = 'deep' order by level desc, index`,
    )
    expect(rows[0]).toMatchObject({ level: 1, hashes: Buffer.concat(rows.slice(1).map(({ root }) => root)) })
  })
})
