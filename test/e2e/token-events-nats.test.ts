import { jetstreamManager } from '@nats-io/jetstream'
import { connect, type Msg, type NatsConnection } from '@nats-io/transport-node'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { sinkClasses, type SinkBatch, type SinkEntry } from '#ledger'
import { startInstance } from '../harness/instance.ts'
import { TestNats } from '../harness/nats.ts'
import { makeApp, token } from '../harness/oauth.ts'
import { startReplica } from '../harness/replica.ts'

const subject = 'portcullis.token-events'
let nats: TestNats
let client: NatsConnection
beforeAll(async () => {
  nats = await TestNats.start()
  client = await connect({ servers: `127.0.0.1:${nats.port}` })
})
afterAll(async () => {
  await client.close()
  await nats.remove()
})

const log = { log: 'main', origin: 'ledger.example/main' }
const entry = (seq: number, kind: string): SinkEntry => ({
  seq,
  entry: Buffer.from(JSON.stringify({ body: { args: { kind: 'token.issued' }, kind }, seq })),
  leaf: Buffer.alloc(32, seq),
})
const batch: SinkBatch = {
  ...log,
  entries: [entry(0, 'decision'), entry(1, 'token.issued'), entry(2, 'refresh_replay'), entry(3, 'token.introspected')],
}

let sinks = 0
function sinkTo(stream: string, createStream: boolean) {
  sinks += 1
  const servers = [`nats://127.0.0.1:${nats.port}`]
  const sink = new sinkClasses.nats({ name: 'nats', servers, stream, subject: `events${sinks}`, createStream })
  onTestFinished(() => sink.close())
  return { sink, subject: `events${sinks}` }
}

/** What a plain subscriber hears. */
function subscribe(): readonly Msg[] {
  const heard: Msg[] = []
  const subscription = client.subscribe(subject, { callback: (_error, message) => void heard.push(message) })
  onTestFinished(() => subscription.unsubscribe())
  return heard
}

describe('token events in NATS', () => {
  it('A11: are heard under their subject before the batch is acknowledged, in the bytes of their entries', async () => {
    const heard = subscribe()
    await client.flush()
    const { sink } = sinkTo('EVENTS1', true)
    await sink.send(batch, AbortSignal.timeout(20_000))
    await client.flush()
    expect(heard.map((message) => message.json<{ readonly seq: number }>().seq)).toEqual([1, 2])
    expect(heard[0]?.headers?.get('Nats-Msg-Id')).toBe('ledger.example/main/1/token-event')
    expect(heard[0]?.headers?.get('Portcullis-Log')).toBe('main')
    expect(heard[0]?.headers?.get('Portcullis-Record-Hash')).toBe('01'.repeat(32))
  })

  it('A11: are kept once in a stream that holds the subject, however often they are sent', async () => {
    const manager = await jetstreamManager(client)
    await manager.streams.add({ name: 'EVENTS2', subjects: ['events2.>', subject] })
    const { sink } = sinkTo('EVENTS2', false)
    await sink.send(batch, AbortSignal.timeout(20_000))
    await sink.send(batch, AbortSignal.timeout(20_000))
    const { state } = await manager.streams.info('EVENTS2', { subjects_filter: '>' })
    expect(state.subjects).toEqual({ 'events2.entries.main': 4, [subject]: 2 })
    await manager.streams.delete('EVENTS2')
  })

  it('A11: come from a running instance with a sink', async () => {
    const heard = subscribe()
    await client.flush()
    const sink = { kind: 'nats', servers: [`nats://127.0.0.1:${nats.port}`], stream: 'LEDGER', createStream: true }
    const instance = await startInstance()
    onTestFinished(() => instance.stop())
    const replica = await startReplica(instance, [sink])
    onTestFinished(() => replica.stop())
    const app = await makeApp(instance, { name: 'events' })
    expect((await token(instance.url, app, { grant_type: 'client_credentials' })).status).toBe(200)
    await expect.poll(() => heard.length, { timeout: 10_000 }).toBeGreaterThan(0)
    expect(heard[0]?.json()).toMatchObject({ log: 'main', body: { kind: 'token.issued', args: { client: app.id } } })
    expect(heard[0]?.string()).not.toContain(app.secret)
  })
})
