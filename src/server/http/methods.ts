import { toBinary, toJsonString } from '@bufbuild/protobuf'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { methods, type Method } from '@portcullis/contract'
import { isRefusal, refuse, type Refusal } from '#core'
import { peerAddress, presentedOf } from '../credentials.ts'
import { peerCertificate } from '../mtls/peer.ts'
import { signedMessage } from '../signed-message.ts'
import { requestTarget, type Arrived } from '../tokens/request-target.ts'
import type { Admission } from '../admissions.ts'
import type { Pipeline, Reply } from '../pipeline.ts'
import type { Streams } from '../streams.ts'
import { mediaType, sendRefusal, setRate } from './problem.ts'
import { bodyOf, readJson } from './read-json.ts'
import { answerStream } from './streams.ts'

export { bodyOf } from './read-json.ts'

declare module 'fastify' {
  interface FastifyRequest {
    admission: Admission | undefined
  }
}

const jsonTypes = new Set(['application/json', 'application/proto'])

export interface MethodParts {
  readonly pipeline: Pipeline
  readonly origin: () => string
  readonly replyBytesMax: number
}

/** Every method as `POST /portcullis.v1.<Service>/<Method>`: Connect unary, JSON and binary (SPEC C2). */
export function addMethods(
  app: FastifyInstance,
  { pipeline, origin, replyBytesMax, streams }: MethodParts & { readonly streams: Streams },
): void {
  for (const method of methods.values()) {
    app.post(
      method.path,
      {
        // Runs before the body is read: the decision needs the headers alone.
        onRequest: async (request, reply) => {
          const refusal = await admit(request, reply, method, pipeline)
          if (refusal !== undefined) return sendRefusal(request, reply, refusal, origin())
          return undefined
        },
      },
      (request, reply) =>
        method.streaming
          ? answerStream(request, reply, method, { pipeline, streams, origin })
          : answer(request, reply, method, { pipeline, origin, replyBytesMax }),
    )
  }
}

/** The decision of the gate on the headers alone; what is let in stands in `request.admission`. */
export async function admitHeaders(
  request: FastifyRequest,
  reply: FastifyReply,
  method: Method,
  pipeline: Pipeline,
): Promise<Admission | Refusal> {
  const remote = peerAddress(request.ip)
  const values = (name: string): readonly string[] => rawValues(request, name)
  const presented = presentedOf(values, queryOf(request))
  const decided = await pipeline.admit({
    method,
    ...presented,
    target: requestTarget(presented.dpop, () => arrivedAt(request)),
    signed: signedMessage(values, {
      method: request.method,
      target: request.raw.url ?? '',
      // HTTP/2 has the one, HTTP/1.1 the other.
      authority: values(':authority')[0] ?? values('host')[0],
    }),
    remote,
    requestId: request.id,
    certificate: peerCertificate(request),
    door: request.routeOptions.config.door,
  })
  if (isRefusal(decided)) return decided
  request.admission = decided
  setRate(reply, decided.decision.limit)
  return decided
}

function arrivedAt({ method, raw }: FastifyRequest): Arrived {
  const { socket } = raw
  const { localAddress, localPort } = socket
  return { method, url: raw.url ?? '', encrypted: 'encrypted' in socket, localAddress, localPort }
}

/** As `admitHeaders`, for a route that takes the bodies of a method. */
export async function admit(
  request: FastifyRequest,
  reply: FastifyReply,
  method: Method,
  pipeline: Pipeline,
): Promise<Refusal | undefined> {
  const decided = await admitHeaders(request, reply, method, pipeline)
  if (isRefusal(decided)) return decided
  if (!jsonTypes.has(mediaType(request))) {
    return pipeline.reject(decided, refuse('bounds.content_type', `content type ${mediaType(request).slice(0, 100)}`))
  }
  const encoding = request.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') {
    return pipeline.reject(
      decided,
      refuse('bounds.content_type', 'compressed body', { detail: 'send the body without content-encoding' }),
    )
  }
  return undefined
}

