import { gzipSync, deflateSync } from 'node:zlib'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  CreateAgentRequestSchema,
  CreateAgentResponseSchema,
  ListRunsRequestSchema,
  StartRunRequestSchema,
  StartRunResponseSchema,
} from '@portcullis/contract'
import { grpcClient, type GrpcClient } from './harness/grpc.ts'
import { startInstance, type TestInstance } from './harness/instance.ts'
import { callRaw, connectRaw, frame, goawayOfRapidReset, resetRapidly } from './harness/raw-http2.ts'

const listRuns = '/portcullis.v1.HubService/ListRuns'
const startRun = '/portcullis.v1.HubService/StartRun'
const health = '/grpc.health.v1.Health/Check'
const mebibyte = 1024 * 1024

let instance: TestInstance
let grpc: GrpcClient
let authorization: string
const logged = vi.spyOn(process.stderr, 'write')

beforeAll(async () => {
  instance = await startInstance({
    PORTCULLIS__LOG__LEVEL: 'warn',
    PORTCULLIS__LIMITS__RATE__ADDRESS__BURST: '100000',
    // Streams that are reset before their credential was read count as failures of the address.
    PORTCULLIS__LIMITS__RATE__FAILURES__BURST: '100000',
  })
  grpc = grpcClient(instance.grpc)
  authorization = `Bearer ${instance.adminKey}`
})
afterAll(async () => {
  grpc.close()
  await instance.stop()
  vi.restoreAllMocks()
})

async function systemEntries(
  code: string,
): Promise<readonly { readonly reason: string; readonly args?: object; readonly method: string }[]> {
  const { body } = await instance.call('LedgerService/Query', { log: 'system', code, pageSize: 1000 })
  return body.entries.map(({ entryJson }: { entryJson: string }) => JSON.parse(entryJson).body)
}

/** What was logged while the work ran. */
async function logOf(work: () => Promise<unknown>): Promise<string> {
  const before = logged.mock.calls.length
  await work()
  return logged.mock.calls
    .slice(before)
    .map(([text]) => String(text))
    .join('')
}

