import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client } from 'pg'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { canonicalJson } from '#core'
import type { WriterPort } from '#hub'
import { openCheckpoint, parseCheckpoint, type LedgerRecord, type Sink, type SinkCheckpoint } from '#ledger'
import { CheckpointStore, type ConnectionSettings } from '#store'
import { append, appendText, appendValues, LedgerDatabase } from '../../ledger/ledger-database.fixture.ts'
import { AnchorFiles } from './anchor-files.ts'
import { Checkpointer } from './checkpointer.ts'
import { loadCheckpointKeys } from './keys.ts'

let database: LedgerDatabase
let admin: Client
let app: Client
let dir: string
let settings: ConnectionSettings
const running: Checkpointer[] = []
const quiet = pino({ level: 'silent' })

beforeAll(async () => {
  database = await LedgerDatabase.start()
  admin = await database.connect('postgres')
  app = await database.connect('portcullis_app')
  dir = await mkdtemp(join(tmpdir(), 'portcullis-checkpoints-'))
  await newKey('key.pem')
  await app.query(`select audits.create_log('system', null)`)
  settings = {
    client: {
      host: app.host,
      port: app.port,
      user: 'portcullis_app',
      password: app.password ?? '',
      database: 'postgres',
    },
    connectTimeoutMs: 5000,
    statementTimeoutMs: 5000,
    idleTimeoutMs: 60_000,
    maxLifetimeSeconds: 600,
  }
}, 120_000)

afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.close()))
})

afterAll(async () => {
  await database[Symbol.asyncDispose]()
  await rm(dir, { recursive: true, force: true })
})

async function newKey(name: string): Promise<string> {
  const key = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' })
  await writeFile(join(dir, name), String(key), { mode: 0o600 })
  return join(dir, name)
}

let logs = 0
async function newLog(entries: number): Promise<string> {
  logs += 1
  const log = `log-${logs}`
  await app.query('select audits.create_log($1, null)', [log])
  await grow(log, entries)
  return log
}

async function grow(log: string, entries: number): Promise<void> {
  await append(
    app,
    Array.from({ length: entries }, (_, n) => ({ log, body: canonicalJson({ n }) })),
  )
}

/** Appends what it is given, as the writer of an instance does. */
const writer: WriterPort = {
  submit: async (member) => {
    const record: LedgerRecord = member.record({ outcome: 'allow' })
    await app.query(appendText, appendValues([record]))
    return { refused: false, reply: undefined, bytes: undefined, replayed: false }
  },
}

class FakeSink implements Sink {
  readonly name: string
  readonly got: SinkCheckpoint[] = []
  held = new Map<string, string>()
  mode: 'takes' | 'hangs' | 'refuses' = 'takes'
  readable = true

  constructor(name = 'fake') {
    this.name = name
  }

  send(): Promise<void> {
    return Promise.resolve()
  }

  publish(checkpoint: SinkCheckpoint): Promise<void> {
    if (this.mode === 'hangs') return new Promise(() => undefined)
    if (this.mode === 'refuses') return Promise.reject(new Error('no'))
    this.got.push(checkpoint)
    this.held.set(checkpoint.log, checkpoint.note)
    return Promise.resolve()
  }

