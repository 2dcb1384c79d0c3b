import type { Metadata } from '@grpc/grpc-js'
import type { LiveContext } from './live-context.ts'

/** What came back: the status of the call, and its first message where one arrived. */
export interface GrpcAnswer {
  readonly code: number
  /** The name of the code, such as `UNIMPLEMENTED`. */
  readonly status: string
  readonly message?: Uint8Array
}

export const grpcStatus = { ok: 0, permissionDenied: 7, unimplemented: 12, unauthenticated: 16 } as const

const messageBytesMax = 4 * 1024 * 1024

/** One call with one message. A stream is left after its first reply. A target that is away answers UNAVAILABLE or DEADLINE_EXCEEDED. */
export async function askGrpc(
  { connections, grpc, timeoutMs }: Pick<LiveContext, 'connections' | 'grpc' | 'timeoutMs'>,
  path: string,
  message: Uint8Array,
  fields: Readonly<Record<string, string>> = {},
): Promise<GrpcAnswer> {
  const library = await import('@grpc/grpc-js')
  const { Client, credentials, status } = library
  const metadata: Metadata = new library.Metadata()
  for (const [name, value] of Object.entries(fields)) metadata.set(name, value)
  return connections.use(() => {
    const client = new Client(grpc.address, grpc.tls ? credentials.createSsl() : credentials.createInsecure(), {
      'grpc.max_receive_message_length': messageBytesMax,
      'grpc.enable_retries': 0,
      // The target itself is asked, whatever proxy the environment names.
      'grpc.enable_http_proxy': 0,
      'grpc.service_config_disable_resolution': 1,
    })
    return new Promise<GrpcAnswer>((resolve) => {
      const deadline = Date.now() + timeoutMs
      const call = client.makeBidiStreamRequest<Uint8Array, Buffer>(path, asBuffer, asIs, metadata, { deadline })
      let first: Buffer | undefined
      // Its status says the same.
      call.on('error', () => undefined)
      call.on('data', (reply: Buffer) => {
        if (first === undefined) call.cancel()
        first ??= reply
      })
      call.on('status', ({ code }) => {
        client.close()
        // What was cut off here had begun to answer.
        const settled = first === undefined ? code : grpcStatus.ok
        const name = status[settled] ?? `code ${settled}`
        resolve({ code: settled, status: name, ...(first === undefined ? {} : { message: first }) })
      })
      call.write(message)
      call.end()
    })
  })
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes)
}

function asIs(bytes: Buffer): Buffer {
  return bytes
}
