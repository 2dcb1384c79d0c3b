import { expect, it, onTestFinished } from 'vitest'
import { HttpTarget, reply } from '../../../test/fakes/http-target.ts'
import { OtlpSink } from './otlp.ts'
import { batchOf, chain, checkpoint, origin, secretFiles } from './sink.fixture.ts'

async function start(always: Parameters<typeof HttpTarget.start>[0]) {
  const target = await HttpTarget.start(always)
  const secrets = secretFiles({ headers: 'x-api-key: key-of-the-test\nx-team: a' })
  const sink = new OtlpSink({
    name: 'otlp',
    endpoint: `${target.url}/otlp/`,
    headersFile: secrets.files['headers'],
    allowPrivate: true,
  })
  onTestFinished(async () => {
    await sink.close()
    await target.stop()
    secrets.remove()
  })
  return { target, sink }
}

const patience = () => AbortSignal.timeout(25_000)

interface Export {
  readonly resourceLogs: readonly { readonly scopeLogs: readonly { readonly logRecords: readonly LogRecord[] }[] }[]
}

interface LogRecord {
  readonly timeUnixNano: string
  readonly body: { readonly stringValue: string }
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, string>> }[]
}

const recordsOf = (body: Buffer | undefined) =>
  (JSON.parse(String(body)) as Export).resourceLogs.flatMap(({ scopeLogs }) =>
    scopeLogs.flatMap(({ logRecords }) => logRecords),
  )

it('L9: each entry is a log record with its exact text, its place and its hash', async () => {
  const { target, sink } = await start(reply(200, {}))
  const entries = chain(3)
  await sink.send(batchOf(entries), patience())
  const [got] = target.received
  expect(got).toMatchObject({ url: '/otlp/v1/logs', headers: { 'x-api-key': 'key-of-the-test', 'x-team': 'a' } })
  const records = recordsOf(got?.body)
  expect(records.map(({ body }) => body.stringValue)).toEqual(entries.map(({ entry }) => Buffer.from(entry).toString()))
  expect(records[1]?.timeUnixNano).toBe('1795286729000001000')
  expect(records[1]?.attributes).toEqual([
    { key: 'portcullis.origin', value: { stringValue: origin } },
    { key: 'portcullis.seq', value: { intValue: '1' } },
    { key: 'portcullis.leaf', value: { stringValue: Buffer.from(entries[1]?.leaf ?? []).toString('hex') } },
  ])
})

it('L9: a success with rejected records is none, and says why', async () => {
  const { sink } = await start(reply(200, { partialSuccess: { rejectedLogRecords: '2', errorMessage: 'too\nold' } }))
  await expect(sink.send(batchOf(chain(3)), patience())).rejects.toThrow(/rejected 2 records: too old/)
})

it('L9: a warning, an empty reply and 204 are successes', async () => {
  const { target, sink } = await start(reply(204))
  target.next.push(reply(200, { partialSuccess: { errorMessage: 'soon deprecated' } }), reply(200, ''))
  for (let at = 0; at < 3; at += 1) await sink.send(batchOf(chain(1)), patience())
  await sink.publish(checkpoint(3), patience())
  expect(recordsOf(target.received.at(-1)?.body)[0]?.body.stringValue).toBe(checkpoint(3).note)
})
