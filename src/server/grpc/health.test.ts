import { once } from 'node:events'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import {
  Client,
  Server,
  ServerCredentials,
  credentials,
  type ClientReadableStream,
  type ServiceError,
} from '@grpc/grpc-js'
import { Health, HealthCheckResponse_ServingStatus as Serving } from '@portcullis/contract'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { addHealth } from './health.ts'

const { input, output } = Health.method.check
const same = (bytes: Buffer): Buffer => bytes
const asked = (service: string): Buffer => Buffer.from(toBinary(input, create(input, { service })))
const statusOf = (bytes: Uint8Array): Serving => fromBinary(output, bytes).status

let healthy = true
let server: Server
let client: Client
beforeEach(async () => {
  healthy = true
  server = new Server()
  addHealth(server, () => healthy)
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    )
  })
  client = new Client(`127.0.0.1:${port}`, credentials.createInsecure())
})
afterEach(() => {
  client.close()
  server.forceShutdown()
})

/** The status that is served, or the code of the refusal. */
function check(request: Buffer): Promise<number> {
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      '/grpc.health.v1.Health/Check',
      same,
      same,
      request,
      (error: ServiceError | null, reply?: Buffer) =>
        resolve(error === null ? statusOf(reply ?? Buffer.of()) : error.code),
    )
  })
}

function watch(service: string): ClientReadableStream<Buffer> {
  const stream = client.makeServerStreamRequest('/grpc.health.v1.Health/Watch', same, same, asked(service))
  // Its end is a cancellation, by the test.
  stream.on('error', () => undefined)
  return stream
}

async function next(stream: ClientReadableStream<Buffer>): Promise<Serving> {
  const [bytes]: Buffer[] = await once(stream, 'data')
  return statusOf(bytes ?? Buffer.of())
}

describe('grpc.health.v1.Health', () => {
  it('G23: answers for the whole server and for each service, as it is now', async () => {
    expect(await check(asked(''))).toBe(Serving.SERVING)
    expect(await check(asked('portcullis.v1.HubService'))).toBe(Serving.SERVING)
    healthy = false
    expect(await check(asked(''))).toBe(Serving.NOT_SERVING)
  })

  it('G23: a service that is not there is NOT_FOUND, and what cannot be read INVALID_ARGUMENT', async () => {
    expect(await check(asked('portcullis.v1.Nothing'))).toBe(5)
    expect(await check(Buffer.of(0x0a, 0xff))).toBe(3)
  })

  it('G23: a watch tells the state at once, and each change of it', async () => {
    const stream = watch('')
    expect(await next(stream)).toBe(Serving.SERVING)
    healthy = false
    expect(await next(stream)).toBe(Serving.NOT_SERVING)
    stream.cancel()
    const unknown = watch('portcullis.v1.Nothing')
    expect(await next(unknown)).toBe(Serving.SERVICE_UNKNOWN)
    unknown.cancel()
  })
})
