import { cp, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { verifyConsistency, verifyInclusion } from '#ledger'
import { showCheckpointKeys, up } from '#server'
import { embeddedHome } from '../src/server/embedded/index.ts'
import { call, freePorts, startInstance, type Answer, type TestInstance } from './harness/instance.ts'
import { leaf, leadsTo, TlogClient } from './harness/tlog-client.ts'

const env = { PORTCULLIS__AUDIT__CHECKPOINTS__EVERY_SECONDS: '1', PORTCULLIS__LOG__LEVEL: 'fatal' }

async function vkeyOf(dir: string, log: string): Promise<string> {
  const [shown] = await showCheckpointKeys({ dir, env: {}, logs: [log] })
  return shown?.vkeys[0] ?? ''
}

/** Asks until the answer is the one that is waited for; each ask is an entry, so that the log grows. */
async function until(ask: () => Promise<Answer>, is: (body: Answer['body']) => boolean): Promise<Answer['body']> {
  const deadline = Date.now() + 30_000
  for (;;) {
    const { body } = await ask()
    if (is(body)) return body
    if (Date.now() > deadline) throw new Error(`not in time: ${JSON.stringify(body)}`)
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

const hex = (text: string): Buffer => Buffer.from(text, 'hex')

describe('the tree of a running instance', () => {
  let instance: TestInstance
  let signed: number
  const standing = () => instance.call('LedgerService/GetCheckpoint')

  beforeAll(async () => {
    instance = await startInstance(env)
    // More than one tile of entries.
    for (let at = 0; at < 14; at += 1) {
      await Promise.all(Array.from({ length: 20 }, () => instance.call('HubService/ListRuns')))
    }
    signed = Number((await until(standing, ({ size }) => Number(size) > 260)).size)
  }, 120_000)

  afterAll(() => instance.stop())

  it('L8: a log that has grown is signed by itself, and the checkpoint is kept beside the database', async () => {
    const { note, size, root, stopped, anchors } = (await standing()).body
    expect(note).toContain(`localhost/main\n${size}\n${hex(root).toString('base64')}\n\n\u2014 localhost/main `)
    expect([stopped, anchors]).toEqual(['', []])
    const dir = join(embeddedHome(instance.dir).home, 'checkpoints')
    const kept = await until(
      async () => ({ status: 0, headers: new Headers(), body: await readFile(join(dir, 'main.checkpoint'), 'utf8') }),
      (body) => Number(body.split('\n')[1]) >= Number(size),
    )
    expect(kept).toContain('localhost/main\n')
    expect((await readdir(dir)).filter((name) => name.endsWith('.new'))).toEqual([])
    expect((await stat(dir)).mode & 0o077).toBe(0)
  })

  it('L11: an entry is proven to be in the log, at the newest size and at older ones', async () => {
    const entries = (await instance.call('LedgerService/Export', { limit: 300 })).body.ndjson.split('\n')
    for (const [seq, treeSize] of [
      [0, signed],
      [255, signed],
      [256, 257],
      [3, 4],
      [0, 1],
    ] as const) {
      const { body } = await instance.call('LedgerService/GetInclusionProof', { seq, treeSize })
      const proof: Buffer[] = body.proof.map(hex)
      expect([body.log, Number(body.seq), Number(body.treeSize)]).toEqual(['main', seq, treeSize])
      const leafHash = leaf(Buffer.from(entries[seq]))
      expect(leafHash.toString('hex')).toBe(body.leafHash)
      const claim = { leafIndex: seq, treeSize, leafHash, proof, root: hex(body.root) }
      expect(verifyInclusion(claim)).toBe(true)
      expect(verifyInclusion({ ...claim, leafHash: leaf(Buffer.from('{}')) })).toBe(false)
    }
  })

  it('L11: a proof comes with its checkpoint as one text, where one was signed at that size', async () => {
    const { body } = await instance.call('LedgerService/GetInclusionProof', { seq: 7 })
    const [head, note] = body.tlogProof.split('\n\nlocalhost/main\n')
    const lines: string[] = head.split('\n')
    expect(lines.slice(0, 2)).toEqual(['c2sp.org/tlog-proof@v1', 'index 7'])
    expect(lines.slice(2).map((line) => Buffer.from(line, 'base64').toString('hex'))).toEqual(body.proof)
    expect(note.startsWith(`${body.treeSize}\n${hex(body.root).toString('base64')}\n\n\u2014`)).toBe(true)
  })

  it('L11: the log at one size is proven to be the beginning of the log at another', async () => {
    for (const from of [1, 2, 255, 256, 257, signed]) {
      const { body } = await instance.call('LedgerService/GetConsistencyProof', { from, to: signed })
      const claim = { size1: from, size2: signed, root1: hex(body.fromRoot), root2: hex(body.toRoot) }
      expect(verifyConsistency({ ...claim, proof: body.proof.map(hex) })).toBe(true)
    }
  })

  it.each([
    ['GetInclusionProof', { seq: 1_000_000 }, 400, 'input.invalid'],
    ['GetInclusionProof', { seq: -1 }, 400, 'input.invalid'],
    ['GetInclusionProof', { seq: 0, treeSize: 1_000_000 }, 400, 'input.invalid'],
    ['GetConsistencyProof', { from: 0 }, 400, 'input.invalid'],
    ['GetConsistencyProof', { from: 5, to: 4 }, 400, 'input.invalid'],
    ['GetConsistencyProof', { from: 1, to: '9007199254740993' }, 400, 'input.invalid'],
    ['GetTile', { level: 7 }, 404, 'object.not_found'],
    ['GetTile', { level: -1 }, 400, 'input.invalid'],
    ['GetTile', { width: 257 }, 400, 'input.invalid'],
    ['GetTile', { level: 0, index: 1, width: 256 }, 404, 'object.not_found'],
    ['GetEntryBundle', { index: 9 }, 404, 'object.not_found'],
    ['GetCheckpoint', { log: 'another' }, 404, 'object.not_found'],
    ['GetInclusionProof', { log: 'another' }, 404, 'object.not_found'],
    ['GetTile', { log: 'another' }, 404, 'object.not_found'],
  ])('L11: %s refuses %j', async (method, body, status, code) => {
    expect(await instance.call(`LedgerService/${method}`, body)).toMatchObject({ status, body: { code } })
  })

  it('L11: a reader written from the C2SP texts alone finds the root and an entry in the tiles', async () => {
    const vkey = await vkeyOf(instance.dir, 'main')
    const client = new TlogClient(`${instance.url}/tlog/main`, vkey, instance.adminKey)
    const { origin, size, root } = await client.checkpoint()
    expect([origin, size >= signed]).toEqual(['localhost/main', true])
    expect((await client.hash(0, size, size)).equals(root)).toBe(true)
    for (const seq of [0, 255, 256, size - 1]) {
      const entry = (await client.entries(Math.floor(seq / 256), size))[seq % 256]
      if (entry === undefined) throw new Error(`no entry ${seq}`)
      expect(JSON.parse(entry.toString('utf8'))).toMatchObject({ log: 'main', seq })
      expect(leadsTo(root, leaf(entry), seq, size, await client.path(seq, 0, size, size))).toBe(true)
    }
    const other = new TlogClient(`${instance.url}/tlog/main`, await vkeyOf(instance.dir, 'system'), instance.adminKey)
    await expect(other.checkpoint()).rejects.toThrow('no signature')
  })

  it('L11: files of a log say how long they may be kept, and need a key', async () => {
    const client = new TlogClient(`${instance.url}/tlog/main`, '', instance.adminKey)
    const headers = async (path: string) => {
      const { headers: found, status } = await client.get(path)
      return [status, found.get('content-type'), found.get('cache-control')]
    }
    expect(await headers('checkpoint')).toEqual([200, 'text/plain; charset=utf-8', 'private, no-cache'])
    const kept = 'private, max-age=31536000, immutable'
    expect(await headers('tile/0/000')).toEqual([200, 'application/octet-stream', kept])
    expect(await headers('tile/entries/000')).toEqual([200, 'application/octet-stream', kept])
    expect(await headers('tile/1/000.p/1')).toEqual([200, 'application/octet-stream', kept])
    const anybody = new TlogClient(`${instance.url}/tlog/main`, '')
    for (const path of ['checkpoint', 'tile/0/000', 'tile/entries/000']) {
      expect([path, (await anybody.get(path)).status]).toEqual([path, 401])
    }
    const { key } = await instance.agent('reader', ['telemetry:read'])
    expect((await new TlogClient(`${instance.url}/tlog/main`, '', key).get('tile/0/000')).status).toBe(403)
  })

  it('L11: a log with a slash in its name is read like any other', async () => {
    const app = await instance.connect('portcullis_app')
    const tenant = (await instance.call('LedgerService/Query', { pageSize: 1 })).body.entries[0]
    const tenantId = JSON.parse(tenant.entryJson).body.tenant.slice(4)
    await app.query(`select audits.create_log('main/pci', $1, 'pci')`, [tenantId])
    const empty = [tenantId, '', '', '', 'allow', '', '', '{}']
    await app.query('select * from audits.append($1, $2, $3, $4, $5, $6, $7, $8, $9)', ['main/pci', ...empty])
    await until(
      () => instance.call('LedgerService/GetCheckpoint', { log: 'main/pci' }),
      ({ size }) => size === '1',
    )
    const vkey = await vkeyOf(instance.dir, 'main/pci')
    const client = new TlogClient(`${instance.url}/tlog/main/pci`, vkey, instance.adminKey)
    const { origin, size, root } = await client.checkpoint()
    expect([origin, size]).toEqual(['localhost/main/pci', 1])
    expect((await client.hash(0, size, size)).equals(root)).toBe(true)
    const encoded = new TlogClient(`${instance.url}/tlog/main%2Fpci`, vkey, instance.adminKey)
    expect((await encoded.checkpoint()).origin).toBe(origin)
  })

  it.each([
    'tile/0/000.p/0',
    'tile/0/000.p/256',
    'tile/00/000',
    'tile/0/0',
    'tile/64/000',
    'tile/0/x000/001',
    'tile/0/999',
    'tile/0/001',
    'tile/0/001.p/255',
    'tile/entries/001',
    'tile',
    'tile/',
    'nothing',
    'checkpoint/',
    '../system/checkpoint',
    '%2e%2e/checkpoint',
    'A/checkpoint',
  ])('L11: /tlog/main/%s is not there', async (path) => {
    const client = new TlogClient(`${instance.url}/tlog/main`, '', instance.adminKey)
    if (path === '../system/checkpoint') expect((await client.get(path)).status).toBe(200)
    else expect((await client.get(path)).status).toBe(404)
  })

  it('L2: each read of a file of the log is an entry', async () => {
    const client = new TlogClient(`${instance.url}/tlog/main`, '', instance.adminKey)
    const requestId = (await client.get('tile/0/000')).headers.get('x-request-id') ?? ''
    const { body } = await instance.call('LedgerService/Query', { requestId })
    const entry = JSON.parse(body.entries[0].entryJson).body
    expect(entry).toMatchObject({ method: '/portcullis.v1.LedgerService/GetTile', outcome: 'allow' })
    expect(entry.args).toEqual({ index: '0', level: 0, log: 'main', width: 256 })
  })
})

describe('a database restored from an older backup', () => {
  it('L8: signing stops with an alarm, calls and reads go on, and the log says why', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'portcullis-restored-'))
    const { home } = embeddedHome(dir)
    const backup = await mkdtemp(join(tmpdir(), 'portcullis-backup-'))
    const start = () => up({ dir, env: { ...freePorts, ...env } })
    let running = await start()
    try {
      const key = running.ready.adminKey ?? ''
      const ask = (method: string, body = {}) =>
        call(`http://${running.ready.http}`, `LedgerService/${method}`, body, { key })
      await until(
        () => ask('GetCheckpoint'),
        ({ size }) => Number(size) > 0,
      )
      await running.stop()
      await cp(join(home, 'pgdata'), backup, { recursive: true, preserveTimestamps: true })

      running = await start()
      const grown = await until(
        () => ask('GetCheckpoint'),
        ({ size }) => Number(size) > 10,
      )
      await running.stop()
      // The owner of the files is kept: cp would give them to root.
      await copyBack(backup, join(home, 'pgdata'))

      running = await start()
      const stopped = await until(
        () => ask('GetCheckpoint'),
        (body) => body.stopped !== '',
      )
      expect(stopped.stopped).toMatch(/older than what was published/)
      expect(Number(stopped.size)).toBeLessThan(Number(grown.size))
      // Reads go on, and nothing more is signed however the log grows.
      const size = (await ask('GetCheckpoint')).body.size
      for (let at = 0; at < 15; at += 1) expect((await ask('Query')).status).toBe(200)
      const again = await until(
        () => ask('GetCheckpoint'),
        (body) => /another root/.test(body.stopped),
      )
      expect(again.size).toBe(size)
      const verdict = await ask('Verify')
      expect(verdict.body).toMatchObject({ chainValid: false, problem: expect.stringContaining('another root') })
      const system = await ask('Query', { log: 'system', action: 'ledger.rollback' })
      expect(system.body.entries.length).toBeGreaterThan(0)
      const metrics = await (await fetch(`http://${running.ready.management}/metrics`)).text()
      expect(metrics).toMatch(/^portcullis_ledger_chain_valid\{[^}]*log="main"[^}]*\} 0$/m)
      expect((await fetch(`http://${running.ready.management}/readyz`)).status).toBe(200)
    } finally {
      await running.stop()
      await Promise.all([dir, home, backup].map((folder) => rm(folder, { recursive: true, force: true })))
    }
  }, 180_000)
})

async function copyBack(from: string, to: string): Promise<void> {
  const { uid, gid } = await stat(to)
  await rm(to, { recursive: true })
  await cp(from, to, { recursive: true, preserveTimestamps: true })
  const { execFileSync } = await import('node:child_process')
  if (process.getuid?.() === 0) execFileSync('chown', ['-R', `${uid}:${gid}`, to])
  execFileSync('chmod', ['0700', to])
}
