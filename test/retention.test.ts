import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { recordHash, verifyExport, verifyInclusion } from '#ledger'
import { placeHold, pruneLedger, releaseHold, listRetention } from '#server'
import { appendInThePast } from '../src/ledger/past.fixture.ts'
import { databaseOf, startInstance, type TestInstance } from './harness/instance.ts'

const env = {
  PORTCULLIS__AUDIT__RETENTION__FRAMEWORK: 'custom',
  PORTCULLIS__AUDIT__RETENTION__DAYS: '30',
  PORTCULLIS__AUDIT__CHECKPOINTS__EVERY_SECONDS: '1',
}
const pastEntries = 300

let instance: TestInstance
let archive: string
let key: string
beforeAll(async () => {
  archive = await mkdtemp(join(tmpdir(), 'portcullis-archive-'))
  instance = await startInstance(env)
  const made = await instance.call('TenantService/Create', { name: 'acme' })
  key = made.body.adminKey ?? made.body.key
  const admin = await instance.connect('postgres')
  const times = Array.from({ length: pastEntries }, (_, index) => new Date(Date.UTC(2026, 0, 10, 8, 0, index)))
  await appendInThePast(admin, 'acme', times)
  await instance.call('HubService/StartRun', { workflow: 'kept' }, { key })
})
afterAll(async () => {
  await instance.stop()
  await rm(archive, { recursive: true, force: true })
})

const place = () => ({ dir: instance.dir, env, by: 'ada' })
const prune = (folder: string | undefined) =>
  pruneLedger(place(), { archive: folder, waitMs: 60_000, withoutSinks: [], say: () => undefined })

async function audit(): Promise<Record<string, unknown>> {
  const response = await fetch(`${instance.url}/v1/audit?verify_chain=true`, {
    headers: { authorization: `Bearer ${key}` },
  })
  return (await response.json()) as Record<string, unknown>
}

async function urlOf(role: string): Promise<string> {
  const { host, port, user, password, database } = await databaseOf(instance.dir, role)
  return `postgres://${user}:${password}@${host}:${port}/${database}`
}

it('L12: a production instance names the maintenance role in its settings; without it, and as another role, nothing is done', async () => {
  const configFile = join(archive, 'portcullis.yaml')
  const settings = { url: await urlOf('portcullis_app') }
  const list = async (database: object) => {
    await writeFile(configFile, JSON.stringify({ database }))
    return listRetention({ dir: '', configFile, env: {} })
  }
  await expect(list(settings)).rejects.toMatchObject({
    problems: ['set database.maintenance.url or database.maintenance.urlFile'],
  })
  await expect(list({ ...settings, maintenance: { url: settings.url } })).rejects.toThrow(
    'the role portcullis_app is not the maintenance role',
  )
  const nowhere = 'postgres://portcullis_maintenance:x@127.0.0.1:1/portcullis'
  await expect(list({ ...settings, maintenance: { url: nowhere } })).rejects.toThrow('cannot be reached')
  const view = await list({ ...settings, maintenance: { url: await urlOf('portcullis_maintenance') } })
  expect(view.logs.map(({ log }) => log)).toEqual(['acme', 'main', 'system'])
  await rm(configFile)
})

it('L12: what is expired is pruned beside a running server; proofs of kept and archived entries hold, and the verifier tells policy from tampering', async () => {
  await placeHold(place(), { tenant: 'acme', reason: 'case 4711' })
  const [held] = await prune(archive)
  expect(held?.months[0]).toMatchObject({ name: 'entries_default_202601', stays: 'held' })
  const { holds } = await listRetention(place())
  await releaseHold(place(), holds[0]?.id ?? '', 'case closed')

  const [pruned] = await prune(archive)
  expect(pruned?.logs).toMatchObject([{ log: 'acme', from: 0, below: pastEntries }])
  const folder = pruned?.logs[0]?.archive ?? ''
  expect(await verifyExport(folder)).toMatchObject({ chain_valid: true, from: 0, to: pastEntries - 1 })
  expect(await audit()).toMatchObject({
    chain_valid: true,
    from: pastEntries,
    note: expect.stringContaining(`truncated by policy at ${pastEntries}`),
  })

  const leaves = (await archived(folder)).map((entry) => recordHash(entry))
  for (const seq of [0, 255, 256, pastEntries - 1]) await expectProven(seq, leaves[seq])
  await expectProven(pastEntries, undefined)

  const again = await instance.call('HubService/StartRun', { workflow: 'later' }, { key })
  expect(again.status).toBe(200)
  const admin = await instance.connect('postgres')
  const month = new Date().toISOString().slice(0, 7).replace('-', '')
  // A superuser can drop what is not expired; nothing then says that policy did.
  await admin.query(`drop table audits.entries_default_${month}`)
  expect(await audit()).toMatchObject({ chain_valid: false, first_bad_seq: pastEntries })
})

async function expectProven(seq: number, leaf: Buffer | undefined): Promise<void> {
  const { status, body } = await instance.call('LedgerService/GetInclusionProof', { seq: String(seq) }, { key })
  expect(status, JSON.stringify(body)).toBe(200)
  const leafHash = Buffer.from(body.leafHash, 'hex')
  if (leaf !== undefined) expect(leafHash.equals(leaf)).toBe(true)
  const claim = {
    leafIndex: seq,
    treeSize: Number(body.treeSize),
    leafHash,
    proof: (body.proof as string[]).map((hash) => Buffer.from(hash, 'hex')),
    root: Buffer.from(body.root, 'hex'),
  }
  expect(claim.treeSize).toBeGreaterThan(pastEntries)
  expect(verifyInclusion(claim), `entry ${seq}`).toBe(true)
}

async function archived(folder: string): Promise<readonly Buffer[]> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.ndjson')).toSorted()
  const texts = await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')))
  return texts
    .join('')
    .split('\n')
    .filter(Boolean)
    .map((line) => Buffer.from(line))
}
