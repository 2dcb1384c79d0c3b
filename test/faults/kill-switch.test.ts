import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from 'pg'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { embeddedHome } from '../../src/server/embedded/index.ts'
import { masterKeyFile } from '../../src/server/key-files.ts'
import { call, databaseOf, startInstance, type TestInstance } from '../harness/instance.ts'
import { Portcullis } from '../harness/portcullis.ts'

// Far beyond what it takes (`portcullis kill drill` measures that): both replicas and their callers share the machine with the tests.
const boundMs = 1000
const soon = { timeout: 20_000, interval: 10 }
const rounds = 8
const noLimits = { perSecond: 1_000_000, burst: 1_000_000 }
let instance: TestInstance
let replica: Portcullis
let urls: readonly string[]
let admin: Client

beforeAll(async () => {
  instance = await startInstance({
    PORTCULLIS__LIMITS__RATE__KEY__PER_SECOND: String(noLimits.perSecond),
    PORTCULLIS__LIMITS__RATE__KEY__BURST: String(noLimits.burst),
  })
  const { user, password, host, port, database } = await databaseOf(instance.dir, 'portcullis_app')
  const settings = {
    database: { url: `postgres://${user}:${password}@${host}:${port}/${database}` },
    listen: { grpc: '127.0.0.1:0', http: '127.0.0.1:0', management: '127.0.0.1:0' },
    log: { level: 'fatal' },
    limits: { rate: { key: noLimits } },
    secrets: { keyFile: masterKeyFile(embeddedHome(instance.dir).home) },
  }
  const file = join(instance.dir, 'other.yaml')
  await writeFile(file, JSON.stringify(settings), { mode: 0o600 })
  replica = new Portcullis(['serve', '--json', '--config', file], {})
  const { http } = await replica.ready()
  urls = [instance.url, `http://${http}`]
  admin = await instance.connect('postgres')
})
afterAll(async () => {
  await replica.end()
  await instance.stop()
})

interface Answered {
  readonly sentAt: number
  readonly at: number
  readonly url: string
  readonly code: string
}

/** Callers that start runs at both replicas until they are told to stop, with all that they were answered. */
class Callers {
  readonly answered: Answered[] = []
  readonly #workers: Promise<unknown>
  #over = false

  constructor(key: string, workers: number) {
    this.#workers = Promise.all(
      urls.flatMap((url) => Array.from({ length: workers }, (_, at) => this.#work(url, key, at % 2 === 0))),
    )
  }

  async stop(): Promise<void> {
    this.#over = true
    await this.#workers
  }

  async #work(url: string, key: string, writes: boolean): Promise<void> {
    const method = writes ? 'HubService/StartRun' : 'HubService/ListRuns'
    const body = writes ? { workflow: 'load' } : { pageSize: 1 }
    while (!this.#over) {
      const sentAt = performance.now()
      const { status, body: reply } = await call(url, method, body, { key }).catch(() => ({
        status: 0,
        body: { code: 'no answer' },
      }))
      this.answered.push({ sentAt, at: performance.now(), url, code: status === 200 ? 'ok' : String(reply.code) })
    }
  }
}

async function runs(agentId: string): Promise<number> {
  const text = 'select count(*)::int as n from portcullis.runs where agent_id = $1'
  const { rows } = await admin.query<{ n: number }>(text, [agentId.slice('agt_'.length)])
  return rows[0]?.n ?? 0
}

it('K2: under load on two replicas nothing is let in once engage has answered, and denials come in time', async () => {
  const agent = await instance.agent('loaded', ['telemetry:write', 'telemetry:read'])
  const tookMs: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const callers = new Callers(agent.key, 4)
    await vi.waitFor(() => {
      for (const url of urls) expect(callers.answered.some((one) => one.url === url && one.code === 'ok')).toBe(true)
    }, soon)
    const askedAt = performance.now()
    const scope = { kind: 'agent', id: agent.id }
    const { status, body } = await instance.call('KillService/Engage', { scope, reason: 'under load' })
    const engagedAt = performance.now()
    const before = await runs(agent.id)
    expect([status, body]).toMatchObject([200, { replicas: 2, replicasAcknowledged: 2 }])
    for (const url of urls)
      await vi.waitFor(
        () => expect(callers.answered.some((one) => one.url === url && one.sentAt > engagedAt)).toBe(true),
        soon,
      )
    await callers.stop()
    const after = callers.answered.filter(({ sentAt }) => sentAt > engagedAt)
    expect(new Set(after.map(({ code }) => code))).toEqual(new Set(['kill.engaged']))
    expect(await runs(agent.id)).toBe(before)
    for (const url of urls) {
      const denied = callers.answered.find((one) => one.url === url && one.code === 'kill.engaged')
      tookMs.push((denied?.at ?? Number.POSITIVE_INFINITY) - askedAt)
    }
    expect((await instance.call('KillService/Release', { killId: body.kill.id })).status).toBe(200)
    const start = () => call(urls[1] ?? '', 'HubService/StartRun', { workflow: 'again' }, { key: agent.key })
    await vi.waitFor(async () => expect((await start()).status).toBe(200), soon)
  }
  tookMs.sort((a, b) => a - b)
  // From the call that engages, so that the commit is in it.
  expect(tookMs[Math.ceil(tookMs.length * 0.99) - 1]).toBeLessThan(boundMs)
})

it('K2, K3: a replica that stands still delays engage by no more than its leases, and admits nothing when it goes on', async () => {
  const agent = await instance.agent('frozen', ['telemetry:write'])
  const start = (url: string) => call(url, 'HubService/StartRun', { workflow: 'w' }, { key: agent.key })
  const [here, there] = urls
  if (here === undefined || there === undefined) throw new Error('no replicas')
  expect((await start(there)).status).toBe(200)
  const { pid } = replica.child
  if (pid === undefined) throw new Error('no process')
  // Some are on their way when it freezes.
  const burst = Array.from({ length: 20 }, () => start(there))
  await delay(2)
  process.kill(pid, 'SIGSTOP')
  let engaged
  let waiting: readonly ReturnType<typeof start>[] = []
  const askedAt = performance.now()
  try {
    const scope = { kind: 'agent', id: agent.id }
    engaged = await instance.call('KillService/Engage', { scope, reason: 'frozen' })
    expect([engaged.status, engaged.body]).toMatchObject([200, { replicas: 2, replicasAcknowledged: 1 }])
    expect(performance.now() - askedAt).toBeLessThan(8000)
    waiting = Array.from({ length: 10 }, () => start(there))
    await delay(50)
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  const before = await runs(agent.id)
  const late = await Promise.all(waiting)
  for (const { body } of late) expect(['kill.engaged', 'store.unavailable', 'kill.stale']).toContain(body.code)
  await Promise.all(burst)
  expect(await runs(agent.id)).toBe(before)
  // What it had begun before is cancelled by whoever gets to it.
  await vi.waitFor(
    async () => {
      const text = `select count(*)::int as n from portcullis.runs where agent_id = $1 and finished_at is null`
      const { rows } = await admin.query<{ n: number }>(text, [agent.id.slice('agt_'.length)])
      expect(rows[0]?.n).toBe(0)
    },
    { timeout: 10_000, interval: 50 },
  )
  expect((await instance.call('KillService/Release', { killId: engaged.body.kill.id })).status).toBe(200)
})
