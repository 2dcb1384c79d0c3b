import { Metadata, Server, status, type ServerOptions } from '@grpc/grpc-js'
import type { Config } from '#config'

type GrpcLimits = Config['limits']['grpc']

/** What grpc-js says by itself below every interceptor. */
export interface TransportStatus {
  readonly code: number
  readonly details: string
}

/**
 * The only file that reaches into grpc-js (SPEC G1). It passes no more than the stream count on to node:http2 and answers
 * unknown methods below every interceptor; both are private members, so a test pins each of them to the version in use.
 */
interface Internals {
  readonly commonServerOptions: Record<string, unknown> & { settings?: Record<string, unknown> }
  handlers: Map<string, RegisteredHandler>
}

interface RegisteredHandler {
  readonly type: 'unary'
  readonly path: string
  readonly func: (call: { readonly request: Buffer; readonly metadata: Metadata }, callback: () => void) => void
  readonly serialize: (value: Buffer) => Buffer
  readonly deserialize: (bytes: Buffer) => Buffer
}

/** A grpc-js server with the bounds of the configuration and a handler for every path that has none. */
export function makeServer(limits: GrpcLimits, more: ServerOptions): Server {
  const server = new Server({
    'grpc.max_receive_message_length': limits.recvBytes,
    'grpc.max_send_message_length': limits.sendBytes,
    'grpc.max_concurrent_streams': limits.streams,
    'grpc.max_connection_idle_ms': limits.connectionIdleSeconds * 1000,
    'grpc.keepalive_time_ms': 60_000,
    'grpc.keepalive_timeout_ms': 20_000,
    // Registers sessions for channelz otherwise, for no reader.
    'grpc.enable_channelz': 0,
    ...more,
  })
  const { commonServerOptions } = internals(server)
  Object.assign(commonServerOptions, {
    streamResetBurst: limits.resetBurst,
    streamResetRate: limits.resetPerSecond,
    maxHeaderListPairs: limits.headerPairs,
    maxSessionInvalidFrames: 100,
    maxOutstandingPings: 10,
    // Duplicates arrive as lists, so that two credentials are seen as two.
    strictSingleValueFields: false,
    settings: { ...commonServerOptions.settings, maxHeaderListSize: limits.headerBytes },
  })
  return server
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
export function interceptOwnStatus(call: object, replace: (own: TransportStatus) => Promise<SentStatus>): {
  /** Marks a status as ours, so that it passes as it is. */
  readonly ours: (metadata: Metadata) => Metadata
} {
  const marks = new WeakSet<Metadata>()
  const inner = call as { sendStatus: (value: { code: number; details: string; metadata: Metadata | null }) => void }
  const send = inner.sendStatus.bind(inner)
  let replaced = false
  inner.sendStatus = (value) => {
    if (value.code === status.OK || (value.metadata !== null && value.metadata !== undefined && marks.has(value.metadata))) return send(value)
    // Each further frame of a message over the bound brings the same status again.
    if (replaced) return undefined
    replaced = true
    void replace({ code: value.code, details: value.details }).then(send)
    return undefined
  }
  return {
    ours: (metadata) => {
      marks.add(metadata)
      return metadata
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
  if (inner.commonServerOptions === undefined || !(inner.handlers instanceof Map)) {
    throw new Error('this version of @grpc/grpc-js has other internals; adapt src/server/grpc/transport.ts to it')
  }
  return inner as Internals
}
