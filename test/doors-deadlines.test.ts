import { create, toBinary } from '@bufbuild/protobuf'
import { once } from 'node:events'
import { constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { StartRunRequestSchema } from '@portcullis/contract'
import { startInstance, type TestInstance } from './harness/instance.ts'
import { callRaw, connectRaw, frame } from './harness/raw-http2.ts'

const listRuns = '/portcullis.v1.HubService/ListRuns'
const startRun = '/portcullis.v1.HubService/StartRun'

let instance: TestInstance
let authorization: string
let session: ClientHttp2Session

beforeAll(async () => {
  instance = await startInstance({ PORTCULLIS__LIMITS__GRPC__REQUEST_TIMEOUT_MS: '400' })
  authorization = `Bearer ${instance.adminKey}`
})
afterAll(() => instance.stop())
beforeEach(async () => {
  session = await connectRaw(instance.grpc)
})
afterEach(() => session.close())

async function refusalsOf(requestId: string): Promise<readonly string[]> {
  const { body } = await instance.call('LedgerService/Query', { requestId })
  return body.entries.map(({ entryJson }: { entryJson: string }) => {
    const { outcome, code } = JSON.parse(entryJson).body
    return `${outcome} ${code}`
  })
}

it('G1: a call that is refused for its deadline is not performed as well, and has one entry', async () => {
  const workflow = 'deadline-that-is-none'
  const message = toBinary(StartRunRequestSchema, create(StartRunRequestSchema, { workflow }))
  const headers = { authorization, 'x-request-id': workflow, 'grpc-timeout': 'soon' }
  const answer = await callRaw(session, startRun, headers, frame(message))
  expect([answer.code, answer.info?.reason]).toEqual([3, 'input.malformed'])
  const { body } = await instance.call('HubService/ListRuns', { workflow })
  expect(body.runs).toEqual([])
  expect(await refusalsOf(workflow)).toEqual(['deny input.malformed'])
})

/** A call whose message does not end. */
function begin(requestId: string, more: Readonly<Record<string, string>> = {}): ClientHttp2Stream {
  const headers = { 'content-type': 'application/grpc', te: 'trailers', authorization, 'x-request-id': requestId }
  return session.request({ ':method': 'POST', ':path': startRun, ...headers, ...more }).resume()
}

async function statusOf(stream: ClientHttp2Stream): Promise<unknown> {
  const [received] = await once(stream, 'response')
  return received['grpc-status']
}

it('G1: a call whose deadline passes before its message has come is not performed, and has its entry', async () => {
  const requestId = 'message-too-late'
  expect(await statusOf(begin(requestId, { 'grpc-timeout': '20m' }))).toBe('4')
  expect(await refusalsOf(requestId)).toEqual(['deny bounds.deadline'])
})

it('G1: a message has its time to come, whatever deadline the caller sets and however slowly it sends', async () => {
  const [silent, slow] = [begin('message-never'), begin('message-slow', { 'grpc-timeout': '1H' })]
  const message = frame(
    toBinary(StartRunRequestSchema, create(StartRunRequestSchema, { workflow: 'a-byte-at-a-time' })),
  )
  let sent = 0
  const drip = setInterval(() => slow.write(message.subarray(sent, (sent += 1))), 50)
  expect(await Promise.all([statusOf(silent), statusOf(slow)])).toEqual(['4', '4'])
  clearInterval(drip)
  expect(sent).toBeLessThan(message.length)
  expect([await refusalsOf('message-never'), await refusalsOf('message-slow')]).toEqual([
    ['deny bounds.deadline'],
    ['deny bounds.deadline'],
  ])
  const { body } = await instance.call('HubService/ListRuns', { workflow: 'a-byte-at-a-time' })
  expect(body.runs).toEqual([])
})

it('G1: a call that its caller gave up before the message came is one without a message, and not one whose time was up', async () => {
  const stream = begin('message-given-up')
  await delay(50)
  stream.close(constants.NGHTTP2_CANCEL)
  await delay(600)
  expect(await refusalsOf('message-given-up')).toEqual(['deny input.malformed'])
})

it.each(['597H', '35792M', '2147484S', '99999999H'])('G1: a deadline of %s has not passed', async (timeout) => {
  const headers = { authorization, 'grpc-timeout': timeout }
  expect((await callRaw(session, listRuns, headers, frame(Buffer.alloc(0)))).code).toBe(0)
})

it('G1: a passed deadline is answered as such', async () => {
  const message = toBinary(StartRunRequestSchema, create(StartRunRequestSchema, { workflow: 'late' }))
  // The table is held, so that the call cannot be done in time, however fast the machine is.
  const admin = await instance.connect('postgres')
  await admin.query('begin')
  await admin.query('lock table portcullis.runs in access exclusive mode')
  const answer = await callRaw(session, startRun, { authorization, 'grpc-timeout': '50m' }, frame(Buffer.from(message)))
  await admin.query('rollback')
  expect([answer.code, answer.info?.reason]).toEqual([4, 'bounds.deadline'])
})
