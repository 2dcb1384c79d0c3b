import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { parseEntry, verifyChain } from '#ledger'
import { startInstance, type TestInstance } from './harness/instance.ts'
import { entriesOf, startReplica, type Replica } from './harness/replica.ts'

let instance: TestInstance
let key: string
beforeAll(async () => {
  instance = await startInstance()
  key = (await instance.agent('worker', ['telemetry:write'])).key
})
afterAll(() => instance.stop())

const waiting = { timeout: 30_000, interval: 50 }

async function start(sinks: readonly object[]): Promise<Replica> {
  const replica = await startReplica(instance, sinks)
  onTestFinished(() => replica.stop())
  return replica
}

const linesOf = async (file: string): Promise<readonly string[]> =>
  (await readFile(join(instance.dir, file), 'utf8').catch(() => '')).split('\n').slice(0, -1)

/** The file holds the log, all of it, and verifies. */
async function mirrors(file: string, log: string): Promise<void> {
  await expect.poll(async () => (await linesOf(file)).length - (await entriesOf(instance, log)).length, waiting).toBe(0)
  const lines = await linesOf(file)
  expect(lines).toEqual(await entriesOf(instance, log))
  const items = lines.map((line, seq) => ({ seq, entry: Buffer.from(line) }))
  expect(await verifyChain(items, { log })).toMatchObject({ chain_valid: true, count: lines.length })
}

describe('a file sink on a server', () => {
  it('L9: has every log of every tenant in a file of its own, which verifies, and goes on where it was after a restart', async () => {
    const sinks = [{ kind: 'file', dir: 'first' }]
    const one = await start(sinks)
    const made = await instance.call('TenantService/Create', { name: 'globex' })
    expect(made.status).toBe(200)
    for (let turn = 0; turn < 20; turn += 1) await one.post('HubService/StartRun', key, { workflow: 'w' })
    for (const log of ['main', 'system', 'globex']) await mirrors(`first/${log}.ndjson`, log)
    await expect.poll(() => one.lag('file'), waiting).toBe(0)
    await one.stop()
    await instance.call('HubService/StartRun', { workflow: 'w' }, { key })
    const other = await start(sinks)
    await mirrors('first/main.ndjson', 'main')
    await expect.poll(() => other.lag('file'), waiting).toBe(0)
  })

  it('L9: is written by one of two servers, and by the other one when that has gone, without a gap and nothing twice', async () => {
    const sinks = [{ kind: 'file', name: 'shared', dir: 'shared' }]
    const [one, other] = [await start(sinks), await start(sinks)]
    const end = new AbortController()
    const load = (async () => {
      while (!end.signal.aborted) await other.post('HubService/StartRun', key, { workflow: 'w' })
    })()
    await expect.poll(async () => (await linesOf('shared/main.ndjson')).length, waiting).toBeGreaterThan(30)
    await one.stop()
    const there = (await linesOf('shared/main.ndjson')).length
    await expect.poll(async () => (await linesOf('shared/main.ndjson')).length, waiting).toBeGreaterThan(there)
    end.abort()
    await load
    await mirrors('shared/main.ndjson', 'main')
  })

  it('L9: says in the ledger that its file was deleted, and writes it again', async () => {
    const { post } = await start([{ kind: 'file', name: 'harmed', dir: 'harmed' }])
    await mirrors('harmed/main.ndjson', 'main')
    await rm(join(instance.dir, 'harmed/main.ndjson'))
    await post('HubService/StartRun', key, { workflow: 'w' })
    await mirrors('harmed/main.ndjson', 'main')
    const events = (await entriesOf(instance, 'system')).map((text) => parseEntry(Buffer.from(text)))
    const bodies = events.flatMap((event) => (event.ok ? [event.entry.body] : []))
    expect(bodies).toContainEqual(
      expect.objectContaining({
        kind: 'ledger.sink',
        outcome: 'error',
        args: { log: 'main', sink: 'harmed', what: 'deleted' },
        reason: expect.stringContaining('it goes on with entry 0'),
      }),
    )
  })

  it('L9: that is away does not stop the start; it lags, and catches up once it is back', async () => {
    // A folder stands where the file should be.
    const blocked = join(instance.dir, 'away/main.ndjson')
    await mkdir(blocked, { recursive: true })
    const { post, lag } = await start([{ kind: 'file', name: 'away', dir: 'away' }])
    expect(await post('HubService/StartRun', key, { workflow: 'w' })).toBe(200)
    await expect.poll(() => lag('away'), waiting).toBeGreaterThan(0)
    await rm(blocked, { recursive: true })
    await mirrors('away/main.ndjson', 'main')
    await expect.poll(() => lag('away'), waiting).toBe(0)
  })

  it('L9: that cannot be made stops the start, with everything that is wrong', async () => {
    const sinks = [
      { kind: 'syslog', host: 'logs.example.com', caFile: 'absent.pem' },
      { kind: 'nats', servers: ['tls://nats.example.com'], stream: 'L', credsFile: 'absent.creds' },
    ]
    await expect(startReplica(instance, sinks)).rejects.toThrow(
      /audit\.sinks\.0\.caFile[\s\S]*audit\.sinks\.1\.credsFile/,
    )
  })
})
