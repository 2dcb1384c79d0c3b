import { create, toBinary } from '@bufbuild/protobuf'
import type { ClientHttp2Session } from 'node:http2'
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
  instance = await startInstance()
  authorization = `Bearer ${instance.adminKey}`
})
afterAll(() => instance.stop())
beforeEach(async () => {
  session = await connectRaw(instance.grpc)
})
afterEach(() => session.close())

async function outcomesOf(requestId: string): Promise<readonly string[]> {
  const { body } = await instance.call('LedgerService/Query', { requestId })
  return body.entries.map(({ entryJson }: { entryJson: string }) => JSON.parse(entryJson).body.outcome)
}

it('G1: a call that is refused for its deadline is not performed as well, and has one entry', async () => {
  const workflow = 'deadline-that-is-none'
  const message = toBinary(StartRunRequestSchema, create(StartRunRequestSchema, { workflow }))
  const headers = { authorization, 'x-request-id': workflow, 'grpc-timeout': 'soon' }
  const answer = await callRaw(session, startRun, headers, frame(message))
  expect([answer.code, answer.info?.reason]).toEqual([3, 'input.malformed'])
  const { body } = await instance.call('HubService/ListRuns', { workflow })
  expect(body.runs).toEqual([])
  expect(await outcomesOf(workflow)).toEqual(['deny'])
})

it('G1: a call whose deadline passes before its message has come is not performed, and has its entry', async () => {
  const requestId = 'message-too-late'
  const answer = await new Promise((resolve) => {
    const headers = { 'content-type': 'application/grpc', te: 'trailers', authorization, 'x-request-id': requestId }
    const stream = session.request({ ':method': 'POST', ':path': startRun, ...headers, 'grpc-timeout': '20m' })
    stream.on('response', (received) => resolve(received['grpc-status']))
    stream.resume()
  })
  expect(answer).toBe('4')
  expect(await outcomesOf(requestId)).toEqual(['deny'])
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
