import { expect, it, onTestFinished, vi } from 'vitest'
import { misbehave, reply } from '../../../test/fakes/http-target.ts'
import { error, startObjectStore } from '../../../test/fakes/object-store.ts'
import { NotAcknowledged } from './not-acknowledged.ts'
import { S3Sink, type S3SinkSettings } from './s3.ts'
import { ndjson } from './sink-http.ts'
import { batchOf, chain, checkpoint, origin, secretFiles } from './sink.fixture.ts'

async function start(more: Partial<S3SinkSettings> = {}) {
  const { store, target } = await startObjectStore('ledger-bucket')
  const secrets = secretFiles({ id: 'key-of-the-test', secret: 'secret-of-the-test' })
  const settings = {
    name: 's3',
    bucket: 'ledger-bucket',
    region: 'eu-central-1',
    endpoint: target.url,
    forcePathStyle: true,
    allowPrivate: true,
    accessKeyIdFile: secrets.files['id'],
    secretAccessKeyFile: secrets.files['secret'],
    ...more,
  }
  const sinks: S3Sink[] = []
  const another = () => {
    const made = new S3Sink(settings)
    sinks.push(made)
    return made
  }
  onTestFinished(async () => {
    for (const sink of sinks) await sink.close()
    await target.stop()
    secrets.remove()
  })
  return { store, target, sink: another(), another }
}

const patience = () => AbortSignal.timeout(25_000)
const first = `entries/${origin}/00000000000000000000.ndjson`
const log = { log: 'main', origin }
const textOf = (store: { objects: ReadonlyMap<string, { body: Buffer }> }, key: string) =>
  store.objects.get(key)?.body.toString()

it('L9: a batch is an object that is made once, locked until its day, with the exact bytes', async () => {
  const { store, sink } = await start({ prefix: '/audit/', lockMode: 'compliance', retainDays: 365 })
  const entries = chain(3)
  await sink.send(batchOf(entries), patience())
  const kept = store.objects.get(`audit/${first}`)
  expect(kept?.body.equals(ndjson(entries))).toBe(true)
  expect(kept?.headers).toMatchObject({
    'if-none-match': '*',
    'content-type': 'application/x-ndjson',
    'x-amz-object-lock-mode': 'COMPLIANCE',
    'x-amz-checksum-sha256': expect.any(String),
  })
  const until = Date.parse(String(kept?.headers['x-amz-object-lock-retain-until-date']))
  expect(Math.round((until - Date.now()) / 86_400_000)).toBe(365)
})

it('L9: the same again counts as kept; a longer batch adds what is missing', async () => {
  const { store, sink, another } = await start()
  const entries = chain(6)
  await sink.send(batchOf(entries.slice(0, 3)), patience())
  await another().send(batchOf(entries.slice(0, 3)), patience())
  expect([...store.objects.keys()]).toEqual([first])
  // A crash between the upload and the cursor: the batch has grown meanwhile.
  await another().send(batchOf(entries), patience())
  expect([...store.objects.keys()]).toEqual([first, `entries/${origin}/00000000000000000003.ndjson`])
  await another().send(batchOf(entries.slice(0, 2)), patience())
  expect([...store.objects.values()].map(({ body }) => body.toString()).join('')).toBe(ndjson(entries).toString())
})

it('L9: other content under the same name is never acknowledged, and is named', async () => {
  const { store, sink } = await start()
  await sink.send(batchOf(chain(3)), patience())
  const failed = sink.send(batchOf(chain(3, 'forged')), patience())
  await expect(failed).rejects.toThrow(`${first} holds other entries`)
  await expect(failed).rejects.toBeInstanceOf(NotAcknowledged)
  expect(textOf(store, first)).toBe(ndjson(chain(3)).toString())
  const torn = store.objects.get(first)
  if (torn) store.objects.set(first, { ...torn, body: torn.body.subarray(0, -5) })
  await expect(sink.send(batchOf(chain(3)), patience())).rejects.toThrow(/holds other entries/)
})

