import type { Http2Server } from 'node:http2'
import type { Server as TlsServer, TlsOptions } from 'node:tls'
import { Server, status, type Metadata, type ServerOptions } from '@grpc/grpc-js'
import type { Config } from '#config'
import type { OnFault, TransportFault } from '../transport-faults.ts'

type GrpcLimits = Config['limits']['grpc']

/** What grpc-js says by itself below every interceptor. */
export interface TransportStatus {
  readonly code: number
  readonly details: string
}

const streamHandler = '_streamHandler'
const setUpHandlers = '_setupHandlers'

/**
 * The only file that reaches into grpc-js (SPEC G1). It passes no more than the stream count on to node:http2, answers unknown
 * methods below every interceptor and hides doubled fields; all of them are private members, so a test pins each of them to
 * the version in use.
 */
interface Internals {
  readonly commonServerOptions: Record<string, unknown> & { settings?: Record<string, unknown> }
  handlers: Map<string, RegisteredHandler>
  /** Listens to the 'stream' event of node:http2, whose last two arguments it leaves aside. */
  [streamHandler]: (
    this: Server,
    interceptors: readonly unknown[],
    stream: object,
    headers: Record<string, string | string[] | undefined>,
    flags: number,
    raw: readonly string[],
  ) => void
  /** Called once for each server of node:http2 that it makes. */
  [setUpHandlers]: (this: Server, http2Server: Http2Server, interceptors: readonly unknown[]) => void
}

interface RegisteredHandler {
  readonly type: 'unary'
  readonly path: string
  readonly func: (call: { readonly request: Buffer; readonly metadata: Metadata }, callback: () => void) => void
  readonly serialize: (value: Buffer) => Buffer
  readonly deserialize: (bytes: Buffer) => Buffer
}

// What node:http2 holds for one connection, in megabytes: replies that the peer does not read, headers, tables. grpc-js sets none.
const sessionMemoryMb = 64

/** What a server of its own certificates is told, beside its credentials. */
export interface ServerTls {
  readonly handshake: TlsOptions
  attach(server: TlsServer, onFault: OnFault): void
}

/** A grpc-js server with the bounds of the configuration; `onFault` hears of what ends below every call. */
export function makeServer(
  limits: GrpcLimits,
  more: ServerOptions,
  onFault: OnFault = () => undefined,
  tls?: ServerTls,
): Server {
  const server = new Server({
    'grpc.max_receive_message_length': limits.recvBytes,
    'grpc.max_send_message_length': limits.sendBytes,
    'grpc.max_concurrent_streams': limits.streams,
    'grpc.max_connection_idle_ms': limits.connectionIdleSeconds * 1000,
    'grpc.keepalive_time_ms': 60_000,
    'grpc.keepalive_timeout_ms': 20_000,
    // Registers sessions for channelz otherwise, for no reader.
    'grpc.enable_channelz': 0,
    'grpc-node.max_session_memory': sessionMemoryMb,
    ...more,
  })
  const { commonServerOptions } = internals(server)
  Object.assign(commonServerOptions, {
    streamResetBurst: limits.resetBurst,
    streamResetRate: limits.resetPerSecond,
    maxHeaderListPairs: limits.headerPairs,
    maxSessionInvalidFrames: 100,
    maxOutstandingPings: 10,
    settings: { ...commonServerOptions.settings, maxHeaderListSize: limits.headerBytes },
    ...tls?.handshake,
  })
  adaptHeaders(server, onFault)
  watchSessions(server, onFault, tls)
  return server
}

// What a credential can be in. node:http2 keeps the first of two `authorization` fields and joins two of other names; as lists
// they are seen as two (SPEC G3).
const credentialFields: ReadonlySet<string> = new Set(['authorization', 'x-portcullis-key'])

/** Connections that node:http2 ends for what they sent; there is no call yet. */
function watchSessions(server: Server, onFault: OnFault, tls: ServerTls | undefined): void {
  const inner = internals(server)
  const setUp = inner[setUpHandlers]
  inner[setUpHandlers] = function (http2Server, interceptors): void {
    http2Server.on('sessionError', (error: Error & { readonly errno?: number }) => onFault(faultOf(error.errno)))
    setUp.call(server, http2Server, interceptors)
    if (isTls(http2Server)) tls?.attach(http2Server, onFault)
  }
}

function isTls(server: object): server is TlsServer {
  return 'setSecureContext' in server
}

/** The connection of a call, as node:http2 shows it. `call` is the innermost call of grpc-js. */
export function connectionOf(call: object): object | undefined {
  const { stream } = call as { readonly stream?: { readonly session?: { readonly socket?: object } } }
  try {
    return stream?.session?.socket
  } catch {
    // The session has ended in between.
    return undefined
  }
}

