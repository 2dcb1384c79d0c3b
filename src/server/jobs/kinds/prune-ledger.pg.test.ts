import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '#config'
import { Secret } from '#core'
import { Frontier } from '#ledger'
import { TestDatabase } from '../../../../test/harness/postgres.ts'
import { appendInThePast } from '../../../ledger/past.fixture.ts'
import { pruneLedger } from './prune-ledger.ts'
import type { JobTools } from './tools.ts'

let database: TestDatabase
let admin: Client
let app: Client
let folder: string

beforeAll(async () => {
  database = await TestDatabase.start()
  admin = await database.connect('postgres')
  app = await database.connect('portcullis_app')
  folder = await mkdtemp(join(tmpdir(), 'portcullis-archive-'))
  const { id } = await database.makeTenant('acme')
  const past = [0, 1, 2].map((second) => new Date(Date.parse('2025-01-10T08:00:00Z') + second * 1000))
  await appendInThePast(admin, 'acme', past)
  await app.query(`select * from audits.append('acme', $1, '', '', '', 'allow', '', '', '{"kind":"decision"}')`, [id])
})
afterAll(async () => {
  await database.stop()
  await rm(folder, { recursive: true, force: true })
})

function tools(of: { readonly archiveDir?: string; readonly role?: Parameters<TestDatabase['url']>[0] }): JobTools {
  const loaded = loadConfig({ env: {}, mode: 'up' })
  if (!loaded.ok) throw new Error('the defaults are no settings')
  const { audit, database: given, ...rest } = loaded.config
  const url = of.role === undefined ? undefined : new Secret(database.url(of.role, 'portcullis'))
  const config = {
    ...rest,
    audit: { ...audit, retention: { framework: 'custom', days: 30, archiveDir: of.archiveDir } },
    database: { ...given, maintenance: { url } },
  }
  return { config } as unknown as JobTools
}

const run = (of: Parameters<typeof tools>[0], signal = new AbortController().signal) =>
  pruneLedger(tools(of), 'job_1', signal)
const entries = async () => (await admin.query(`select from audits.entries where log = 'acme'`)).rowCount

/** What the checkpointer of a running server does, until it is told to stop. */
async function signing(until: Promise<unknown>): Promise<void> {
  const state = { over: false }
  void until.catch(() => undefined).finally(() => (state.over = true))
  while (!state.over) {
    const heads = await admin.query<{ log: string; size: string; frontier: Buffer }>(
      'select log, size, frontier from audits.heads where size > 0',
    )
    for (const { log, size, frontier } of heads.rows) {
      await app.query('select audits.extend_tiles($1, 1000)', [log])
      const root = Frontier.fromBytes(Number(size), frontier).root()
      await app.query(`select audits.add_checkpoint($1, $2, $3, 'note')`, [log, size, root])
    }
  }
}

describe('the ledger in the job retention', () => {
  it('L12: without a folder for archives nothing goes, and the result says what is to be done', async () => {
    expect(await run({ role: 'portcullis_maintenance' })).toMatchObject({
      policies: expect.arrayContaining([{ class: 'default', keepDays: 30, hotDays: 30 }]),
      todo: expect.stringContaining('portcullis ledger prune --archive DIR'),
    })
    expect(await entries()).toBe(4)
  })

  it('L12: a folder without the maintenance role fails the job, and so does another role', async () => {
    await expect(run({ archiveDir: folder })).rejects.toThrow('set database.maintenance.urlFile')
    await expect(run({ archiveDir: folder, role: 'portcullis_app' })).rejects.toThrow(
      'portcullis_app is not the maintenance role',
    )
    expect([await entries(), await readdir(folder)]).toEqual([4, []])
  })

  it('L12: one that is told to stop has dropped nothing', async () => {
    await expect(
      run({ archiveDir: folder, role: 'portcullis_maintenance' }, AbortSignal.abort(new Error('stopped'))),
    ).rejects.toThrow('stopped')
    expect([await entries(), await readdir(folder)]).toEqual([4, []])
  })

  it('L12: with both the job archives, records and drops what is expired, and nothing the second time', async () => {
    const done = run({ archiveDir: folder, role: 'portcullis_maintenance' })
    await signing(done)
    expect(await done).toMatchObject({
      pruned: [
        {
          class: 'default',
          months: ['entries_default_202501'],
          logs: [{ log: 'acme', from: 0, below: 3 }],
          keepArchiveUntil: '2025-03-03',
        },
      ],
    })
    expect(await readdir(folder)).toEqual(['default-before-2025-02'])
    const { rows } = await admin.query(
      `select pruned_by, below::int from audits.prunes where log = 'acme' order by below`,
    )
    expect(rows).toEqual([{ pruned_by: 'job_1', below: 3 }])
    expect(await run({ archiveDir: folder, role: 'portcullis_maintenance' })).toMatchObject({ pruned: [] })
  })
})
