import { toBinary } from '@bufbuild/protobuf'
import {
  Metadata,
  ServerCredentials,
  ServerInterceptingCall,
  status,
  type ServerInterceptor,
  type ServerUnaryCall,
} from '@grpc/grpc-js'
import type { Logger } from 'pino'
import { methods, type Method } from '@portcullis/contract'
import type { Config } from '#config'
import { isRefusal, publicId, refuse, uuidv7, type Refusal } from '#core'
import { peerAddress, presentedOf, sentRequestId } from '../credentials.ts'
import type { Admission } from '../admissions.ts'
import type { Pipeline } from '../pipeline.ts'
import type { Streams } from '../streams.ts'
import { signedMessage } from '../signed-message.ts'
import { requestTarget } from '../tokens/request-target.ts'
import type { AgentsTls } from '../mtls/agents-tls.ts'
import { peerOf } from '../mtls/peer.ts'
import { exportMethod } from '../otlp-ingest/export.ts'
import { exportOverGrpc, exportPath, methodAt } from '../otlp-ingest/grpc.ts'
import type { OnFault } from '../transport-faults.ts'
import { addHealth } from './health.ts'
import { addReflection } from './reflection.ts'
import { statusOf } from './status.ts'
import { streamHandler } from './streams.ts'
import {
  connectionOf,
  interceptOwnStatus,
  makeServer,
  registeredPaths,
  serveUnknown,
  type TransportStatus,
} from './transport.ts'

export interface GrpcListener {
  /** `host:port` as bound. */
  readonly address: string
  /** Lets calls in flight finish until the deadline, then ends them. */
  stop(deadlineMs: number): Promise<void>
}

interface GrpcParts {
  readonly config: Config
  readonly pipeline: Pipeline
  readonly streams: Streams
  readonly log: Logger
  readonly healthy: () => boolean
  readonly onFault?: OnFault
  /** The listener for agents, which asks for a client certificate. */
  readonly agents?: { readonly address: string; readonly tls: AgentsTls } | undefined
}

