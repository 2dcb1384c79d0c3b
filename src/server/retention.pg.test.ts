import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Frontier, recordHash, TiledTree, verifyExport, verifyInclusion } from '#ledger'
import { Reader, RetentionStore } from '#store'
import { TestDatabase, type TestTenant } from '../../test/harness/postgres.ts'
import { appendInThePast } from '../ledger/past.fixture.ts'
import { prune, type PruneOptions } from './retention.ts'
import { retentionBody } from './retention-entries.ts'

const retention = { framework: 'custom', days: 30, hotDays: undefined } as const
const nowMs = Date.now()
let database: TestDatabase
let admin: Client
let app: Client
let store: RetentionStore
let reader: Reader
let folder: string
let acme: TestTenant

beforeAll(async () => {
  database = await TestDatabase.start()
  admin = await database.connect('postgres')
  app = await database.connect('portcullis_app')
  const connectionString = database.url('portcullis_maintenance', 'portcullis')
  store = new RetentionStore({ ...database.settings(), client: { connectionString } })
  reader = new Reader(database.settings(), 1)
  folder = await mkdtemp(join(tmpdir(), 'portcullis-archive-'))
  acme = await database.makeTenant('acme')
  await database.makeTenant('quiet')
  await appendInThePast(admin, 'acme', months(300, '2025-01-10'))
  await appendInThePast(admin, 'acme', months(270, '2025-02-10'))
  await appendInThePast(admin, 'quiet', months(3, '2025-02-11'))
  for (let count = 0; count < 12; count += 1) await append('acme', acme.id)
})
afterAll(async () => {
  await store.close()
  await reader.close()
  await database.stop()
  await rm(folder, { recursive: true, force: true })
})

function months(count: number, day: string): readonly Date[] {
  return Array.from({ length: count }, (_, index) => new Date(Date.parse(`${day}T08:00:00Z`) + index * 1000))
}

async function append(log: string, tenantId: string, client = app): Promise<void> {
  await client.query(
    `select * from audits.append($1, $2, 'agt_1', '', '/a/B', 'allow', '', 'req_1', '{"kind":"decision"}')`,
    [log, tenantId],
  )
}

/** What the checkpointer of a running server does, with a note that nobody reads here. */
async function checkpointAll(sink?: string): Promise<void> {
  const { rows } = await admin.query<{ log: string; size: string; frontier: Buffer }>(
    'select log, size, frontier from audits.heads where size > 0',
  )
  for (const { log, size, frontier } of rows) {
    const root = Frontier.fromBytes(Number(size), frontier).root()
    await app.query('select audits.extend_tiles($1, 1000)', [log])
    await app.query(`select audits.add_checkpoint($1, $2, $3, 'note')`, [log, size, root])
    if (sink !== undefined) await app.query('select audits.note_anchor($1, $2, $3)', [log, sink, size])
  }
}

function options(more: Partial<PruneOptions> = {}): PruneOptions {
  return { store, retention, archive: folder, by: 'ada', waitMs: 30_000, nowMs, say: () => undefined, ...more }
}

/** Signs as soon as the prune waits for it. */
function signing(sink?: string): Pick<PruneOptions, 'say'> {
  return { say: (line) => void (line.startsWith('waiting') && checkpointAll(sink).catch(() => undefined)) }
}

const scope = () => ({ tenantId: acme.id, platform: false })
const monthsLeft = async () =>
  (await store.months()).filter(({ retentionClass }) => retentionClass === 'default').map(({ name }) => name)

async function place(hold: { tenant?: string; log?: string }): Promise<string> {
  const { tenant = null, log = null } = hold
  const body = retentionBody('retention.held', { log, tenant }, nowMs)
  expect(await store.placeHold({ tenant, log, reason: 'case 4711', until: null, by: 'ada', body })).toBeUndefined()
  return (await store.holds()).at(-1)?.id ?? ''
}

