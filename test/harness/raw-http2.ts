import { once } from 'node:events'
import {
  connect,
  constants,
  type ClientHttp2Session,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2'
import type { ErrorInfo } from '@portcullis/contract'
import { errorInfoOf } from './grpc.ts'

export interface RawGrpcAnswer {
  /** Undefined where the stream was reset instead of answered. */
  readonly code: number | undefined
  readonly details: string
  readonly info: ErrorInfo | undefined
  /** Head and trailers together. */
  readonly headers: IncomingHttpHeaders
  readonly resetCode: number
}

/** A bare HTTP/2 connection to the gRPC listener, for what a gRPC client would not send. */
export async function connectRaw(address: string): Promise<ClientHttp2Session> {
  // An option that the types do not have yet: lets doubled fields out.
  const session = connect(`http://${address}`, { strictSingleValueFields: false } as object)
  // The peer may end the connection: that is what some tests are about.
  session.on('error', () => undefined)
  await once(session, 'remoteSettings')
  return session
}

/** One call with headers as given (a list sends a field more than once) and a body of frames. */
export function callRaw(
  session: ClientHttp2Session,
  path: string,
  headers: OutgoingHttpHeaders,
  body: Uint8Array = frame(Buffer.alloc(0)),
): Promise<RawGrpcAnswer> {
  return new Promise((resolve) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    })
    const seen: IncomingHttpHeaders = {}
    stream.on('response', (head) => Object.assign(seen, head))
    stream.on('trailers', (trailers) => Object.assign(seen, trailers))
    stream.on('error', () => undefined)
    stream.on('close', () => {
      const status = seen['grpc-status']
      const details = seen['grpc-status-details-bin']
      resolve({
        code: status === undefined ? undefined : Number(status),
        details: decodeURI(String(seen['grpc-message'] ?? '')),
        info: typeof details === 'string' ? errorInfoOf(Buffer.from(details, 'base64')) : undefined,
        headers: seen,
        resetCode: stream.rstCode,
      })
    })
    stream.resume()
    stream.end(body)
  })
}

/** A length-prefixed gRPC message. */
export function frame(message: Uint8Array, compressed = false): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt8(compressed ? 1 : 0, 0)
  head.writeUInt32BE(message.byteLength, 1)
  return Buffer.concat([head, message])
}

/** What nghttp2 ends a connection with that resets too fast: INTERNAL_ERROR. */
export const goawayOfRapidReset = constants.NGHTTP2_INTERNAL_ERROR

/** Opens streams and resets each at once, until the peer says GOAWAY or `count` is reached; resolves with how it ended. */
export async function resetRapidly(
  session: ClientHttp2Session,
  path: string,
  count: number,
): Promise<{ readonly goaway: number | undefined }> {
  const ended = new Promise<number | undefined>((resolve) => {
    session.once('goaway', (code: number) => resolve(code))
    session.once('close', () => resolve(undefined))
  })
  const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' }
  for (let sent = 0; sent < count && !session.closed && !session.destroyed; sent += 1) {
    const stream = session.request(headers)
    stream.on('error', () => undefined)
    stream.close(constants.NGHTTP2_CANCEL)
    // Lets the frames out, and the peer's answer in.
    if (sent % 50 === 49) await new Promise((resolve) => setImmediate(resolve))
  }
  return { goaway: await ended }
}