/** Performs the call in the body. `named`: fields that the path has, which a JSON body may repeat and not contradict. */
export function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  method: Method,
  parts: MethodParts,
  named?: Readonly<Record<string, string>>,
): Promise<FastifyReply> {
  return answerWith(request, reply, method, parts, (admission) =>
    perform(request, admission, method, parts.pipeline, named),
  )
}

export async function answerWith(
  request: FastifyRequest,
  reply: FastifyReply,
  method: Method,
  { pipeline, origin: originOf, replyBytesMax }: MethodParts,
  work: (admission: Admission) => Promise<Reply | Refusal>,
): Promise<FastifyReply> {
  const { admission } = request
  const origin = originOf()
  // Fails closed: a request that reached its handler without a decision is refused.
  if (admission === undefined) return sendRefusal(request, reply, refuse('server.internal', 'not admitted'), origin)
  const binary = mediaType(request) === 'application/proto'
  const result = await withDeadline(request, work(admission))
  if (result.refused) return sendRefusal(request, reply, result, origin)
  const body = binary
    ? Buffer.from(result.bytes ?? toBinary(method.output, result.message))
    : Buffer.from(toJsonString(method.output, result.message, { alwaysEmitImplicit: true }))
  if (body.length > replyBytesMax) {
    const refusal = refuse('bounds.reply_too_large', `${body.length} bytes`)
    return sendRefusal(request, reply, await pipeline.reject(admission, refusal), origin)
  }
  if (result.replayed) void reply.header('idempotency-replayed', 'true')
  return reply
    .header('cache-control', 'no-store')
    .type(binary ? 'application/proto' : 'application/json')
    .send(body)
}

/** Performs the call in the body; see `answer`. */
export async function perform(
  request: FastifyRequest,
  admission: Admission,
  method: Method,
  pipeline: Pipeline,
  named: Readonly<Record<string, string>> | undefined,
): Promise<Reply | Refusal> {
  const body = bodyOf(request)
  const key = joined(request, 'idempotency-key')
  if (mediaType(request) === 'application/proto') {
    if (named === undefined) return pipeline.performBytes(admission, body, key)
    return pipeline.reject(admission, refuse('bounds.content_type', 'proto', { detail: 'this path takes JSON only' }))
  }
  const read = await readJson(request, admission, method, pipeline, named)
  return isRefusal(read) ? read : pipeline.perform(read.admission, read.message, key)
}

/** Honours `Connect-Timeout-Ms`: the work goes on and is recorded, but the caller hears that its time is up. */
async function withDeadline(request: FastifyRequest, work: Promise<Reply | Refusal>): Promise<Reply | Refusal> {
  const asked = Number(request.headers['connect-timeout-ms'])
  if (!Number.isInteger(asked) || asked <= 0) return work
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Refusal>((resolve) => {
    timer = setTimeout(
      () => resolve(refuse('bounds.deadline', 'connect-timeout-ms passed')),
      Math.min(asked, 2 ** 31 - 1),
    )
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

/** Every value of a header, duplicates apart: node:http keeps only the first of some. */
function rawValues(request: FastifyRequest, name: string): readonly string[] {
  const raw = request.raw.rawHeaders
  const values: string[] = []
  for (let at = 0; at + 1 < raw.length; at += 2) {
    if (raw[at]?.toLowerCase() === name) values.push(raw[at + 1] ?? '')
  }
  return values
}

/** A doubled field becomes one that is not valid, as in gRPC. */
function joined(request: FastifyRequest, name: string): string | undefined {
  const values = rawValues(request, name)
  return values.length === 0 ? undefined : values.join(', ')
}

function queryOf(request: FastifyRequest): URLSearchParams | undefined {
  const mark = request.raw.url?.indexOf('?') ?? -1
  return mark < 0 ? undefined : new URLSearchParams(request.raw.url?.slice(mark + 1))
}