  newest({ log }: { readonly log: string }): Promise<string | undefined> {
    return this.readable ? Promise.resolve(this.held.get(log)) : Promise.reject(new Error('away'))
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

interface Made {
  readonly sinks?: readonly Sink[]
  readonly anchors?: AnchorFiles
  readonly keyFile?: string
  readonly knownKeys?: readonly string[]
  readonly host?: string
}

function make({
  sinks = [],
  anchors,
  keyFile = join(dir, 'key.pem'),
  knownKeys = [],
  host = 'ledger.example',
}: Made = {}): Checkpointer {
  const made = new Checkpointer({
    store: new CheckpointStore(settings),
    keys: loadCheckpointKeys({ keyFile, knownKeys }),
    host,
    sinks,
    anchors,
    everyMs: 3_600_000,
    writer,
    log: quiet,
  })
  running.push(made)
  return made
}

const soon = (): AbortSignal => AbortSignal.timeout(5000)

async function checkpoints(log: string): Promise<number[]> {
  const { rows } = await admin.query<{ size: string }>(
    'select size from audits.checkpoints where log = $1 order by 1',
    [log],
  )
  return rows.map(({ size }) => Number(size))
}

async function stoppedWhy(log: string): Promise<string> {
  const { rows } = await app.query<{ stopped: string | null }>('select stopped from audits.checkpoint_state($1)', [log])
  return rows[0]?.stopped ?? ''
}

/** As somebody who owns the machine: the triggers are off. */
async function asVandal(...statements: readonly string[]): Promise<void> {
  await admin.query('begin')
  for (const table of ['entries', 'heads', 'tiles', 'checkpoints'])
    await admin.query(`alter table audits.${table} disable trigger user`)
  for (const statement of statements) await admin.query(statement)
  for (const table of ['entries', 'heads', 'tiles', 'checkpoints']) {
    const { rows } = await admin.query<{ name: string }>(
      `select tgname as name from pg_trigger where tgrelid = $1::regclass and not tgisinternal`,
      [`audits.${table}`],
    )
    for (const { name } of rows) await admin.query(`alter table audits.${table} enable always trigger ${name}`)
  }
  await admin.query('commit')
}

describe('the checkpointer', () => {
  it('L8: signs what has grown, keeps it, and publishes it to every sink', async () => {
    const log = await newLog(300)
    const sinks = [new FakeSink('a'), new FakeSink('b')]
    const anchors = new AnchorFiles(join(dir, 'anchors'))
    const one = make({ sinks, anchors })
    expect(await one.cover(log, 2, soon())).toEqual({ ok: true, size: 300 })
    const origin = `ledger.example/${log}`
    for (const sink of sinks) {
      const note = sink.held.get(log) ?? ''
      const keys = loadCheckpointKeys({ keyFile: join(dir, 'key.pem'), knownKeys: [] })
      expect(openCheckpoint(note, origin, keys.verifiers(origin))).toMatchObject({
        ok: true,
        checkpoint: { size: 300 },
      })
      expect(await anchors.newest(log)).toBe(note)
    }
    const { rows } = await admin.query('select sink, size from audits.anchors where log = $1 order by 1', [log])
    expect(rows).toEqual([
      { sink: 'a', size: '300' },
      { sink: 'b', size: '300' },
    ])
    await grow(log, 1)
    await one.pass()
    expect(await checkpoints(log)).toEqual([300, 301])
    await one.pass()
    expect(await checkpoints(log)).toEqual([300, 301])
  })

  it('L8: each replica keeps the newest checkpoint in a folder of its own, whoever signed it', async () => {
    const log = await newLog(2)
    const folders = ['one', 'two'].map((name) => new AnchorFiles(join(dir, name)))
    const replicas = folders.map((anchors) => make({ anchors }))
    await replicas[0]?.cover(log, 0, soon())
    await replicas[1]?.pass()
    const [first, second] = await Promise.all(folders.map((folder) => folder.newest(log)))
    expect(first).toContain(`ledger.example/${log}\n2\n`)
    expect(second).toBe(first)
  })

  it('L8: replicas that work on one log at the same time sign and publish each size once, in order', async () => {
    const log = await newLog(1)
    const sink = new FakeSink()
    const replicas = [1, 2, 3].map(() => make({ sinks: [sink] }))
    for (let round = 0; round < 5; round += 1) {
      const covered = await Promise.all(replicas.map((one) => one.cover(log, 1, soon())))
      expect(covered.every(({ ok }) => ok)).toBe(true)
      await grow(log, 10)
    }
    expect(await checkpoints(log)).toEqual([1, 11, 21, 31, 41])
    expect(sink.got.map(({ size }) => size)).toEqual([1, 11, 21, 31, 41])
  })

  it('L7: calls that wait for a checkpoint at the same time share it', async () => {
    const log = await newLog(1)
    const sink = new FakeSink()
    let asked = 0
    const read = sink.newest.bind(sink)
    sink.newest = (of) => {
      asked += 1
      return read(of)
    }
    const one = make({ sinks: [sink] })
    const covered = await Promise.all(Array.from({ length: 60 }, () => one.cover(log, 1, soon())))
    expect(covered.every(({ ok }) => ok)).toBe(true)
    expect(asked).toBeLessThan(20)
  })

  it('L8: a replica that froze with the locks of a log keeps nobody from signing and publishing it', async () => {
    const log = await newLog(4)
    const sink = new FakeSink()
    await admin.query('begin')
    for (const name of [log, `${log} to ${sink.name}`]) {
      await admin.query(`select pg_advisory_xact_lock(hashtextextended('portcullis checkpoint ' || $1, 0))`, [name])
    }
    try {
      expect(await make({ sinks: [sink] }).cover(log, 1, AbortSignal.timeout(20_000))).toEqual({ ok: true, size: 4 })
    } finally {
      await admin.query('rollback')
    }
  })

  it('L7: a sink that hangs holds up neither the others nor the next checkpoint', async () => {
    const log = await newLog(1)
    const [good, hung] = [new FakeSink('good'), new FakeSink('hung')]
    hung.mode = 'hangs'
    const one = make({ sinks: [hung, good] })
    for (const size of [1, 2, 3]) {
      expect(await one.cover(log, 1, soon())).toEqual({ ok: true, size })
      await grow(log, 1)
    }
    expect(await one.cover(log, 2, AbortSignal.timeout(200))).toMatchObject({
      ok: false,
      why: expect.stringContaining('too few'),
    })
    expect(good.got.map(({ size }) => size)).toEqual([1, 2, 3, 4])
  })

  it('L8: a sink that refused gets the newest checkpoint when it is back, also where the log has not grown', async () => {
    const log = await newLog(5)
    const sink = new FakeSink()
    sink.mode = 'refuses'
    const one = make({ sinks: [sink] })
    // A refusal is no reason to wait until the time is up.
    expect(await one.cover(log, 1, new AbortController().signal)).toMatchObject({ ok: false })
    sink.mode = 'takes'
    await one.pass()
    expect(await one.cover(log, 1, soon())).toEqual({ ok: true, size: 5 })
    expect(sink.got.filter((got) => got.log === log).map(({ size }) => size)).toEqual([5])
  })

  it('L8: a published checkpoint that is not believed stops signing until it is gone, which is recorded once', async () => {
    const sink = new FakeSink()
    const long = await newLog(20)
    await make({ sinks: [sink] }).cover(long, 1, soon())
    const published = sink.held.get(long) ?? ''
    const cut = await newLog(3)
    sink.held.set(cut, published.replaceAll(long, cut))
    const one = make({ sinks: [sink] })
    expect(await one.cover(cut, 0, soon())).toMatchObject({ ok: false, why: expect.stringContaining('not believed') })
    expect([...one.stopped.keys()]).toEqual([cut])
    expect(await stoppedWhy(cut)).toContain('not believed')
    sink.held.delete(cut)
    expect(await one.cover(cut, 0, soon())).toEqual({ ok: true, size: 3 })
    expect(await stoppedWhy(cut)).toBe('')
    const { rows } = await admin.query(`select action, outcome from audits.entries where log = 'system' order by seq`)
    expect(rows).toEqual([
      { action: 'ledger.rollback', outcome: 'error' },
      { action: 'ledger.rollback_over', outcome: 'allow' },
    ])
  })

  it('L8: entries cut off at the end are found by what is published, and an altered history by its root', async () => {
    const log = await newLog(20)
    const sink = new FakeSink()
    await make({ sinks: [sink] }).cover(log, 1, soon())
    const shorter = await newLog(12)
    // Everything of the log is replaced by a shorter one that is right in itself.
    await asVandal(
      `delete from audits.checkpoints where log = '${log}'`,
      `delete from audits.entries where log = '${log}'`,
      `update audits.heads h set size = s.size, frontier = s.frontier, last_hash = s.last_hash from audits.heads s
        where h.log = '${log}' and s.log = '${shorter}'`,
      `insert into audits.entries select '${log}', e.seq, e.ts, e.tenant_id, e.caller, e.actor, e.action, e.outcome, e.code,
         e.request_id, e.leaf, e.entry, e.retention_class from audits.entries e where e.log = '${shorter}'`,
    )
    const one = make({ sinks: [sink] })
    expect(await one.cover(log, 0, soon())).toMatchObject({ ok: false, why: expect.stringContaining('12 here') })
    await grow(log, 30)
    expect(await one.cover(log, 0, soon())).toMatchObject({ ok: false, why: expect.stringContaining('another root') })
    expect(await checkpoints(log)).toEqual([])
  })

  it('L8: a superuser who rewrites entries, hashes and head is found by the tiles', async () => {
    const log = await newLog(300)
    const one = make()
    await one.cover(log, 0, soon())
    const shorter = await newLog(300)
    await asVandal(
      `update audits.heads h set frontier = s.frontier, last_hash = s.last_hash from audits.heads s
        where h.log = '${log}' and s.log = '${shorter}'`,
    )
    await grow(log, 1)
    expect(await one.cover(log, 0, soon())).toMatchObject({ ok: false, why: expect.stringContaining('than the head') })
  })

  it('L8: signs nothing while nobody can say what was published', async () => {
    const log = await newLog(1)
    const sink = new FakeSink()
    sink.readable = false
    const one = make({ sinks: [sink] })
    expect(await one.cover(log, 0, soon())).toMatchObject({ ok: false, why: expect.stringContaining('cannot be read') })
    expect(await checkpoints(log)).toEqual([])
    expect(await stoppedWhy(log)).toBe('')
    const anchors = new AnchorFiles(join(dir, 'others'))
    expect(await make({ sinks: [sink], anchors }).cover(log, 0, soon())).toEqual({ ok: true, size: 1 })
  })

  it('L8: after a change of keys the one before must be known', async () => {
    const log = await newLog(1)
    const sink = new FakeSink()
    await make({ sinks: [sink] }).cover(log, 1, soon())
    await grow(log, 1)
    const keyFile = await newKey('next.pem')
    const forgetful = make({ sinks: [sink], keyFile })
    expect(await forgetful.cover(log, 1, soon())).toMatchObject({
      ok: false,
      why: expect.stringContaining('knownKeys'),
    })
    const before = loadCheckpointKeys({ keyFile: join(dir, 'key.pem'), knownKeys: [] })
    const one = make({ sinks: [sink], keyFile, knownKeys: before.vkeys('ledger.example/any') })
    expect(await one.cover(log, 1, soon())).toEqual({ ok: true, size: 2 })
    expect(parseCheckpoint((sink.held.get(log) ?? '').split('\n\n')[0] + '\n')).toMatchObject({
      checkpoint: { size: 2 },
    })
  })

  it('L8: who accepts a restored database goes on under another origin, with new sinks', async () => {
    const log = await newLog(3)
    await make({ sinks: [new FakeSink()] }).cover(log, 1, soon())
    const fresh = new FakeSink()
    const one = make({ sinks: [fresh], host: 'second.example' })
    await one.pass()
    expect([fresh.held.get(log), one.stopped.get(log)]).toEqual([undefined, undefined])
    await grow(log, 1)
    expect(await one.cover(log, 1, soon())).toEqual({ ok: true, size: 4 })
    expect(fresh.held.get(log)).toContain(`second.example/${log}\n4\n`)
  })
})
