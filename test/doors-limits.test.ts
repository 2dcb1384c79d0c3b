import { create, createFileRegistry, fromBinary, toBinary, type MessageShape } from '@bufbuild/protobuf'
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { Client, credentials } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { methods, ServerReflection, ServerReflectionV1Alpha } from '@portcullis/contract'
import { grpcClient, type GrpcClient } from './harness/grpc.ts'
import { startInstance, type TestInstance } from './harness/instance.ts'

const listRuns = '/portcullis.v1.HubService/ListRuns'
const nothing = Buffer.alloc(0)

let instance: TestInstance
let grpc: GrpcClient

beforeAll(async () => {
  instance = await startInstance({
    PORTCULLIS__REFLECTION__ENABLED: 'true',
    PORTCULLIS__LIMITS__RATE__ADDRESS__BURST: '6',
    PORTCULLIS__LIMITS__RATE__ADDRESS__PER_SECOND: '1',
    PORTCULLIS__LIMITS__RATE__FAILURES__BURST: '8',
    PORTCULLIS__LIMITS__RATE__FAILURES__PER_SECOND: '1',
  })
  grpc = grpcClient(instance.grpc)
})
afterAll(async () => {
  grpc.close()
  await instance.stop()
})

type Reflection = typeof ServerReflection.method.serverReflectionInfo
type Question = MessageShape<Reflection['input']>['messageRequest']

/** One question to the reflection service and its answer. */
function reflect(
  service: typeof ServerReflection | typeof ServerReflectionV1Alpha,
  messageRequest: Question,
): Promise<MessageShape<Reflection['output']>> {
  const { input, output, name } = service.method.serverReflectionInfo as Reflection
  const client = new Client(instance.grpc, credentials.createInsecure())
  return new Promise((resolve, reject) => {
    const stream = client.makeBidiStreamRequest<Uint8Array, Buffer>(
      `/${service.typeName}/${name}`,
      (bytes) => Buffer.from(bytes),
      (bytes) => bytes,
    )
    stream.on('data', (bytes: Buffer) => {
      resolve(fromBinary(output, bytes))
      stream.end()
    })
    stream.on('error', reject)
    stream.on('close', () => client.close())
    stream.write(toBinary(input, create(input, { messageRequest })))
  })
}

/** Calls until one is limited, a hundred times at most: faster than any bucket here fills again. */
async function untilLimited<Answer>(
  send: () => Promise<Answer>,
  codeOf: (answer: Answer) => string | undefined,
): Promise<readonly Answer[]> {
  const answers: Answer[] = []
  while (answers.length < 100) {
    const answer = await send()
    answers.push(answer)
    if (codeOf(answer) === 'rate.limited') return answers
  }
  throw new Error('a hundred calls and none limited')
}

// The order matters: each of these uses up a bucket of this machine's address.
describe('limits, in the order in which they shut this address out', () => {
  it.each([ServerReflection, ServerReflectionV1Alpha])(
    'G18: $typeName lists the services and describes a symbol once it is turned on',
    async (service) => {
      const listed = await reflect(service, { case: 'listServices', value: '' })
      const names =
        listed.messageResponse.case === 'listServicesResponse'
          ? listed.messageResponse.value.service.map(({ name }) => name)
          : []
      expect(names).toEqual(
        [
          ...new Set([...methods.keys()].map((path) => path.slice(1, path.lastIndexOf('/')))),
          'grpc.health.v1.Health',
        ].toSorted(),
      )

      const described = await reflect(service, { case: 'fileContainingSymbol', value: 'portcullis.v1.HubService' })
      const files =
        described.messageResponse.case === 'fileDescriptorResponse'
          ? described.messageResponse.value.fileDescriptorProto
          : []
      // A file comes with all that it imports: what a client needs to build the messages.
      const registry = createFileRegistry(
        create(FileDescriptorSetSchema, {
          file: files.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes)).toReversed(),
        }),
      )
      expect(registry.getService('portcullis.v1.HubService')?.methods.map(({ name }) => name)).toContain('StartRun')

      const unknown = await reflect(service, { case: 'fileContainingSymbol', value: 'portcullis.v1.Nothing' })
      expect(unknown.messageResponse).toMatchObject({ case: 'errorResponse', value: { errorCode: 5 } })
    },
  )

  it('G7: a key has its own rate, and the reply says when to come back', async () => {
    const { body: made } = await instance.call('IdentityService/CreateAgent', { name: 'slow' })
    const { body: key } = await instance.call('IdentityService/CreateKey', {
      agentId: made.agent.id,
      scopes: ['telemetry:read'],
      ratePerSecond: 1,
      rateBurst: 2,
    })
    const grpcAnswers = await untilLimited(
      () => grpc.call(listRuns, nothing, { authorization: `Bearer ${key.key}` }),
      ({ reason }) => reason,
    )
    expect(grpcAnswers.slice(0, 2).map(({ code }) => code)).toEqual([0, 0])
    expect([grpcAnswers.at(-1)?.code, grpcAnswers.at(-1)?.metadata['retry-after']]).toEqual([8, '1'])
    const limited = (
      await untilLimited(
        () => instance.call('HubService/ListRuns', {}, { key: key.key }),
        ({ body }) => body.code,
      )
    ).at(-1)
    expect([limited?.status, limited?.headers.get('retry-after')]).toEqual([429, '1'])
    expect((await instance.call('HubService/ListRuns')).status).toBe(200)
  })

  it('G2: unknown methods are limited per address, over either door, and counted in the system log', async () => {
    const unknown = {
      grpc: () => grpc.call('/portcullis.v1.HubService/Unknown', nothing),
      http: () => instance.call('HubService/Unknown'),
    }
    const answers = await untilLimited(unknown.grpc, ({ reason }) => reason)
    expect(answers.slice(0, 6).map(({ code }) => code)).toEqual(Array.from({ length: 6 }, () => 12))
    expect(answers.at(-1)?.code).toBe(8)
    expect((await untilLimited(unknown.http, ({ body }) => body.code)).at(-1)?.status).toBe(429)
    // Public reads are charged to the same bucket; keys are not.
    expect(
      (
        await untilLimited(
          () => instance.call('HubService/GetHealth', {}, { key: undefined }),
          ({ body }) => body.code,
        )
      ).at(-1)?.status,
    ).toBe(429)
    expect((await instance.call('HubService/ListRuns')).status).toBe(200)
    const { body } = await instance.call('LedgerService/Query', { log: 'system', action: 'denials.counted' })
    expect(body.entries.length).toBeGreaterThanOrEqual(4)
  })

  it('G7: an address that failed too often waits before any credential of it is looked at', async () => {
    const answers = await untilLimited(
      () => grpc.call(listRuns, nothing, { authorization: 'Bearer bad' }),
      ({ reason }) => reason,
    )
    expect(answers.slice(0, 8).map(({ reason }) => reason)).toEqual(
      Array.from({ length: 8 }, () => 'auth.credential_invalid'),
    )
    expect(answers.at(-1)?.code).toBe(8)
    // A good key has to wait as well: nothing of it is looked at. Bad ones go on between, so that the bucket stays empty.
    const bad = () => instance.call('HubService/ListRuns', {}, { key: 'bad' })
    const [good] = await Promise.all([instance.call('HubService/ListRuns'), bad(), bad(), bad()])
    expect([good.status, good.body.code]).toEqual([429, 'rate.limited'])
    expect(Number(good.headers.get('retry-after'))).toBeGreaterThan(0)
  })
})
