import { createHmac } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { listDeadLetters, replayDeadLetters, testWebhook } from '#server'
import { HttpTarget, reply } from './fakes/http-target.ts'
import { startInstance, type TestInstance } from './harness/instance.ts'
import { startReplica, type Replica } from './harness/replica.ts'

let instance: TestInstance
let target: HttpTarget
const keys = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)] as const
const waiting = { timeout: 20_000, interval: 50 }

beforeAll(async () => {
  instance = await startInstance()
  target = await HttpTarget.start(reply(204))
  const texts = keys.map((key) => `whsec_${key.toString('base64')}\n`)
  await writeFile(join(instance.dir, 'hook-secret'), texts[0] ?? '', { mode: 0o600 })
  await writeFile(join(instance.dir, 'hook-next'), texts[1] ?? '', { mode: 0o600 })
})
afterAll(async () => {
  await target.stop()
  await instance.stop()
})

const setting = (more: object): object => ({
  name: 'pager',
  url: `${target.url}/hook`,
  secretFile: 'hook-secret',
  events: ['kill.engaged', 'kill.released'],
  allowPrivate: true,
  timeoutMs: 1000,
  ...more,
})

async function start(more: object): Promise<Replica> {
  target.received.length = 0
  const replica = await startReplica(instance, [], { webhooks: [setting(more)] })
  onTestFinished(() => replica.stop())
  // A webhook begins with what happens after its first look.
  const admin = await instance.connect('postgres')
  const name = 'name' in more ? more.name : 'pager'
  const seen = async () => (await admin.query('select from portcullis.webhooks where name = $1', [name])).rowCount === 1
  await expect.poll(seen, waiting).toBe(true)
  await admin.end()
  return replica
}

async function kill(name: string): Promise<{ readonly engage: object; readonly release: () => Promise<void> }> {
  const { id } = await instance.agent(name, ['telemetry:write'])
  const { status, body } = await instance.call('KillService/Engage', {
    scope: { kind: 'KILL_SCOPE_KIND_AGENT', id },
    reason: 'a test',
  })
  expect([status, body]).toEqual([200, expect.anything()])
  const { kill: made } = body as unknown as { readonly kill: { readonly id: string } }
  return {
    engage: made,
    release: async () => {
      const released = await instance.call('KillService/Release', { killId: made.id, reason: 'over' })
      expect(released.status).toBe(200)
    },
  }
}

const types = () => target.received.map(({ body }) => (JSON.parse(body.toString()) as { readonly type: string }).type)

/** The check of docs/webhooks.md, with either key. */
function signedBy(at: number): readonly boolean[] {
  const received = target.received[at]
  if (received === undefined) throw new Error('nothing was received')
  const { headers, body } = received
  const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body.toString()}`
  const given = String(headers['webhook-signature']).split(' ')
  return keys.map((key) => given.includes(`v1,${createHmac('sha256', key).update(signed).digest('base64')}`))
}

it('O11: a kill switch is told in order as signed CloudEvents, by one of two servers, each once', async () => {
  await start({ nextSecretFile: 'hook-next' })
  const other = await startReplica(instance, [], { webhooks: [setting({ nextSecretFile: 'hook-next' })] })
  onTestFinished(() => other.stop())
  const { release } = await kill('first')
  await release()
  await expect.poll(types, waiting).toEqual(['portcullis.kill.engaged', 'portcullis.kill.released'])
  const [first] = target.received
  expect(first?.headers).toMatchObject({ 'content-type': 'application/cloudevents+json; charset=utf-8' })
  const event = JSON.parse(first?.body.toString() ?? '') as Record<string, unknown>
  expect(event).toMatchObject({
    specversion: '1.0',
    id: first?.headers['webhook-id'],
    source: 'urn:portcullis:ledger.example:main',
    subject: 'main',
    data: { outcome: 'allow', args: { reason: 'a test' } },
  })
  expect([signedBy(0), signedBy(1)]).toEqual([
    [true, true],
    [true, true],
  ])
})

it('O11: what failed is tried again, what is given up is listed and sent again, and nothing is lost meanwhile', async () => {
  const one = await start({ name: 'flaky', retrySeconds: [1] })
  target.next.push(reply(500), reply(500))
  const { release } = await kill('second')
  const config = { configFile: join(instance.dir, 'flaky.yaml'), env: {} }
  await writeFile(config.configFile, JSON.stringify(await settings({ name: 'flaky' })), { mode: 0o600 })
  const letters = async () => (await listDeadLetters(config, 'flaky')).map(({ error, attempts }) => [error, attempts])
  await expect.poll(letters, waiting).toEqual([['it answered 500', 2]])
  const ids = new Set(target.received.map(({ headers }) => headers['webhook-id']))
  expect(ids.size).toBe(1)
  await one.stop()
  // While no server has it in its settings, the ledger has what happens.
  await release()
  expect(await replayDeadLetters(config, 'flaky', undefined)).toBe(1)
  await expect(replayDeadLetters(config, 'flaky', 'main/1')).rejects.toThrow('flaky has not given up main/1')
  await expect(listDeadLetters(config, 'nobody')).rejects.toThrow('no webhook is named nobody')
  await start({ name: 'flaky', retrySeconds: [1] })
  await expect.poll(() => types().toSorted(), waiting).toEqual(['portcullis.kill.engaged', 'portcullis.kill.released'])
  expect(target.received.filter(({ headers }) => ids.has(headers['webhook-id'])).length).toBe(1)
})

it('O11: a test event is signed and sent at once; a redirect is no success and goes nowhere', async () => {
  target.received.length = 0
  const config = { configFile: join(instance.dir, 'test.yaml'), env: {} }
  await writeFile(config.configFile, JSON.stringify(await settings({ name: 'flaky' })), { mode: 0o600 })
  expect(await testWebhook(config, 'flaky')).toEqual({ id: expect.stringMatching(/^ent_/), problem: undefined })
  expect([types(), signedBy(0)]).toEqual([['portcullis.test'], [true, false]])
  target.next.push(reply(307, '', { location: `${target.url}/elsewhere` }))
  expect((await testWebhook(config, 'flaky')).problem).toBe('it answered 307')
  expect(target.received.map(({ url }) => url)).toEqual(['/hook', '/hook'])
})

async function settings(more: object): Promise<object> {
  const { client } = { client: await instance.connect('portcullis_app') }
  const { user, password, host, port, database } = client
  await client.end()
  return {
    database: { url: `postgres://${user}:${password}@${host}:${port}/${database}` },
    webhooks: [setting(more)],
  }
}
