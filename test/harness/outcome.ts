import { fromBinary, fromJsonString, toBinary, toJsonString, type Message } from '@bufbuild/protobuf'
import type { Method } from '@portcullis/contract'
import type { GrpcClient } from './grpc.ts'
import { sendRaw } from './raw-http.ts'

export const transports = ['gRPC', 'HTTP JSON', 'HTTP protobuf'] as const
export type Transport = (typeof transports)[number]

/** One answer, whatever carried it. */
export interface Outcome {
  readonly code: string
  readonly status: number
  /** Everything that the caller can see but the request id and the date. */
  readonly seen: string
  readonly requestId: string | undefined
  readonly reply: Message | undefined
}

export interface Sent {
  readonly key?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
  /** Instead of the message: bytes that are none. */
  readonly raw?: string | Uint8Array | readonly Uint8Array[]
}

/** Where calls go. */
export interface Doors {
  readonly url: string
  readonly grpc: GrpcClient
}

/** One call over one transport. */
export async function send(
  doors: Doors,
  transport: Transport,
  method: Method,
  message: Message,
  sent: Sent = {},
): Promise<Outcome> {
  if (transport === 'gRPC') return sendGrpc(doors.grpc, method, message, sent)
  return sendHttp(doors.url, transport === 'HTTP protobuf', method, message, sent)
}

async function sendGrpc(
  grpc: GrpcClient,
  method: Method,
  message: Message,
  { key, headers, raw }: Sent,
): Promise<Outcome> {
  const bytes = raw instanceof Uint8Array ? raw : toBinary(method.input, message)
  const answer = await grpc.call(method.path, bytes, {
    ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
    ...headers,
  })
  const { 'x-request-id': requestId, date: _date, ...rest } = answer.metadata
  const seen = JSON.stringify([answer.code, answer.details, rest, answer.info]).replaceAll(requestId ?? '-', '')
  const reply = answer.bytes === undefined ? undefined : fromBinary(method.output, answer.bytes)
  return {
    code: answer.code === 0 ? 'ok' : (answer.reason ?? `grpc ${answer.code}`),
    status: answer.code,
    seen,
    requestId,
    reply,
  }
}

async function sendHttp(
  url: string,
  binary: boolean,
  method: Method,
  message: Message,
  { key, headers, raw }: Sent,
): Promise<Outcome> {
  const body = raw ?? (binary ? toBinary(method.input, message) : toJsonString(method.input, message))
  const credential = key === undefined ? {} : { authorization: `Bearer ${key}` }
  const type = { 'content-type': binary ? 'application/proto' : 'application/json' }
  const answer = await sendRaw(url, {
    path: method.path,
    headers: { ...type, ...credential, ...headers },
    body,
  })
  const { 'x-request-id': id, date: _date, ...rest } = answer.headers
  const requestId = id === undefined ? undefined : String(id)
  const ok = answer.status === 200
  const reply = !ok
    ? undefined
    : binary
      ? fromBinary(method.output, answer.bytes)
      : fromJsonString(method.output, answer.text)
  const code = ok ? 'ok' : codeOf(answer.text)
  return {
    code,
    status: answer.status,
    seen: ok ? '' : `${answer.status} ${JSON.stringify(rest)} ${plain(answer.text, requestId)}`,
    requestId,
    reply,
  }
}

/** The refusal code of a problem document or of a Connect error. */
function codeOf(text: string): string {
  const error = JSON.parse(text)
  return error.details?.[0]?.debug?.reason ?? error.code
}

/** The text of an error without what differs by nature: request id, and the ErrorInfo in bytes that holds it again. */
function plain(text: string, requestId: string | undefined): string {
  return text.replaceAll(requestId ?? '-', '').replace(/"value":"[^"]*"/, '')
}
