import { expect, it, onTestFinished } from 'vitest'
import type { Clock } from '#core'
import { HttpTarget, misbehave, reply, type Answer } from '../../../test/fakes/http-target.ts'
import { batchOf, chain, checkpoint, origin, secretFiles } from './sink.fixture.ts'
import { SplunkSink, type SplunkSinkSettings } from './splunk.ts'

/** A collector that indexes when it is told to. */
class Collector {
  readonly events: string[] = []
  readonly channels = new Set<unknown>()
  /** Asked for this many times before it says true. */
  slowness = 0
  asked = 0
  /** Told of each question for an acknowledgement. */
  onAsked: () => void = () => undefined

  answer: Answer = (response, request) => {
    if (request.headers.authorization !== 'Splunk token-of-the-test') {
      return reply(403, { text: 'Invalid token', code: 4 })(response, request)
    }
    this.channels.add(request.headers['x-splunk-request-channel'])
    if (request.url === '/services/collector/event') {
      this.events.push(request.body.toString())
      return reply(200, { text: 'Success', code: 0, ackId: this.events.length - 1 })(response, request)
    }
    this.asked += 1
    this.onAsked()
    const { acks } = JSON.parse(request.body.toString()) as { acks: readonly number[] }
    const done = this.asked > this.slowness
    return reply(200, { acks: Object.fromEntries(acks.map((id) => [id, done])) })(response, request)
  }
}

async function start(more: Partial<SplunkSinkSettings> = {}, clock?: Clock) {
  const collector = new Collector()
  const target = await HttpTarget.start((response, request) => collector.answer(response, request))
  const secrets = secretFiles({ token: 'token-of-the-test', wrong: 'another-token' })
  const settings = { name: 'splunk', url: target.url, acknowledge: 'indexed', allowPrivate: true, ...more } as const
  const sink = new SplunkSink({ ...settings, tokenFile: secrets.files[more.tokenFile ?? 'token'] ?? '' }, clock)
  onTestFinished(async () => {
    await sink.close()
    await target.stop()
    secrets.remove()
  })
  return { collector, target, sink }
}

/** A forwarder gives up once the sink waits for the indexers. */
function untilAsked(collector: Collector): AbortSignal {
  const giveUp = new AbortController()
  collector.onAsked = () => giveUp.abort()
  return giveUp.signal
}

const patience = () => AbortSignal.timeout(25_000)
const eventsOf = (text = '') => JSON.parse(`[${text.replaceAll('}{', '},{')}]`) as Readonly<Record<string, unknown>>[]

it('L9: a batch is acknowledged once its indexers have it, not when it was taken', async () => {
  const { collector, sink } = await start({ index: 'audit' })
  collector.slowness = 2
  const entries = chain(2)
  await sink.send(batchOf(entries), patience())
  expect(collector.asked).toBe(3)
  const [event] = eventsOf(collector.events[0])
  expect(event).toEqual({
    time: 1795286729,
    source: origin,
    sourcetype: 'portcullis:ledger',
    index: 'audit',
    event: Buffer.from(entries[0]?.entry ?? []).toString(),
    fields: { seq: 0, leaf: Buffer.from(entries[0]?.leaf ?? []).toString('hex') },
  })
  expect(collector.channels.size).toBe(1)
})

it('L9: what was sent and is not indexed yet is asked for by the next attempt, not sent again', async () => {
  const { collector, sink } = await start()
  collector.slowness = Number.POSITIVE_INFINITY
  const batch = batchOf(chain(2))
  await expect(sink.send(batch, untilAsked(collector))).rejects.toThrow(/not indexed them yet|given up/)
  expect(collector.events).toHaveLength(1)
  collector.slowness = 0
  await sink.send(batch, patience())
  expect(collector.events).toHaveLength(1)
})

it('L9: what is not indexed within a minute is sent again', async () => {
  let now = 0
  const { collector, sink } = await start({}, { now: () => now, monotonic: () => now })
  collector.slowness = Number.POSITIVE_INFINITY
  const batch = batchOf(chain(2))
  await expect(sink.send(batch, untilAsked(collector))).rejects.toThrow()
  now = 60_001
  collector.slowness = 0
  await sink.send(batch, patience())
  expect(collector.events).toHaveLength(2)
})

it('L9: where only being accepted is asked for, nobody waits for the indexers', async () => {
  const { collector, sink } = await start({ acknowledge: 'accepted' })
  await sink.send(batchOf(chain(2)), patience())
  await sink.publish(checkpoint(2), patience())
  expect(collector.asked).toBe(0)
  expect(eventsOf(collector.events[1])[0]).toMatchObject({
    sourcetype: 'portcullis:checkpoint',
    event: checkpoint(2).note,
  })
})

it('L9: what Splunk says is told with what to do', async () => {
  const { target, sink } = await start()
  target.next.push(reply(400, { text: 'ACK is disabled', code: 14 }))
  await expect(sink.send(batchOf(chain(1)), patience())).rejects.toThrow(/ACK is disabled; .*acknowledge: accepted/)
  target.next.push(reply(200, { text: 'Success', code: 0 }))
  await expect(sink.send(batchOf(chain(1)), patience())).rejects.toThrow(/no ackId.*acknowledge: accepted/)
  target.next.push(reply(503, { text: 'Server is busy', code: 9 }))
  await expect(sink.send(batchOf(chain(1)), patience())).rejects.toThrow(/503, code 9: Server is busy/)
  target.next.push(misbehave.lie)
  await expect(sink.send(batchOf(chain(1)), patience())).rejects.toThrow(/something else/)
})

it('L9: a wrong token is refused without showing it', async () => {
  const { sink } = await start({ tokenFile: 'wrong' })
  const failed = sink.send(batchOf(chain(1)), patience())
  await expect(failed).rejects.toThrow(/check the token in tokenFile/)
  await expect(failed).rejects.not.toThrow(/another-token/)
})
