import fastify, { type FastifyError, type FastifyInstance, type FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import type { Config } from '#config'
import { cidrContains, parseAddress, parseCidr, publicId, refuse, uuidv7, type Refusal } from '#core'
import { peerAddress, sentRequestId } from '../credentials.ts'
import type { Pipeline } from '../pipeline.ts'
import { addConsole, type ConsoleParts } from './console.ts'
import { addMethods } from './methods.ts'
import { addProblems } from './problems.ts'
import { sendRefusal } from './problem.ts'
import { securityHeaders } from './security-headers.ts'

export interface HttpListener {
  readonly address: string
  stop(deadlineMs: number): Promise<void>
}

interface HttpParts {
  readonly config: Config
  readonly pipeline: Pipeline
  readonly log: Logger
  readonly console: ConsoleParts
}

/** The HTTP door: the API, the pages behind problem types, the console. */
export async function listenHttp({ config, pipeline, log, console }: HttpParts): Promise<HttpListener> {
  const { host, port } = parseAddress(config.listen.http)
  let address = config.listen.http
  const origin = (): string => `http://${address}`
  const app = makeApp(config, log)
  app.decorateRequest('admission', undefined)
  securityHeaders(app)
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('x-request-id', request.id)
    const declared = Number(request.headers['content-length'] ?? 0)
    if (declared > config.limits.http.bodyBytes) {
      warnTooLarge(log, request, declared)
      // The rest of the body is not read: the connection ends with the reply.
      void reply.header('connection', 'close')
      return sendRefusal(request, reply, refuse('bounds.message_too_large', `declared ${declared} bytes`), origin())
    }
    return undefined
  })
  addMethods(app, pipeline, origin)
  addProblems(app)
  addConsole(app, console)
  app.setNotFoundHandler(async (request, reply) => {
    const refusal = await pipeline.refuseUnknown(peerAddress(request.ip), request.raw.url?.split('?', 1)[0] ?? '')
    return sendRefusal(request, reply, refusal, origin())
  })
  app.setErrorHandler(async (error: FastifyError, request, reply) => {
    const refusal = refusalOf(error)
    if (refusal.code === 'bounds.message_too_large') warnTooLarge(log, request, Number(request.headers['content-length'] ?? -1))
    if (refusal.code === 'server.internal') log.error({ event: 'server.fault', err: error, requestId: request.id }, 'fault in an HTTP request')
    const known = request.admission === undefined ? refusal : await pipeline.reject(request.admission, refusal)
    return sendRefusal(request, reply, known, origin())
  })
  const bound = new URL(await app.listen({ host, port }))
  address = `${host.includes(':') ? `[${host}]` : host}:${bound.port === '' ? String(port) : bound.port}`
  return { address, stop: (deadlineMs) => stopApp(app, deadlineMs) }
}

/** A Fastify with the bounds of the configuration; shared by every HTTP listener (SPEC G1). */
export function makeApp(config: Config, log: Logger): FastifyInstance {
  const { http } = config.limits
  const proxies = config.trustedProxies.map(parseCidr)
  const app = fastify({
    bodyLimit: http.bodyBytes,
    requestTimeout: http.requestTimeoutMs,
    keepAliveTimeout: http.idleTimeoutMs,
    connectionTimeout: 0,
    return503OnClosing: true,
    forceCloseConnections: 'idle',
    routerOptions: { ignoreTrailingSlash: false, caseSensitive: true, maxParamLength: 200 },
    // Forwarded headers are believed only from configured proxies; by default from nobody (SPEC G12).
    trustProxy: proxies.length === 0 ? false : (address: string) => proxies.some((cidr) => cidrContains(cidr, address)),
    genReqId: (request) => sentRequestId(header(request.headers['x-request-id'])) ?? publicId('req', uuidv7()),
    http: { maxHeaderSize: http.headerBytes, headersTimeout: http.headersTimeoutMs },
    clientErrorHandler: (error, socket) => {
      if (socket.destroyed || !socket.writable) return
      const [line, code] = error.code === 'HPE_HEADER_OVERFLOW' ? ['431 Request Header Fields Too Large', 'bounds.headers_too_large'] : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? ['408 Request Timeout', 'bounds.deadline'] : ['400 Bad Request', 'input.malformed']
      const body = JSON.stringify({ code, status: Number(line?.slice(0, 3)), title: line?.slice(4) })
      socket.end(`HTTP/1.1 ${line}\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`)
    },
  })
  app.server.maxHeadersCount = 0
  app.addHook('onRequest', async (request, reply) => {
    if (request.raw.rawHeaders.length / 2 > http.headerCount) {
      void reply.header('connection', 'close')
      return sendRefusal(request, reply, refuse('bounds.headers_too_large', `${request.raw.rawHeaders.length / 2} header fields`), '')
    }
    return undefined
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(['application/json', 'application/proto'], { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  log.debug({ event: 'http.app' }, 'HTTP bounds set')
  return app
}

export async function stopApp(app: FastifyInstance, deadlineMs: number): Promise<void> {
  const late = setTimeout(() => app.server.closeAllConnections(), deadlineMs)
  await app.close()
  clearTimeout(late)
}

function refusalOf(error: FastifyError): Refusal {
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return refuse('bounds.message_too_large', error.message)
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return refuse('bounds.content_type', error.message)
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
    case 'FST_ERR_BAD_URL':
    case 'ECONNRESET':
      return refuse('input.malformed', error.message)
    default:
      return refuse('server.internal', error.message)
  }
}

function warnTooLarge(log: Logger, request: FastifyRequest, declaredBytes: number): void {
  const path = request.raw.url?.split('?', 1)[0]?.slice(0, 200)
  log.warn({ event: 'bounds.message_too_large', path, declaredBytes, requestId: request.id }, 'HTTP body over the bound')
}

function header(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}
