import fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyRequest,
  type FastifyServerOptions,
} from 'fastify'
import type { RequestListener, ServerOptions } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { Socket } from 'node:net'
import type { Logger } from 'pino'
import type { Config } from '#config'
import { publicId, refusals, refuse, uuidv7, type Refusal, type RefusalCode } from '#core'
import { sentRequestId } from '../credentials.ts'
import type { AgentsTls } from '../mtls/agents-tls.ts'
import type { OnFault, TransportFault } from '../transport-faults.ts'
import type { TrustedProxies } from '../trusted-proxies.ts'
import { sendRefusal } from './problem.ts'

// How often node looks for requests that are over their time; its own default of 30 s would let them hold a socket that long.
const lookForLateEveryMs = 1000

/** Told of a request that was refused for its size or headers, before the reply goes out. */
export type OverBound = (request: FastifyRequest, refusal: Refusal) => Promise<void>

/** A Fastify with the bounds of the configuration; every HTTP listener is made here (SPEC G1). */
export function makeApp(
  config: Config,
  log: Logger,
  proxies: TrustedProxies,
  origin: () => string = () => '',
  onOverBound: OverBound = () => Promise.resolve(),
  onFault: OnFault = () => undefined,
  tls?: AgentsTls,
): FastifyInstance {
  const { http } = config.limits
  const timeouts = { requestTimeout: http.requestTimeoutMs, keepAliveTimeout: http.idleTimeoutMs }
  const bounds = {
    maxHeaderSize: http.headerBytes,
    headersTimeout: http.headersTimeoutMs,
    connectionsCheckingInterval: lookForLateEveryMs,
  }
  const secure: Pick<FastifyServerOptions, 'serverFactory'> =
    tls === undefined
      ? {}
      : { serverFactory: (handler) => secureServer(handler, tls, { ...bounds, ...timeouts }, onFault) }
  const app = fastify({
    bodyLimit: http.bodyBytes,
    ...timeouts,
    connectionTimeout: 0,
    // Fastify's own 503 has no code and no request id.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    routerOptions: { ignoreTrailingSlash: false, caseSensitive: true, maxParamLength: 200 },
    trustProxy: (address: string) => proxies.trusts(address),
    genReqId: (request) => sentRequestId(header(request.headers['x-request-id'])) ?? newRequestId(),
    http: bounds,
    ...secure,
    clientErrorHandler: (error, socket) => answerBroken(error, socket, onFault),
    // A path that the router cannot read never reaches a hook or a handler.
    frameworkErrors: (error, request, reply) => {
      onFault('path')
      void reply.header('x-request-id', request.id)
      void sendRefusal(request, reply, refusalOf(error, request, log), origin())
    },
  })
  // Counted below with a refusal of ours; node would drop what is over its count and go on.
  app.server.maxHeadersCount = 0
  let closing = false
  app.addHook('preClose', async () => {
    closing = true
  })
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('x-request-id', request.id)
    if (closing) {
      void reply.header('connection', 'close')
      return sendRefusal(request, reply, refuse('server.draining', 'the listener is closing'), origin())
    }
    const refusal = overBound(request, http)
    if (refusal === undefined) return undefined
    if (refusal.code === 'bounds.message_too_large') warnTooLarge(log, request)
    await onOverBound(request, refusal)
    // The rest of the request is not read: the connection ends with the reply.
    void reply.header('connection', 'close')
    return sendRefusal(request, reply, refusal, origin())
  })
  // One that was admitted before the close began: its connection would stay open, idle, until the deadline.
  app.addHook('onSend', async (_request, reply) => void (closing && reply.header('connection', 'close')))
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(['application/json', 'application/proto'], { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  )
  return app
}

/** A server of HTTPS, and what Fastify would have set on one of its own. */
function secureServer(handler: RequestListener, tls: AgentsTls, options: ServerOptions, onFault: OnFault): Server {
  const server = createServer({ ...options, ...tls.context, ...tls.handshake }, handler)
  server.setTimeout(0)
  tls.attach(server, onFault)
  return server
}

export async function stopApp(app: FastifyInstance, deadlineMs: number): Promise<void> {
  const late = setTimeout(() => app.server.closeAllConnections(), deadlineMs)
  await app.close()
  clearTimeout(late)
}

/** What an error of Fastify or of a handler is to the caller. Faults are logged here. */
export function refusalOf(error: FastifyError, request: FastifyRequest, log: Logger): Refusal {
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      warnTooLarge(log, request)
      return refuse('bounds.message_too_large', error.message)
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return refuse('bounds.content_type', error.message)
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
    case 'FST_ERR_BAD_URL':
    case 'ECONNRESET':
      return refuse('input.malformed', error.message)
    default:
      log.error({ event: 'server.fault', err: error, requestId: request.id }, 'fault in an HTTP request')
      return refuse('server.internal', error.message)
  }
}

function overBound(request: FastifyRequest, { bodyBytes, headerCount }: Config['limits']['http']): Refusal | undefined {
  const headers = request.raw.rawHeaders.length / 2
  if (headers > headerCount) return refuse('bounds.headers_too_large', `${headers} header fields`)
  const declared = Number(request.headers['content-length'] ?? 0)
  return declared > bodyBytes ? refuse('bounds.message_too_large', `declared ${declared} bytes`) : undefined
}

function warnTooLarge(log: Logger, request: FastifyRequest): void {
  const path = request.raw.url?.split('?', 1)[0]?.slice(0, 200)
  const declared = request.headers['content-length']
  const declaredBytes = declared === undefined ? null : Number(declared)
  log.warn(
    { event: 'bounds.message_too_large', path, declaredBytes, requestId: request.id },
    'HTTP body over the bound',
  )
}

/** Answers what node:http could not read: there is no request yet, so the reply is written by hand. */
function answerBroken(error: Error & { readonly code?: string }, socket: Socket, onFault: OnFault): void {
  // Node says it again for what still arrives on a socket that was answered; and a peer that is gone did nothing wrong.
  if (socket.destroyed || !socket.writable) return
  const [line, code, fault] = brokenReplies[error.code ?? ''] ?? brokenReply
  if (error.code !== 'ECONNRESET') onFault(fault)
  const requestId = newRequestId()
  const body = JSON.stringify({
    type: `/problems/${code}`,
    title: refusals[code].say,
    status: Number(line.slice(0, 3)),
    code,
    requestId,
  })
  const head = [
    `HTTP/1.1 ${line}`,
    'content-type: application/problem+json',
    `content-length: ${Buffer.byteLength(body)}`,
    'cache-control: no-store',
    'x-content-type-options: nosniff',
    `x-request-id: ${requestId}`,
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

type Broken = readonly [string, RefusalCode, TransportFault]
const brokenReply: Broken = ['400 Bad Request', 'input.malformed', 'unreadable']
const brokenReplies: Readonly<Record<string, Broken>> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'bounds.headers_too_large', 'headers_too_large'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'bounds.deadline', 'timeout'],
}

function newRequestId(): string {
  return publicId('req', uuidv7())
}

function header(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}