// The errors of nghttp2 by which a connection ends.
const nghttp2Faults: Readonly<Record<number, TransportFault>> = {
  [-505]: 'protocol',
  [-903]: 'preface',
  [-904]: 'flood',
  [-905]: 'continuation',
}

function faultOf(errno: number | undefined): TransportFault {
  return nghttp2Faults[errno ?? 0] ?? 'connection'
}

/** What grpc-js makes of the headers is put right before it reads them: doubled credentials, and deadlines beyond its timers. */
function adaptHeaders(server: Server, onFault: OnFault): void {
  const inner = internals(server)
  const handle = inner[streamHandler]
  inner[streamHandler] = function (interceptors, stream, headers, flags, raw): void {
    // grpc-js answers it with 415 and tells nobody.
    if (!String(headers['content-type']).startsWith('application/grpc')) onFault('content_type')
    if (beyondTimers(headers['grpc-timeout'])) delete headers['grpc-timeout']
    let first: Map<string, number> | undefined
    for (let at = 0; at + 1 < raw.length; at += 2) {
      const name = raw[at] ?? ''
      if (!credentialFields.has(name)) continue
      first ??= new Map()
      const earlier = first.get(name)
      if (earlier === undefined) first.set(name, at)
      // Two are as good as all: more than one is refused.
      else headers[name] = [raw[earlier + 1] ?? '', raw[at + 1] ?? '']
    }
    handle.call(server, interceptors, stream, headers, flags, raw)
  }
}

const timerMsMax = 2 ** 31 - 1
// The form that grpc-js looks for, and the units in which eight digits can be more than a timer of node holds.
const timeoutForm = /(\d{1,8})\s*([HMSmun])/
const longUnitsMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000 }

/** Deadlines of more than 24 days, which grpc-js would let pass at once: they are as good as none. */
function beyondTimers(timeout: string | string[] | undefined): boolean {
  if (timeout === undefined) return false
  const [, digits = '', unit = ''] = timeoutForm.exec(String(timeout)) ?? []
  return Number(digits) * (longUnitsMs[unit] ?? 0) > timerMsMax
}

/** Serves every path that was not registered with one handler, which is given the path in the metadata of its interceptor. */
export function serveUnknown(server: Server): void {
  const fallback: RegisteredHandler = {
    type: 'unary',
    path: unknownPath,
    func: (_call, callback) => callback(),
    serialize: (value) => value,
    deserialize: (bytes) => bytes,
  }
  const inner = internals(server)
  inner.handlers = new (class extends Map<string, RegisteredHandler> {
    override get(path: string): RegisteredHandler {
      return super.get(path) ?? { ...fallback, path }
    }
  })(inner.handlers)
}

const unknownPath = '(unknown)'

/**
 * Tells of the first status that grpc-js sends by itself (a message over the bound, a bad encoding, a passed deadline) and
 * replaces it: such statuses never pass an interceptor. `call` is the innermost call of grpc-js.
 */
export function interceptOwnStatus(
  call: object,
  replace: (own: TransportStatus) => Promise<SentStatus>,
): {
  /** Marks the status with this metadata as ours, so that it passes as it is. */
  readonly ours: (metadata: Metadata) => void
} {
  const inner = call as { sendStatus: (value: { code: number; details: string; metadata: Metadata | null }) => void }
  const send = inner.sendStatus.bind(inner)
  let replaced = false
  let ourMetadata: Metadata | undefined
  inner.sendStatus = (value) => {
    // grpc-js leaves the metadata of some of its own statuses out: that is not ours either.
    if (value.code === status.OK || (ourMetadata !== undefined && value.metadata === ourMetadata)) return send(value)
    // Each further frame of a message over the bound brings the same status again.
    if (replaced) return undefined
    replaced = true
    void replace({ code: value.code, details: value.details }).then(send)
    return undefined
  }
  return {
    ours: (metadata) => {
      ourMetadata = metadata
    },
  }
}

export interface SentStatus {
  readonly code: number
  readonly details: string
  readonly metadata: Metadata
}

/** The paths that have a handler of their own. */
export function registeredPaths(server: Server): ReadonlySet<string> {
  return new Set(internals(server).handlers.keys())
}

function internals(server: Server): Internals {
  const inner = server as unknown as Partial<Internals>
  if (
    inner.commonServerOptions === undefined ||
    !(inner.handlers instanceof Map) ||
    typeof inner[streamHandler] !== 'function' ||
    typeof inner[setUpHandlers] !== 'function'
  ) {
    throw new Error('this version of @grpc/grpc-js has other internals; adapt src/server/grpc/transport.ts to it')
  }
  return inner as Internals
}