describe('ledger prune', () => {
  it('L12: a dry run says what would go and why the rest stays, and does nothing', async () => {
    const before = await monthsLeft()
    const [plan] = await prune(options({ archive: undefined }))
    expect(plan).toMatchObject({
      retentionClass: 'default',
      keepArchiveUntil: '2025-03-31',
      logs: [
        { log: 'acme', from: 0, below: 570 },
        { log: 'quiet', from: 0, below: 3 },
      ],
    })
    expect(plan?.months.map(({ stays }) => stays).slice(0, 3)).toEqual([undefined, undefined, 'not_expired'])
    expect(await monthsLeft()).toEqual(before)
    expect(await readdir(folder)).toEqual([])
  })

  it('L12: without a policy nothing goes, whatever its age', async () => {
    const [plan] = await prune(options({ retention: { framework: 'none', days: undefined, hotDays: undefined } }))
    expect(plan?.months.every(({ stays }) => stays === 'kept_for_good')).toBe(true)
    expect(await monthsLeft()).toContain('entries_default_202501')
  })

  it('L12: the database refuses a policy below the framework, months that are not over, and a role that is not maintenance', async () => {
    const target = {
      retentionClass: 'default',
      beforeMs: Date.UTC(2025, 2),
      framework: 'hipaa',
      keepDays: 365,
      hotDays: 365,
    }
    expect(await store.finish(target)).toMatchObject({ code: 'LG031', todo: expect.stringContaining('2192 days') })
    const young = { ...target, framework: 'custom', keepDays: 30, hotDays: 30, beforeMs: Date.UTC(2099, 1) }
    expect(await store.finish(young)).toMatchObject({ code: 'LG032' })
    const unrecorded = { ...young, beforeMs: Date.UTC(2025, 2) }
    expect(await store.finish(unrecorded)).toMatchObject({ code: 'LG034' })
    await expect(app.query(`select audits.finish_prune('default', now(), 'custom', 1, 1, '{}')`)).rejects.toThrow(
      'permission denied',
    )
    expect(await monthsLeft()).toContain('entries_default_202501')
  })

  it('L12: a hold on a tenant or a log keeps its months and all that follow, until it is released; both are entries', async () => {
    for (const hold of [{ tenant: 'acme' }, { log: 'acme' }]) {
      const id = await place(hold)
      const [plan] = await prune(options())
      expect(plan?.beforeMs).toBeUndefined()
      expect(plan?.months.map(({ stays }) => stays).slice(0, 2)).toEqual(['held', 'after_held'])
      expect(plan?.months[0]?.why).toContain('case 4711')
      const body = retentionBody('retention.released', { id }, nowMs)
      expect(await store.releaseHold(id, 'ada', body)).toBe(true)
      expect(await store.releaseHold(id, 'ada', body)).toBe(false)
    }
    const { rows } = await admin.query(
      `select action from audits.entries where log = 'system' and action like 'retention.%' order by seq`,
    )
    expect(rows.map(({ action }) => action)).toEqual([
      'retention.held',
      'retention.released',
      'retention.held',
      'retention.released',
    ])
  })

  it('L12: a hold on a log that is quiet keeps the months that it shares, and not those before', async () => {
    const id = await place({ log: 'quiet' })
    const [plan] = await prune(options({ archive: undefined }))
    expect(plan?.months.map(({ stays }) => stays).slice(0, 2)).toEqual([undefined, 'held'])
    expect(plan?.logs).toEqual([{ log: 'acme', from: 0, below: 300, archive: undefined }])
    await store.releaseHold(id, 'ada', retentionBody('retention.released', { id }, nowMs))
  })

  it('L12: nothing is dropped before a published checkpoint covers the prune entry; the same command goes on', async () => {
    await expect(prune(options({ waitMs: 1 }))).rejects.toMatchObject({
      message: 'the prune is recorded, and nothing was dropped yet',
      problems: [
        expect.stringContaining('no published checkpoint'),
        expect.stringContaining('run the same command again'),
      ],
    })
    expect(await monthsLeft()).toContain('entries_default_202501')
    // A hold that comes now still keeps everything.
    const id = await place({ log: 'quiet' })
    await checkpointAll()
    const target = {
      retentionClass: 'default',
      beforeMs: Date.UTC(2025, 2),
      framework: 'custom',
      keepDays: 30,
      hotDays: 30,
    }
    expect(await store.finish(target)).toMatchObject({ code: 'LG033' })
    await store.releaseHold(id, 'ada', retentionBody('retention.released', { id }, nowMs))
  })

  it('L12: a prune drops expired months; what stays verifies as truncated by policy, the archive verifies offline', async () => {
    const sizeBefore = (await reader.head(scope(), 'acme'))?.size
    const [pruned] = await prune(options(signing()))
    // Recorded once, by the run before.
    expect((await reader.head(scope(), 'acme'))?.size).toBe(sizeBefore)
    expect(await monthsLeft()).not.toContain('entries_default_202501')
    expect(await monthsLeft()).not.toContain('entries_default_202502')
    expect(await reader.verify(scope(), 'acme')).toMatchObject({
      chainValid: true,
      from: 570,
      problem: expect.stringMatching(/^truncated by policy at 570: see entry \d+$/),
    })
    for (const { archive, below } of pruned?.logs ?? []) {
      expect(await verifyExport(archive ?? '')).toMatchObject({ chain_valid: true, from: 0, to: below - 1 })
    }
    const { rows } = await admin.query<{ entry: Buffer }>(
      `select entry from audits.entries where log = 'acme' and action = 'ledger.prune'`,
    )
    const { args } = JSON.parse(String(rows[0]?.entry)).body
    expect(args).toMatchObject({
      below: 570,
      by: 'ada',
      log: 'acme',
      policy: { framework: 'custom', keepDays: 30, hotDays: 30, withoutSinks: [] },
    })
  })

  it('L12: proofs of archived and of kept entries hold after the prune, against the root of the head', async () => {
    await checkpointAll()
    const head = await reader.head(scope(), 'acme')
    const size = head?.size ?? 0
    const tree = new TiledTree(size, (level, index, width) => reader.tlog.hashes(scope(), 'acme', level, index, width))
    const root = Buffer.from(head?.root ?? '', 'hex')
    expect((await tree.root()).equals(root)).toBe(true)
    const archived = await archivedEntries('acme')
    const kept = await reader.entriesFrom(scope(), 'acme', 570, 100)
    const leaves = [...archived, ...kept.map(({ entry }) => entry)].map((entry) => recordHash(entry))
    expect(leaves).toHaveLength(size)
    for (const leafIndex of [0, 255, 256, 511, 512, 569, 570, size - 1]) {
      const proof = await tree.inclusion(leafIndex)
      const leafHash = leaves[leafIndex] ?? Buffer.alloc(0)
      expect(verifyInclusion({ leafIndex, treeSize: size, leafHash, proof, root }), String(leafIndex)).toBe(true)
    }
  })

  it('L12: what the policy did not take is tampering, as before: a month that somebody drops, and a first entry that is another', async () => {
    await admin.query('begin')
    await admin.query(`alter table audits.prunes disable trigger all`)
    await admin.query(`update audits.prunes set last_hash = sha256('x') where log = 'acme'`)
    await admin.query(`alter table audits.prunes enable always trigger prunes_only_end`)
    await admin.query('commit')
    expect(await reader.verify(scope(), 'acme')).toMatchObject({ chainValid: false, firstBadSeq: 570 })
    await admin.query('begin')
    await admin.query(`alter table audits.prunes disable trigger all`)
    await admin.query(`update audits.prunes p set last_hash = decode(e.body #>> '{args,lastHash}', 'hex')
      from (select convert_from(entry, 'UTF8')::json -> 'body' as body from audits.entries where log = 'acme' and action = 'ledger.prune') e
      where p.log = 'acme'`)
    for (const trigger of ['prunes_only_end', 'prunes_refuse_row', 'prunes_refuse_statement']) {
      await admin.query(`alter table audits.prunes enable always trigger ${trigger}`)
    }
    await admin.query('commit')
    expect(await reader.verify(scope(), 'acme')).toMatchObject({ chainValid: true })
  })

  it('L12: the clock of the database decides what is over, not that of who prunes', async () => {
    const today = new Date(nowMs)
    const ahead = Date.UTC(today.getUTCFullYear(), today.getUTCMonth() + 3)
    await expect(prune(options({ nowMs: ahead, ...signing() }))).rejects.toMatchObject({
      problems: ['Wait until the last of them is.'],
    })
  })
})

