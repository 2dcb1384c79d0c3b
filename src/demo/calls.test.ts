import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import { create, toBinary } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { ErrorInfoSchema, HubService, StartRunResponseSchema, StatusSchema } from '@portcullis/contract'
import { describe, expect, it } from 'vitest'
import { Secret } from '#core'
import { Calls, DemoRefused } from './calls.ts'
import { Channel } from './grpc-client.ts'
import { Tally } from './tally.ts'

type Answer = (stream: ServerHttp2Stream) => void

/** A server that gives the answers in turn, and the calls it got. */
async function serve(answers: readonly Answer[]) {
  const seen: IncomingHttpHeaders[] = []
  const server = createServer()
  server.on('stream', (stream, headers) => {
    seen.push(headers)
    answers[Math.min(seen.length, answers.length) - 1]?.(stream)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return { seen, address: `127.0.0.1:${address.port}`, stop: () => server.close() }
}

const trailersOnly =
  (status: string, details?: Uint8Array): Answer =>
  (stream) => {
    const more = details === undefined ? {} : { 'grpc-status-details-bin': Buffer.from(details).toString('base64') }
    stream.respond({ 'content-type': 'application/grpc', 'grpc-status': status, ...more }, { endStream: true })
  }

const hangUp: Answer = (stream) => stream.session?.destroy()

const started: Answer = (stream) => {
  stream.respond({ 'content-type': 'application/grpc' }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
  const message = toBinary(StartRunResponseSchema, create(StartRunResponseSchema, { run: { id: 'run_1' } }))
  const frame = Buffer.alloc(5 + message.length)
  frame.writeUInt32BE(message.length, 1)
  frame.set(message, 5)
  // In two parts, as a network may cut it.
  stream.write(frame.subarray(0, 7))
  stream.end(frame.subarray(7))
}

const key = new Secret('pc_test')
const method = HubService.method.startRun

describe('the calls of the demo', () => {
  it('M3: a call that finds the server away is sent again with its idempotency key, and counted once', async () => {
    const server = await serve([trailersOnly('14'), hangUp, started])
    const channel = await Channel.connect(server.address, 1)
    const tally = new Tally()
    const { run } = await new Calls(channel, tally).must(method, { workflow: 'w' }, { key })
    channel.close()
    server.stop()
    expect(run?.id).toBe('run_1')
    const keys = server.seen.map((headers) => headers['idempotency-key'])
    expect([keys.length, new Set(keys).size]).toEqual([3, 1])
    expect(server.seen[0]).toMatchObject({ authorization: 'Bearer pc_test', 'content-type': 'application/grpc+proto' })
    expect([tally.calls, tally.allowed, tally.sentAgain]).toEqual([1, 1, 2])
  })

  it('M3: a refusal is not sent again; its code and request come from the details', async () => {
    const detail = create(ErrorInfoSchema, { reason: 'rate.limited', metadata: { requestId: 'req_1' } })
    const status = create(StatusSchema, {
      code: 8,
      message: 'Too many calls.',
      details: [anyPack(ErrorInfoSchema, detail)],
    })
    const server = await serve([trailersOnly('8', toBinary(StatusSchema, status))])
    const channel = await Channel.connect(server.address, 1)
    const tally = new Tally()
    const error: unknown = await new Calls(channel, tally).must(method, {}, { key }).catch((thrown: unknown) => thrown)
    channel.close()
    server.stop()
    expect(server.seen).toHaveLength(1)
    if (!(error instanceof DemoRefused)) throw new Error('not refused', { cause: error })
    expect(error.refused).toMatchObject({ code: 'rate.limited', message: 'Too many calls.', requestId: 'req_1' })
    expect(error.message).toBe('HubService/StartRun: Too many calls.')
    expect([tally.calls, tally.allowed, tally.refused.get('rate.limited')]).toEqual([1, 0, 1])
  })

  it('M3: what should be refused and is allowed ends the demo', async () => {
    const server = await serve([started])
    const channel = await Channel.connect(server.address, 1)
    const calls = new Calls(channel, new Tally())
    await expect(calls.mustNot(method, {}, { key }, 'auth.scope_missing')).rejects.toThrow(/was allowed/)
    channel.close()
    server.stop()
  })
})
