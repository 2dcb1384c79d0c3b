import { fromBinary } from '@bufbuild/protobuf'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js'
import { ErrorInfoSchema, StatusSchema, type ErrorInfo } from '@portcullis/contract'

export interface GrpcAnswer {
  readonly code: number
  readonly details: string
  /** The code of the refusal, from google.rpc.ErrorInfo. */
  readonly reason: string | undefined
  readonly info: ErrorInfo | undefined
  /** Head and trailers together; the trailers win. */
  readonly metadata: Readonly<Record<string, string>>
  /** The reply, undecoded. */
  readonly bytes: Uint8Array | undefined
}

export interface GrpcClient {
  /** A unary call with raw bytes, so that malformed ones can be sent. A list sends a field more than once. */
  call(
    path: string,
    bytes: Uint8Array,
    metadata?: Readonly<Record<string, string | readonly string[]>>,
  ): Promise<GrpcAnswer>
  close(): void
}

const deadlineMs = 20_000

/** PEM: whom the client believes, and what it proves itself with. */
interface ClientTls {
  readonly ca: string
  readonly cert?: string
  readonly key?: string
}

export function grpcClient(address: string, tls?: ClientTls): GrpcClient {
  const client = new Client(address, credentialsOf(tls), {
    'grpc.max_receive_message_length': -1,
    'grpc.max_send_message_length': -1,
    'grpc.enable_retries': 0,
  })
  return { call: (path, bytes, metadata = {}) => unary(client, path, bytes, metadata), close: () => client.close() }
}

function credentialsOf(tls: ClientTls | undefined): ReturnType<typeof credentials.createInsecure> {
  if (tls === undefined) return credentials.createInsecure()
  const [ca, key, cert] = [tls.ca, tls.key, tls.cert].map((pem) => (pem === undefined ? null : Buffer.from(pem)))
  return credentials.createSsl(ca, key, cert)
}

function unary(
  client: Client,
  path: string,
  bytes: Uint8Array,
  fields: Readonly<Record<string, string | readonly string[]>>,
): Promise<GrpcAnswer> {
  const metadata = new Metadata()
  for (const [name, value] of Object.entries(fields)) for (const one of [value].flat()) metadata.add(name, one)
  return new Promise((resolve) => {
    const seen: Record<string, string> = {}
    let error: ServiceError | null = null
    let reply: Buffer | undefined
    const options = { deadline: Date.now() + deadlineMs }
    const call = client.makeUnaryRequest<Uint8Array, Buffer>(
      path,
      (value) => Buffer.from(value),
      (value) => value,
      bytes,
      metadata,
      options,
      (failed, value) => {
        error = failed
        reply = value
      },
    )
    call.on('metadata', (head: Metadata) => Object.assign(seen, textsOf(head)))
    call.on('status', ({ code, details, metadata: trailers }) => {
      Object.assign(seen, textsOf(trailers))
      const info = infoOf(trailers)
      // The callback comes right after the status.
      setImmediate(() =>
        resolve({
          code,
          details,
          reason: info?.reason,
          info,
          metadata: seen,
          bytes: error === null ? reply : undefined,
        }),
      )
    })
  })
}

function textsOf(metadata: Metadata): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(metadata.getMap()).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
  )
}

function infoOf(trailers: Metadata): ErrorInfo | undefined {
  const [bytes] = trailers.get('grpc-status-details-bin')
  return Buffer.isBuffer(bytes) ? errorInfoOf(bytes) : undefined
}

/** The ErrorInfo inside a google.rpc.Status. */
export function errorInfoOf(status: Uint8Array): ErrorInfo | undefined {
  for (const detail of fromBinary(StatusSchema, status).details) {
    const info = anyUnpack(detail, ErrorInfoSchema)
    if (info !== undefined) return info
  }
  return undefined
}
