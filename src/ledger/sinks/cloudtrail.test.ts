import { createHash } from 'node:crypto'
import { expect, it, onTestFinished } from 'vitest'
import { HttpTarget, reply, type Answer } from '../../../test/fakes/http-target.ts'
import { CloudtrailSink } from './cloudtrail.ts'
import { batchOf, chain, checkpoint, origin, secretFiles } from './sink.fixture.ts'

interface Put {
  readonly auditEvents: readonly {
    readonly id: string
    readonly eventData: string
    readonly eventDataChecksum: string
  }[]
}

const putOf = (body: Buffer | undefined): Put => JSON.parse(String(body)) as Put
const takes: Answer = (response, request) => {
  const successful = putOf(request.body).auditEvents.map(({ id }) => ({ id, eventID: `taken-${id}` }))
  reply(200, { successful, failed: [] })(response, request)
}

async function start(always: Answer = takes) {
  const target = await HttpTarget.start(always)
  const secrets = secretFiles({
    id: 'key-of-the-test',
    secret: 'secret-of-the-test',
    session: 'session-of-the-test',
    external: 'ext-1',
  })
  const sink = new CloudtrailSink({
    name: 'cloudtrail',
    channelArn: 'arn:aws:cloudtrail:eu-central-1:123456789012:channel/0e6f0e7a',
    endpoint: target.url,
    allowPrivate: true,
    accessKeyIdFile: secrets.files['id'],
    secretAccessKeyFile: secrets.files['secret'],
    sessionTokenFile: secrets.files['session'],
    externalIdFile: secrets.files['external'],
  })
  onTestFinished(async () => {
    await sink.close()
    await target.stop()
    secrets.remove()
  })
  return { target, sink }
}

const patience = () => AbortSignal.timeout(25_000)

it('L9: entries are audit events of at most a hundred a request, signed, with a checksum and an id that repeats', async () => {
  const { target, sink } = await start()
  const entries = chain(205)
  await sink.send(batchOf(entries), patience())
  expect(target.received.map(({ body }) => putOf(body).auditEvents.length)).toEqual([100, 100, 5])
  const [got] = target.received
  expect(got?.headers).toMatchObject({
    'x-amz-security-token': 'session-of-the-test',
    authorization: expect.stringMatching(
      /^AWS4-HMAC-SHA256 Credential=key-of-the-test\/\d{8}\/eu-central-1\/cloudtrail-data\/aws4_request/,
    ),
  })
  expect(new URL(got?.url ?? '', target.url).searchParams.get('externalId')).toBe('ext-1')
  const [event] = putOf(got?.body).auditEvents
  const data = JSON.parse(event?.eventData ?? '') as Readonly<Record<string, unknown>>
  expect(event?.id).toMatch(/^[-_A-Za-z0-9]{1,128}$/)
  expect(event?.eventDataChecksum).toBe(
    createHash('sha256')
      .update(event?.eventData ?? '')
      .digest('base64'),
  )
  expect(data).toMatchObject({
    UID: `${origin}/0`,
    eventName: '/portcullis.v1.HubService/StartRun',
    eventTime: '2026-11-21T18:45:29Z',
    recipientAccountId: '123456789012',
    sourceIPAddress: '192.0.2.7',
    userIdentity: { type: 'agent', principalId: 'agt_1' },
    additionalEventData: { origin, seq: 0, entry: Buffer.from(entries[0]?.entry ?? []).toString() },
  })
  target.received.splice(0)
  await sink.send(batchOf(entries.slice(0, 1)), patience())
  expect(putOf(target.received[0]?.body).auditEvents[0]?.id).toBe(event?.id)
})

it('L9: large entries are spread over requests below a megabyte', async () => {
  const { target, sink } = await start()
  await sink.send(batchOf(chain(60, 'x'.repeat(40_000))), patience())
  expect(target.received.length).toBeGreaterThan(2)
  expect(Math.max(...target.received.map(({ body }) => body.length))).toBeLessThan(1_000_000)
  expect(target.received.flatMap(({ body }) => putOf(body).auditEvents)).toHaveLength(60)
})

it('L9: an event that failed, or that the reply does not name, is not acknowledged', async () => {
  const { target, sink } = await start((response, request) => {
    const [first, ...others] = putOf(request.body).auditEvents
    const failed = [{ id: first?.id, errorCode: 'InvalidData', errorMessage: 'no such field' }]
    reply(200, { successful: others.map(({ id }) => ({ id, eventID: 'x' })), failed })(response, request)
  })
  await expect(sink.send(batchOf(chain(3)), patience())).rejects.toThrow(
    /did not take 1 of 3 events: InvalidData no such field/,
  )
  target.always = reply(200, { successful: [{ id: 'another', eventID: 'x' }], failed: [] })
  await expect(sink.send(batchOf(chain(1)), patience())).rejects.toThrow(/did not take 1 of 1/)
  target.always = reply(200, {})
  await expect(sink.publish(checkpoint(1), patience())).rejects.toThrow(/did not take 1 of 1/)
})

it('L9: what AWS says is told', async () => {
  const { sink } = await start(reply(400, { __type: 'ChannelNotFound', message: 'The channel is gone' }))
  await expect(sink.send(batchOf(chain(1)), patience())).rejects.toThrow(/400.*ChannelNotFound.*The channel is gone/)
})

it('L9: a checkpoint is an event of its own', async () => {
  const { target, sink } = await start()
  await sink.publish(checkpoint(12), patience())
  const [event] = putOf(target.received[0]?.body).auditEvents
  expect(JSON.parse(event?.eventData ?? '')).toMatchObject({
    UID: `${origin}/checkpoint/12`,
    additionalEventData: checkpoint(12) && { origin, size: 12, note: checkpoint(12).note },
  })
})
