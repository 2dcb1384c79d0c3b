import { mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { showCheckpointKeys } from '#server'
import { startInstance, type TestInstance } from './harness/instance.ts'
import { TlogClient } from './harness/tlog-client.ts'

let instance: TestInstance
let parent: string
let dir: string
let late: Awaited<ReturnType<TestInstance['agent']>>

beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'portcullis-offbox-'))
  dir = join(parent, 'sink')
  await mkdir(join(parent, 'folder'))
  await writeFile(join(parent, 'file'), '')
  await pointTo('folder')
  instance = await startInstance({
    PORTCULLIS__AUDIT__SINKS: `file:${dir}`,
    PORTCULLIS__AUDIT__CHECKPOINTS__PUBLIC: 'true',
    PORTCULLIS__LOG__LEVEL: 'fatal',
  })
}, 120_000)

afterAll(async () => {
  await instance.stop()
  await rm(parent, { recursive: true, force: true })
})

/** Puts another target behind the name of the sink, at once. */
async function pointTo(name: 'folder' | 'file'): Promise<void> {
  await symlink(join(parent, name), `${dir}.next`)
  await rename(`${dir}.next`, dir)
}

interface Shown {
  readonly kind: string
  readonly outcome: string
  readonly code?: string
  readonly seq: number
}

/** The entries of one request, oldest first. */
async function entriesOf(requestId: string | null): Promise<readonly Shown[]> {
  const { body } = await instance.call('LedgerService/Query', { requestId })
  return body.entries.toReversed().map((entry: { entryJson: string; seq: string }) => ({
    ...JSON.parse(entry.entryJson).body,
    seq: Number(entry.seq),
  }))
}

describe('changes of keys where there are sinks', () => {
  it('L7: the intent is acknowledged outside before the change is done', async () => {
    const made = await instance.call('IdentityService/CreateAgent', { name: 'watched' })
    expect(made.status).toBe(200)
    const entries = await entriesOf(made.headers.get('x-request-id'))
    expect(entries.map(({ kind, outcome }) => [kind, outcome])).toEqual([
      ['intent', 'allow'],
      ['decision', 'allow'],
    ])
    const { anchors } = (await instance.call('LedgerService/GetCheckpoint')).body
    expect(anchors).toEqual([{ sink: 'file', size: expect.any(String), at: expect.any(String) }])
    expect(Number(anchors[0].size)).toBeGreaterThan(entries[0]?.seq ?? Infinity)
    expect(await readFile(join(dir, 'main.checkpoints'), 'utf8')).toContain('localhost/main\n')
    expect((await instance.call('LedgerService/Verify')).body).toMatchObject({
      chainValid: true,
      anchoredSize: anchors[0].size,
    })
  })

  it('L7: a replay of the change gives the stored reply', async () => {
    const headers = { 'idempotency-key': 'once' }
    const first = await instance.call('IdentityService/CreateAgent', { name: 'once' }, { headers })
    const second = await instance.call('IdentityService/CreateAgent', { name: 'once' }, { headers })
    expect([first.status, second.status]).toEqual([200, 200])
    expect(second.body.agent.id).toBe(first.body.agent.id)
    expect(second.headers.get('idempotency-replayed')).toBe('true')
  })

  it('L7: without an acknowledgement the change is refused and nothing is done; other calls go on', async () => {
    late = await instance.agent('late', ['telemetry:write'])
    // Nobody can write below a file, not even root.
    await pointTo('file')
    const refused = await instance.call('IdentityService/CreateAgent', { name: 'unseen' })
    expect(refused).toMatchObject({ status: 503, body: { code: 'audit.offbox_unavailable' } })
    expect(refused.headers.get('retry-after')).not.toBeNull()
    expect(JSON.stringify(refused.body)).not.toContain('sink file')
    const entries = await entriesOf(refused.headers.get('x-request-id'))
    expect(entries.map(({ kind, outcome, code }) => [kind, outcome, code])).toEqual([
      ['intent', 'allow', undefined],
      ['aborted', 'deny', 'audit.offbox_unavailable'],
    ])
    const agents = await instance.call('IdentityService/ListAgents', { name: 'unseen' })
    expect(agents.body.agents).toEqual([])
    expect((await instance.call('HubService/StartRun', { workflow: 'as always' })).status).toBe(200)
  })

  it('L7: a key is revoked and an agent disabled although every sink is away', async () => {
    const { key } = late
    expect((await instance.call('HubService/StartRun', { workflow: 'w' }, { key })).status).toBe(200)
    expect((await instance.call('IdentityService/RevokeKey', { keyId: late.keyId })).status).toBe(200)
    expect((await instance.call('HubService/StartRun', { workflow: 'w' }, { key })).status).toBe(401)
    expect((await instance.call('IdentityService/DisableAgent', { agentId: late.id })).status).toBe(200)
  })

  it('O5: a script that asks for a copy outside is not announced while every sink is away', async () => {
    const script = { name: 'drop', operator: 'ada', destructive: true, confirmed: true }
    const refused = await instance.call('OpsService/RecordIntentOffbox', { script })
    expect(refused.body.code).toBe('audit.offbox_unavailable')
    expect((await instance.call('OpsService/RecordIntent', { script })).status).toBe(200)
  })

  it('L7: once the sink is back the same change is done', async () => {
    await pointTo('folder')
    expect((await instance.call('IdentityService/CreateAgent', { name: 'unseen' })).status).toBe(200)
  })
})

describe('a log that the settings make public', () => {
  it('L11: anybody verifies its checkpoint and its tree, and sees no entry', async () => {
    await instance.call('IdentityService/CreateAgent', { name: 'public' })
    const [shown] = await showCheckpointKeys({ dir: instance.dir, env: {}, logs: ['main'] })
    const client = new TlogClient(`${instance.url}/tlog/main`, shown?.vkeys[0] ?? '')
    const { size, root } = await client.checkpoint()
    expect((await client.hash(0, size, size)).equals(root)).toBe(true)
    expect((await client.get('checkpoint')).headers.get('cache-control')).toBe('public, max-age=2')
    expect((await client.get(`tile/0/000.p/${size}`)).headers.get('cache-control')).toContain(
      'public, max-age=31536000',
    )
    expect((await client.get(`tile/entries/000.p/${size}`)).status).toBe(401)
    expect((await client.get(`tile/0/000.p/${size + 100}`)).status).toBe(404)
    expect((await new TlogClient(`${instance.url}/tlog/nobody`, '').get('checkpoint')).status).toBe(404)
  })

  it('L11: the methods still need a key', async () => {
    for (const method of ['GetCheckpoint', 'GetTile', 'GetInclusionProof', 'GetEntryBundle']) {
      expect((await instance.call(`LedgerService/${method}`, {}, { key: undefined })).status).toBe(401)
    }
  })

  it('G23: such reads are recorded like other public reads: a few entries for each address, then counts', async () => {
    const client = new TlogClient(`${instance.url}/tlog/main`, '')
    const before = await reads()
    for (let at = 0; at < 8; at += 1) expect((await client.get('checkpoint')).status).toBe(200)
    // The instance writes what it counted when it stops; here only that there are no eight more.
    expect((await reads()) - before).toBeLessThan(8)
    expect(await reads()).toBeGreaterThan(0)
  })

  async function reads(): Promise<number> {
    const action = '/portcullis.v1.LedgerService/GetCheckpoint'
    return (await instance.call('LedgerService/Query', { log: 'system', action })).body.entries.length
  }
})