async function archivedEntries(log: string): Promise<readonly Buffer[]> {
  const [parent = ''] = await readdir(folder)
  const bundle = join(folder, parent, log)
  const files = (await readdir(bundle)).filter((name) => name.endsWith('.ndjson')).toSorted()
  const texts = await Promise.all(files.map((name) => readFile(join(bundle, name), 'utf8')))
  return texts
    .join('')
    .split('\n')
    .filter(Boolean)
    .map((line) => Buffer.from(line))
}

describe('retention classes', () => {
  it('L4: a tenant in a class of its own writes to the log of that class, and every writer follows; its old log stays', async () => {
    const clinic = await database.makeTenant('clinic')
    await append('clinic', clinic.id)
    const body = retentionBody('retention.class_set', { tenant: 'clinic' }, nowMs)
    expect(await store.setClass('clinic', 'hipaa', 'ada', body)).toBeUndefined()
    await append('clinic', clinic.id)
    await append('clinic', clinic.id)
    const logs = await store.logs()
    expect(logs).toContainEqual({
      log: 'clinic',
      retentionClass: 'default',
      size: 1,
      minIndex: 0,
      goesOnIn: 'clinic/hipaa',
    })
    expect(logs).toContainEqual({
      log: 'clinic/hipaa',
      retentionClass: 'hipaa',
      size: 2,
      minIndex: 0,
      goesOnIn: undefined,
    })
    const own = { tenantId: clinic.id, platform: false }
    expect(await reader.verify(own, 'clinic/hipaa')).toMatchObject({ chainValid: true, to: 1 })
    expect(await store.setClass('clinic', 'default', 'ada', body)).toBeUndefined()
    await append('clinic', clinic.id)
    expect(await reader.verify(own, 'clinic')).toMatchObject({ chainValid: true, to: 1 })
    expect(await store.setClass('nobody', 'hipaa', 'ada', body)).toMatchObject({ code: 'LG030' })
  })

  it('L12: an archive that does not hold what is to go is not used', async () => {
    const shop = await database.makeTenant('shop')
    await store.setClass('shop', 'soc2', 'ada', retentionBody('retention.class_set', { tenant: 'shop' }, nowMs))
    await appendInThePast(admin, 'shop/soc2', months(20, '2024-05-01'))
    await append('shop', shop.id)
    const bundle = join(folder, 'soc2-before-2024-06', 'shop+soc2')
    await expect(prune(options({ waitMs: 1 }))).rejects.toThrow('nothing was dropped yet')
    const [file = ''] = (await readdir(bundle)).filter((name) => name.endsWith('.ndjson'))
    const text = await readFile(join(bundle, file), 'utf8')
    await writeFile(join(bundle, file), text.replace('"n":7', '"n":8'))
    await expect(prune(options(signing('s3')))).rejects.toThrow('cannot be used')
    await writeFile(join(bundle, file), text)
    const pruned = await prune(options(signing('s3')))
    expect(pruned.find(({ retentionClass }) => retentionClass === 'soc2')?.logs).toMatchObject([
      { log: 'shop/soc2', below: 20 },
    ])
  })

  it('L12: a second prune goes on where the first one ended, and waits for a sink once there is one', async () => {
    const lab = await database.makeTenant('lab')
    await store.setClass('lab', 'pci', 'ada', retentionBody('retention.class_set', { tenant: 'lab' }, nowMs))
    await appendInThePast(admin, 'lab/pci', [...months(300, '2023-01-10'), ...months(40, '2023-02-10')])
    await append('lab', lab.id)
    const own = { tenantId: lab.id, platform: false }
    await checkpointAll('s3')
    const inMarch = { nowMs: Date.parse('2024-02-15T00:00:00Z'), say: signing('s3').say }
    await prune(options(inMarch))
    expect(await reader.verify(own, 'lab/pci')).toMatchObject({ chainValid: true, from: 300 })
    // A checkpoint that no sink has is not enough any more.
    await expect(
      prune(options({ waitMs: 1, say: (line) => void (line.startsWith('waiting') && checkpointAll()) })),
    ).rejects.toThrow('nothing was dropped yet')
    await admin.query(
      `insert into audits.sink_cursors (sink, log, next_seq) values ('s3', 'lab/pci', 310), ('gone', 'lab/pci', 5)`,
    )
    await checkpointAll('s3')
    await expect(prune(options({ waitMs: 1 }))).rejects.toMatchObject({
      problems: [expect.stringContaining('sink "gone" has not taken all entries'), expect.any(String)],
    })
    await admin.query(`update audits.sink_cursors set next_seq = 340 where sink = 's3'`)
    const pruned = await prune(options({ withoutSinks: ['gone'], ...signing('s3') }))
    const logs = pruned.find(({ retentionClass }) => retentionClass === 'pci')?.logs
    expect(logs).toMatchObject([{ log: 'lab/pci', from: 300, below: 340 }])
    expect(await reader.verify(own, 'lab/pci')).toMatchObject({ chainValid: true, from: 340 })
    expect(await verifyExport(logs?.[0]?.archive ?? '')).toMatchObject({ chain_valid: true, from: 300, to: 339 })
    const { rows } = await admin.query(
      `select min(seq)::int as first, count(*)::int as count from audits.kept_leaves where log = 'lab/pci'`,
    )
    expect(rows).toEqual([{ first: 256, count: 84 }])
  })

  it('L12: appends and replays go on while months are dropped, and none of them fails', async () => {
    const busy = await database.makeTenant('busy')
    await appendInThePast(admin, 'busy', months(50, '2024-11-05'))
    const own = { tenantId: busy.id, platform: false }
    const clients = await Promise.all(Array.from({ length: 4 }, () => database.connect('portcullis_app')))
    const over = new AbortController()
    const writing = clients.map(async (client) => {
      let count = 0
      for (; !over.signal.aborted; count += 1) await append('busy', busy.id, client)
      return count
    })
    const reading = (async () => {
      const verdicts: boolean[] = []
      while (!over.signal.aborted) {
        const verdict = await reader.verify(own, 'busy')
        verdicts.push(verdict !== undefined && verdict !== 'too_long' && verdict.chainValid)
      }
      return verdicts
    })()
    await prune(options({ withoutSinks: ['gone'], ...signing('s3') })).finally(() => over.abort())
    const written = (await Promise.all(writing)).reduce((sum, count) => sum + count, 0)
    expect(written).toBeGreaterThan(0)
    expect((await reading).every(Boolean)).toBe(true)
    // One more is the prune entry.
    expect(await reader.verify(own, 'busy')).toMatchObject({ chainValid: true, from: 50, to: 50 + written })
  })
})