describe('sizes', () => {
  it('G1: a message over 1 MiB is refused as RESOURCE_EXHAUSTED with a WARN that names the method', async () => {
    const message = toBinary(StartRunRequestSchema, create(StartRunRequestSchema, { workflow: 'x'.repeat(mebibyte) }))
    const headers = { authorization, 'x-request-id': 'oversize-request' }
    const log = await logOf(async () => {
      const answer = await grpc.call(startRun, message, headers)
      expect([answer.code, answer.reason, answer.metadata['x-request-id']]).toEqual([
        8,
        'bounds.message_too_large',
        'oversize-request',
      ])
    })
    expect(log).toContain('warn')
    expect(log).toContain(`method=${startRun}`)
    expect(log).toContain('oversize-request')
  })

  it('G1: exactly 1 MiB is read', async () => {
    const empty = toBinary(
      StartRunRequestSchema,
      create(StartRunRequestSchema, { workflow: 'x'.repeat(mebibyte - 100) }),
    )
    const message = toBinary(
      StartRunRequestSchema,
      create(StartRunRequestSchema, { workflow: 'x'.repeat(mebibyte - 100 + (mebibyte - empty.byteLength)) }),
    )
    expect(message.byteLength).toBe(mebibyte)
    const answer = await grpc.call(startRun, message, { authorization })
    expect(answer.reason).toBe('input.invalid')
  })

  it.each([
    ['gzip', gzipSync(Buffer.alloc(64 * mebibyte))],
    ['deflate', deflateSync(Buffer.alloc(64 * mebibyte))],
  ])('G1: a %s bomb is refused for its size unpacked', async (encoding, bomb) => {
    expect(bomb.byteLength).toBeLessThan(mebibyte)
    const session = await connectRaw(instance.grpc)
    const answer = await callRaw(session, startRun, { authorization, 'grpc-encoding': encoding }, frame(bomb, true))
    expect([answer.code, answer.info?.reason]).toEqual([8, 'bounds.message_too_large'])
    session.close()
  })

  it('C2: a compressed message is read', async () => {
    const session = await connectRaw(instance.grpc)
    const message = gzipSync(toBinary(StartRunRequestSchema, create(StartRunRequestSchema, { workflow: 'small' })))
    expect(
      (await callRaw(session, startRun, { authorization, 'grpc-encoding': 'gzip' }, frame(message, true))).code,
    ).toBe(0)
    session.close()
  })

  it('G1: a caller without a credential has nothing unpacked for it', async () => {
    const session = await connectRaw(instance.grpc)
    const answer = await callRaw(
      session,
      startRun,
      { 'grpc-encoding': 'gzip' },
      frame(gzipSync(Buffer.alloc(64 * mebibyte)), true),
    )
    expect([answer.code, answer.info?.reason]).toEqual([16, 'auth.credential_missing'])
    session.close()
  })

  it.each([
    ['an encoding that is not read', { 'grpc-encoding': 'br' }, frame(Buffer.from('x'), true), 'bounds.content_type'],
    ['bytes that do not unpack', { 'grpc-encoding': 'gzip' }, frame(Buffer.from('not gzip'), true), 'input.malformed'],
    ['no message at all', {}, Buffer.alloc(0), 'input.malformed'],
    ['two messages', {}, Buffer.concat([frame(Buffer.alloc(0)), frame(Buffer.alloc(0))]), 'input.malformed'],
    ['a deadline that is none', { 'grpc-timeout': 'soon' }, frame(Buffer.alloc(0)), 'input.malformed'],
    ['groups nested 20,000 deep', {}, frame(Buffer.alloc(40_000, Uint8Array.of(0xa3, 0x06))), 'input.malformed'],
  ])('G1: %s is refused with a code of ours and the request id', async (_name, headers, body, reason) => {
    const session = await connectRaw(instance.grpc)
    const answer = await callRaw(
      session,
      listRuns,
      { authorization, 'x-request-id': 'broken-message', ...headers },
      body,
    )
    expect([answer.code, answer.info?.reason, answer.info?.domain]).toEqual([3, reason, 'portcullis'])
    expect(answer.headers['x-request-id']).toBe('broken-message')
    expect(answer.details).not.toMatch(/encoding "|RangeError|\.js/)
    session.close()
  })

  it('G1: a message cut short is not performed', async () => {
    const session = await connectRaw(instance.grpc)
    const whole = frame(toBinary(CreateAgentRequestSchema, create(CreateAgentRequestSchema, { name: 'cut-short' })))
    const answer = await callRaw(
      session,
      '/portcullis.v1.IdentityService/CreateAgent',
      { authorization },
      whole.subarray(0, -3),
    )
    expect(answer.code).not.toBe(0)
    const { body } = await instance.call('IdentityService/ListAgents', { name: 'cut-short' })
    expect(body.agents).toEqual([])
    session.close()
  })
})

describe('headers', () => {
  it('G1: more header pairs than the bound end the call below us, and others are served', async () => {
    const session = await connectRaw(instance.grpc)
    const many = Object.fromEntries(Array.from({ length: 120 }, (_, index) => [`x-many-${index}`, 'v']))
    const answer = await callRaw(session, health, many)
    expect(answer.code).toBeUndefined()
    expect(answer.resetCode).not.toBe(0)
    expect((await grpc.call(health, Buffer.alloc(0))).code).toBe(0)
    session.destroy()
  })

  it('G1: fewer pairs than the bound are served', async () => {
    const session = await connectRaw(instance.grpc)
    const some = Object.fromEntries(Array.from({ length: 80 }, (_, index) => [`x-some-${index}`, 'v']))
    expect((await callRaw(session, health, some)).code).toBe(0)
    session.close()
  })

  it('G1: header fields larger than the bound end the call below us', async () => {
    const session = await connectRaw(instance.grpc)
    const answer = await callRaw(session, health, { 'x-large': 'v'.repeat(40_000) })
    expect(answer.code).toBeUndefined()
    expect((await grpc.call(health, Buffer.alloc(0))).code).toBe(0)
    session.destroy()
  })

  it('G3: two credentials are refused, also two equal ones and one in each header', async () => {
    const session = await connectRaw(instance.grpc)
    for (const headers of [
      { authorization: [authorization, authorization] },
      { authorization: [authorization, 'Bearer x'] },
      { authorization, 'x-portcullis-key': instance.adminKey },
      { 'x-portcullis-key': [instance.adminKey, instance.adminKey] },
    ]) {
      const answer = await callRaw(session, listRuns, headers as never)
      expect([answer.code, answer.info?.reason]).toEqual([16, 'auth.credential_ambiguous'])
    }
    session.close()
  })

  it('G3: two credentials joined by a comma are one that is not accepted', async () => {
    const answer = await grpc.call(listRuns, Buffer.alloc(0), { authorization: `${authorization}, ${authorization}` })
    expect([answer.code, answer.reason]).toEqual([16, 'auth.credential_invalid'])
  })

  it('G3: a credential in the path is not one of the method', async () => {
    const answer = await grpc.call(`${listRuns}?access_token=${instance.adminKey}`, Buffer.alloc(0))
    expect([answer.code, answer.reason]).toEqual([12, 'method.unknown'])
  })

  it('G3: either header carries the key', async () => {
    expect((await grpc.call(listRuns, Buffer.alloc(0), { 'x-portcullis-key': instance.adminKey })).code).toBe(0)
    expect((await grpc.call(listRuns, Buffer.alloc(0), { authorization: `bearer ${instance.adminKey}` })).code).toBe(0)
  })

  it('C3: the request id of the caller comes back, an odd one is replaced', async () => {
    for (const id of ['a-good-request-id', 'req_0.1.2.3']) {
      expect(
        (await grpc.call(listRuns, Buffer.alloc(0), { authorization, 'x-request-id': id })).metadata['x-request-id'],
      ).toBe(id)
      expect((await grpc.call(health, Buffer.alloc(0), { 'x-request-id': id })).metadata['x-request-id']).toBe(id)
    }
    for (const id of [
      'short',
      'x'.repeat(65),
      'has space in it',
      '<script>alert(1)</script>',
      '-starts-odd',
      "quote'quote",
    ]) {
      const answer = await grpc.call(listRuns, Buffer.alloc(0), { authorization, 'x-request-id': id })
      expect(answer.metadata['x-request-id']).toMatch(/^req_[0-9a-f-]{36}$/)
    }
  })

  it('C3: another content type is refused below us', async () => {
    const session = await connectRaw(instance.grpc)
    const answer = await callRaw(session, listRuns, { authorization, 'content-type': 'application/json' })
    expect([answer.code, answer.headers[':status']]).toEqual([undefined, 415])
    session.close()
  })
})

describe('methods', () => {
  it('G2: an unknown method is UNIMPLEMENTED with our details, and is in the system log', async () => {
    for (const path of [
      '/portcullis.v1.HubService/DropTables',
      '/other.v1.Service/Method',
      `${listRuns}/`,
      '/PORTCULLIS.V1.HUBSERVICE/LISTRUNS',
      '/portcullis.v1.HubService/__proto__',
    ]) {
      const answer = await grpc.call(path, Buffer.alloc(0), { 'x-request-id': 'unknown-method-1', authorization })
      expect([path, answer.code, answer.reason]).toEqual([path, 12, 'method.unknown'])
      expect(answer.details).toBe('There is no such method.')
      expect(answer.metadata['x-request-id']).toBe('unknown-method-1')
    }
    const paths = (await systemEntries('method.unknown')).map(({ args }) => args && 'path' in args && args.path)
    // The others of this address are counted.
    expect(paths).toContain('/portcullis.v1.HubService/DropTables')
  })

  it.each([
    '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
    '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
    '/grpc.health.v1.Health/Nothing',
  ])('G18: %s is as unknown as any other', async (path) => {
    const answer = await grpc.call(path, Buffer.alloc(0))
    expect([answer.code, answer.reason]).toEqual([12, 'method.unknown'])
  })

  it('G1: 5,000 streams reset at once end that connection with GOAWAY, and others are served', async () => {
    const session = await connectRaw(instance.grpc)
    const { goaway } = await resetRapidly(session, listRuns, 5000)
    expect(goaway).toBe(goawayOfRapidReset)
    expect(session.closed || session.destroyed).toBe(true)
    expect((await grpc.call(listRuns, Buffer.alloc(0), { authorization })).code).toBe(0)
  })
})

describe('health', () => {
  it('G23: is served without a credential, by name, and unreadable questions are refused', async () => {
    const ask = (service: string) => grpc.call(health, Buffer.from([0x0a, service.length, ...Buffer.from(service)]))
    expect([...((await ask('portcullis.v1.HubService')).bytes ?? [])]).toEqual([0x08, 1])
    expect((await ask('nobody.v1.Service')).code).toBe(5)
    const broken = await grpc.call(health, Uint8Array.of(0x0a, 0x7f))
    expect(broken.code).toBe(3)
    expect(broken.metadata['x-request-id']).toMatch(/^req_/)
  })
})

describe('idempotency', () => {
  const request = (workflow: string, idempotencyKey = '') =>
    toBinary(StartRunRequestSchema, create(StartRunRequestSchema, { workflow, idempotencyKey }))

  it('G15: what was done over HTTP is replayed over gRPC, and the other way round', async () => {
    const first = await instance.call('HubService/StartRun', { workflow: 'w', idempotencyKey: 'both-doors-1' })
    const second = await grpc.call(startRun, request('w'), { authorization, 'idempotency-key': 'both-doors-1' })
    expect(second.metadata['idempotency-replayed']).toBe('true')
    expect(fromBinary(StartRunResponseSchema, second.bytes ?? Buffer.alloc(0)).run?.id).toBe(first.body.run.id)

    const third = await grpc.call(startRun, request('w', 'both-doors-2'), { authorization })
    expect(third.metadata['idempotency-replayed']).toBeUndefined()
    const fourth = await instance.call(
      'HubService/StartRun',
      { workflow: 'w' },
      { headers: { 'idempotency-key': 'both-doors-2' } },
    )
    expect(fourth.headers.get('idempotency-replayed')).toBe('true')
    expect(fourth.body.run.id).toBe(fromBinary(StartRunResponseSchema, third.bytes ?? Buffer.alloc(0)).run?.id)
  })

  it('G15: another payload under the same key is INVALID_ARGUMENT', async () => {
    await grpc.call(startRun, request('w', 'payload-1'), { authorization })
    const answer = await grpc.call(startRun, request('other', 'payload-1'), { authorization })
    expect([answer.code, answer.reason]).toEqual([3, 'idempotency.payload_mismatch'])
  })

  it('G15: the order of map entries and the form of the bytes do not make another payload', async () => {
    const path = '/portcullis.v1.IdentityService/CreateAgent'
    const entry = (name: string) => Buffer.from([0x22, 6, 0x0a, 1, name.charCodeAt(0), 0x12, 1, 0x76])
    const name = Buffer.from([0x12, 8, ...Buffer.from('mapped-1')])
    const one = await grpc.call(path, Buffer.concat([name, entry('a'), entry('b')]), {
      authorization,
      'idempotency-key': 'maps',
    })
    const two = await grpc.call(path, Buffer.concat([entry('b'), entry('a'), name]), {
      authorization,
      'idempotency-key': 'maps',
    })
    expect([one.code, two.code, two.metadata['idempotency-replayed']]).toEqual([0, 0, 'true'])
    expect(fromBinary(CreateAgentResponseSchema, two.bytes ?? Buffer.alloc(0)).agent?.labels).toEqual({
      a: 'v',
      b: 'v',
    })
  })
})

describe('pages', () => {
  it.each([-1, 1001, 2 ** 31 - 1, -(2 ** 31)])('C4: a page size of %i is refused', async (pageSize) => {
    const answer = await grpc.call(
      listRuns,
      toBinary(ListRunsRequestSchema, create(ListRunsRequestSchema, { pageSize })),
      { authorization },
    )
    expect([answer.code, answer.reason]).toEqual([3, 'input.invalid'])
  })
})