/** The gRPC door: raw bytes in and out, the decision at the metadata, the body decoded after it. */
export async function listenGrpc({
  config,
  pipeline,
  streams,
  log,
  healthy,
  onFault,
  agents,
}: GrpcParts): Promise<GrpcListener> {
  // Services of the transport itself (health, reflection where it is on): public, and they decide nothing.
  const open = new Set<string>()
  const { requestTimeoutMs } = config.limits.grpc
  const interceptors = [gateInterceptor({ pipeline, log, open, requestTimeoutMs, certificates: agents !== undefined })]
  const server = makeServer(config.limits.grpc, { interceptors }, onFault, agents?.tls)
  addHealth(server, healthy)
  if (config.reflection.enabled) addReflection(server)
  for (const path of registeredPaths(server)) open.add(path)
  for (const method of methods.values()) {
    if (method.streaming) {
      const handle = streamHandler(method, { pipeline, streams, log, admissionOf })
      server.register(method.path, handle, asIs, asIs, 'serverStream')
    } else server.register(method.path, unaryHandler(method, { pipeline, log }), asIs, asIs, 'unary')
  }
  server.register(exportPath, unaryHandler(exportMethod, { pipeline, log }, exportOverGrpc), asIs, asIs, 'unary')
  serveUnknown(server)
  const { host, port } = splitAddress(agents?.address ?? config.listen.grpc)
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${host}:${port}`, credentialsOf(agents?.tls), (error, actual) =>
      error ? reject(error) : resolve(actual),
    )
  })
  return {
    address: `${host}:${bound}`,
    stop: (deadlineMs) =>
      new Promise((resolve) => {
        const late = setTimeout(() => {
          server.forceShutdown()
          resolve()
        }, deadlineMs)
        server.tryShutdown(() => {
          clearTimeout(late)
          resolve()
        })
      }),
  }
}

function credentialsOf(tls: AgentsTls | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure()
  const { cert, key, clientCa } = tls.material
  const pair = { cert_chain: Buffer.from(cert), private_key: Buffer.from(key.reveal()) }
  return ServerCredentials.createSsl(Buffer.from(clientCa), [pair], true)
}

interface InterceptorParts {
  readonly pipeline: Pipeline
  readonly log: Logger
  readonly open: ReadonlySet<string>
  /** From the decision to the end of the message. */
  readonly requestTimeoutMs: number
  /** The peers of this listener have certificates. */
  readonly certificates: boolean
}

/** Said to the call as grpc-js says that a deadline has passed, and replaced as that is. */
const messageOverdue = { code: status.DEADLINE_EXCEEDED, details: 'the message of the call has not come in time' }

/** The admission travels from the interceptor to the handler on the metadata that both see. */
const admissionKey = Symbol('admission')
interface Admitted {
  [admissionKey]?: Admission
}

function remember(metadata: Metadata & Admitted, admission: Admission): void {
  metadata[admissionKey] = admission
}

function admissionOf(metadata: Metadata & Admitted): Admission | undefined {
  return metadata[admissionKey]
}

/** Decides when the metadata has arrived; the message of a refused call is never read. */
function gateInterceptor({ pipeline, log, open, requestTimeoutMs, certificates }: InterceptorParts): ServerInterceptor {
  return (descriptor, call) => {
    if (open.has(descriptor.path)) return withRequestId(call)
    const method = methodAt(descriptor.path)
    const remote = peerAddress(call.getConnectionInfo().remoteAddress)
    let requestId = ''
    let admission: Admission | undefined
    let handedOver = false
    // What grpc-js has ended the call with: nothing that still comes of it is acted on.
    let told: Refusal | undefined
    let arriving: NodeJS.Timeout | undefined
    const own = interceptOwnStatus(call, async (said) => {
      const refusal = transportRefusal(said)
      told = refusal
      if (refusal.code === 'bounds.message_too_large') {
        log.warn(
          { event: 'bounds.message_too_large', method: descriptor.path, remote, requestId },
          'gRPC message over the bound',
        )
      }
      // Where the work goes on behind a deadline, its own entry says what became of it.
      if (admission !== undefined && !(handedOver && refusal.code === 'bounds.deadline')) {
        await pipeline.reject(admission, refusal)
      }
      return statusOf(refusal, requestId, admission?.decision.limit)
    })
    return new ServerInterceptingCall(call, {
      start: (next) => {
        next({
          onReceiveMetadata: (metadata, forward) => {
            requestId = takeRequestId(metadata)
            const refuseWith = (refusal: Refusal): void => {
              const answer = statusOf(refusal, requestId)
              own.ours(answer.metadata)
              call.sendStatus(answer)
            }
            if (method === undefined) {
              void pipeline.refuseUnknown(remote, descriptor.path, requestId).then(refuseWith)
              return
            }
            const proceed = (decided: Admission | Refusal): void => {
              if (isRefusal(decided)) return refuseWith(decided)
              // Its deadline passed while it was decided on.
              if (told !== undefined) return void pipeline.reject(decided, told)
              admission = decided
              arriving = setTimeout(() => call.sendStatus(messageOverdue), requestTimeoutMs).unref()
              remember(metadata, decided)
              return forward(metadata)
            }
            const values = (name: string): readonly string[] => texts(metadata, name)
            const presented = presentedOf(values, undefined)
            const decided = pipeline.admit({
              method,
              ...presented,
              target: requestTarget(presented.dpop, () => ({
                ...call.getConnectionInfo(),
                method: 'POST',
                url: descriptor.path,
                encrypted: call.getAuthContext().transportSecurityType === 'ssl',
              })),
              signed: signedMessage(values, { method: 'POST', target: descriptor.path, authority: call.getHost() }),
              remote,
              requestId,
              certificate: certificates ? peerOf(connectionOf(call), Date.now()) : undefined,
            })
            // Decided at once but for refusals, which are recorded first.
            if (decided instanceof Promise) void decided.then(proceed)
            else proceed(decided)
          },
          // What grpc-js has answered by itself is not done as well.
          onReceiveHalfClose: (forward) => {
            clearTimeout(arriving)
            if (told !== undefined) return
            handedOver = true
            forward()
          },
          onCancel: () => clearTimeout(arriving),
        })
      },
      sendStatus: (value, next) => {
        if (value.metadata !== null && value.metadata !== undefined) own.ours(value.metadata)
        next(value)
      },
    })
  }
}

/** A call that is not decided on, but whose reply has its request id as every other (SPEC C3). */
function withRequestId(call: ConstructorParameters<typeof ServerInterceptingCall>[0]): ServerInterceptingCall {
  let requestId = ''
  return new ServerInterceptingCall(call, {
    start: (next) => {
      next({
        onReceiveMetadata: (metadata, forward) => {
          requestId = takeRequestId(metadata)
          forward(metadata)
        },
      })
    },
    sendMetadata: (metadata, next) => {
      metadata.set('x-request-id', requestId)
      next(metadata)
    },
    sendStatus: (value, next) => {
      const metadata = value.metadata ?? new Metadata()
      metadata.set('x-request-id', requestId)
      next({ ...value, metadata })
    },
  })
}

/** The id that the caller sent, or a new one. */
function takeRequestId(metadata: Metadata): string {
  return sentRequestId(text(metadata, 'x-request-id')) ?? publicId('req', uuidv7())
}

function unaryHandler(
  method: Method,
  { pipeline, log }: Pick<InterceptorParts, 'pipeline' | 'log'>,
  perform: typeof exportOverGrpc = (of, admission, bytes, key) => of.performBytes(admission, bytes, key),
) {
  return (
    call: ServerUnaryCall<Buffer, Buffer>,
    callback: (error: { code: number; details: string; metadata: Metadata } | null, value?: Buffer) => void,
  ): void => {
    const admission = admissionOf(call.metadata)
    // Fails closed: a call that reached its handler without a decision is refused.
    if (admission === undefined) return callback(statusOf(refuse('server.internal', 'not admitted'), ''))
    const { requestId } = admission.call
    void perform(pipeline, admission, call.request, text(call.metadata, 'idempotency-key'))
      .then((reply) => {
        if (isRefusal(reply)) return callback(statusOf(reply, requestId, admission.decision.limit))
        const bytes = reply.bytes ?? toBinary(method.output, reply.message)
        const head = new Metadata()
        head.set('x-request-id', requestId)
        if (reply.replayed) head.set('idempotency-replayed', 'true')
        call.sendMetadata(head)
        return callback(null, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
      })
      .catch((error: unknown) => {
        log.error({ event: 'server.fault', err: error, method: method.path, requestId }, 'fault in a gRPC reply')
        callback(statusOf(refuse('server.internal', 'fault'), requestId))
      })
  }
}

function transportRefusal({ code, details }: TransportStatus): Refusal {
  switch (code) {
    case status.RESOURCE_EXHAUSTED:
      return refuse(details.startsWith('Sent') ? 'bounds.reply_too_large' : 'bounds.message_too_large', details)
    case status.DEADLINE_EXCEEDED:
      return refuse('bounds.deadline', details)
    case status.UNIMPLEMENTED:
      // Also said of no message, and of two.
      if (!details.includes('encoding')) return refuse('input.malformed', details)
      return refuse('bounds.content_type', details, {
        detail: 'send the message as it is, or compressed with gzip or deflate',
      })
    case status.UNKNOWN:
      return refuse('server.internal', details)
    default:
      return refuse('input.malformed', details)
  }
}

function texts(metadata: Metadata, name: string): readonly string[] {
  return metadata.get(name).map(String)
}

function text(metadata: Metadata, name: string): string | undefined {
  return texts(metadata, name)[0]
}

function splitAddress(address: string): { readonly host: string; readonly port: string } {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon), port: address.slice(colon + 1) }
}

function asIs(bytes: Buffer): Buffer {
  return bytes
}