it('L9: a large batch becomes objects that can each be read back within the bound', async () => {
  const { store, sink } = await start()
  const entries = chain(40, 'x'.repeat(48_000))
  await sink.send(batchOf(entries), patience())
  const bodies = [...store.objects.values()].map(({ body }) => body)
  expect(bodies.length).toBeGreaterThan(1)
  expect(Math.max(...bodies.map(({ length }) => length))).toBeLessThan(1024 * 1024)
  expect(Buffer.concat(bodies).equals(ndjson(entries))).toBe(true)
  await sink.send(batchOf(entries), patience())
  expect(store.objects.size).toBe(bodies.length)
})

it('L8: the newest checkpoint is found among few and among many, without those of other logs', async () => {
  const { store, sink, another } = await start()
  expect(await sink.newest(log, patience())).toBeUndefined()
  await sink.publish(checkpoint(5), patience())
  await sink.publish({ ...checkpoint(900), origin: `${origin}/archive` }, patience())
  expect(await another().newest(log, patience())).toBe(checkpoint(5).note)
  for (let size = 10; size <= 40_000; size += 10) {
    const note = Buffer.from(checkpoint(size).note)
    store.objects.set(`checkpoints/${origin}/${String(size).padStart(20, '0')}`, { body: note, headers: {} })
  }
  store.listings = 0
  const late = another()
  expect(await late.newest(log, patience())).toBe(checkpoint(40_000).note)
  expect(store.listings).toBeLessThan(12)
  store.listings = 0
  await late.publish(checkpoint(40_001), patience())
  expect(await late.newest(log, patience())).toBe(checkpoint(40_001).note)
  expect(store.listings).toBe(1)
})

it('L8: a checkpoint of the same size is the same or a fork', async () => {
  const { sink } = await start()
  await sink.publish(checkpoint(5), patience())
  const resigned = checkpoint(5).note.replace(/— .*/, '— ledger.example AAAAAA==')
  await sink.publish({ ...checkpoint(5), note: resigned }, patience())
  const forked = sink.publish(checkpoint(5, 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='), patience())
  await expect(forked).rejects.toThrow(/checkpoint of another log/)
})

it('L9: a key in files is read at each use', async () => {
  const { sink, target } = await start({ accessKeyIdFile: '/nowhere/at/all' })
  await expect(sink.send(batchOf(chain(1)), patience())).rejects.toThrow(/ENOENT.*put it back/)
  expect(target.received).toEqual([])
})

it('L9: what the store says is told with what to do', async () => {
  const { target, sink } = await start()
  for (const [answer, why] of [
    [error(403, 'AccessDenied'), /403 AccessDenied: check its credentials/],
    [error(404, 'NoSuchBucket'), /404 NoSuchBucket: make the bucket/],
    [error(501, 'NotImplemented'), /501 NotImplemented: its store has no If-None-Match/],
    [error(409, 'ConditionalRequestConflict'), /409 .*tried again/],
    [error(301, 'PermanentRedirect'), /301 .*set region/],
  ] as const) {
    target.next.push(answer)
    await expect(sink.send(batchOf(chain(1)), patience())).rejects.toThrow(why)
  }
  target.next.push(error(503, 'SlowDown', { 'retry-after': '3' }))
  await expect(sink.send(batchOf(chain(1)), patience())).rejects.toMatchObject({ retryAfterMs: 3000 })
})

it('L8: a page that is no list is not taken for an empty one', async () => {
  const { target, sink } = await start()
  for (const answer of [
    misbehave.lie,
    reply(200, ''),
    reply(200, '<?xml version="1.0"?><Other></Other>'),
    misbehave.endless,
  ]) {
    target.next.push(answer)
    await expect(sink.newest(log, patience())).rejects.toThrow()
  }
})

it('L9: without a key in files or anywhere else the sink says what to do', async () => {
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE']) vi.stubEnv(name, undefined)
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nowhere/at/all')
  vi.stubEnv('AWS_CONFIG_FILE', '/nowhere/at/all')
  onTestFinished(() => void vi.unstubAllEnvs())
  const { sink } = await start({ accessKeyIdFile: undefined, secretAccessKeyFile: undefined })
  await expect(sink.send(batchOf(chain(1)), patience())).rejects.toThrow(/no AWS credentials: name accessKeyIdFile/)
})
