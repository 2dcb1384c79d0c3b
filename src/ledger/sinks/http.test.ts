import { writeFileSync } from 'node:fs'
import { expect, it, onTestFinished } from 'vitest'
import { HttpTarget, misbehave, reply } from '../../../test/fakes/http-target.ts'
import { HttpSink } from './http.ts'
import { ndjson } from './sink-http.ts'
import { batchOf, chain, checkpoint, origin, secretFiles } from './sink.fixture.ts'

async function start(always: Parameters<typeof HttpTarget.start>[0] = reply(204)) {
  const target = await HttpTarget.start(always)
  const secrets = secretFiles({ token: 'first-token' })
  const tokenFile = secrets.files['token'] ?? ''
  const sink = new HttpSink({ name: 'http', url: `${target.url}/in?team=a`, tokenFile, allowPrivate: true })
  onTestFinished(async () => {
    await sink.close()
    await target.stop()
    secrets.remove()
  })
  return { target, sink, tokenFile }
}

const patience = () => AbortSignal.timeout(25_000)

it('L9: a batch is posted as NDJSON of the exact bytes, under a key that names it in the whole world', async () => {
  const { target, sink } = await start()
  const entries = chain(5).slice(2)
  await sink.send(batchOf(entries), patience())
  const [got] = target.received
  expect(got).toMatchObject({
    method: 'POST',
    url: '/in?team=a',
    headers: {
      'content-type': 'application/x-ndjson',
      'idempotency-key': `${origin}/2-4`,
      authorization: 'Bearer first-token',
    },
  })
  expect(got?.body.equals(ndjson(entries))).toBe(true)
})

it('L9: a checkpoint is posted as its exact text', async () => {
  const { target, sink } = await start()
  await sink.publish(checkpoint(7), patience())
  expect(target.received[0]?.headers['idempotency-key']).toBe(`${origin}/checkpoint/7`)
  expect(target.received[0]?.body.toString()).toBe(checkpoint(7).note)
})

it('L9: a token that changed in its file is used from then on', async () => {
  const { target, sink, tokenFile } = await start()
  await sink.send(batchOf(chain(1)), patience())
  writeFileSync(tokenFile, 'the-second-token\n')
  await sink.send(batchOf(chain(1)), patience())
  expect(target.received.map(({ headers }) => headers.authorization)).toEqual([
    'Bearer first-token',
    'Bearer the-second-token',
  ])
})

it('L9: an endless reply with a status of success acknowledges, after its bound', async () => {
  const { sink } = await start(misbehave.endless)
  await expect(sink.send(batchOf(chain(1)), patience())).resolves.toBeUndefined()
})
