import { toBinary, toJsonString } from '@bufbuild/protobuf'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { ExportTraceServiceResponseSchema } from '@portcullis/contract'
import { isRefusal, refuse, type Refusal } from '#core'
import type { Admission } from '../admissions.ts'
import { exportMethod, performExport } from '../otlp-ingest/export.ts'
import type { Pipeline } from '../pipeline.ts'
import { admitHeaders } from './methods.ts'
import { mediaType, sendRefusal } from './problem.ts'

interface OtlpParts {
  readonly pipeline: Pipeline
  readonly origin: () => string
  /** Of a body that was compressed. */
  readonly inflatedBytesMax: number
}

const binaryType = 'application/x-protobuf'
const inflate = promisify(gunzip)

/** `POST /v1/traces`: spans over OTLP/HTTP, in protobuf or JSON, plain or gzip (SPEC H13). */
export function addOtlp(app: FastifyInstance, parts: OtlpParts): void {
  const { pipeline, origin } = parts
  // In a scope of its own: no other route takes this type.
  void app.register(async (own) => {
    own.addContentTypeParser(binaryType, { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
    own.post(
      '/v1/traces',
      {
        config: { statusBody: true, performs: exportMethod },
        onRequest: async (request, reply) => {
          const refusal = await admit(request, reply, pipeline)
          return refusal === undefined ? undefined : sendRefusal(request, reply, refusal, origin())
        },
      },
      (request, reply) => answer(request, reply, parts),
    )
  })
}

async function admit(request: FastifyRequest, reply: FastifyReply, pipeline: Pipeline): Promise<Refusal | undefined> {
  const decided = await admitHeaders(request, reply, exportMethod, pipeline)
  if (isRefusal(decided)) return decided
  const type = mediaType(request)
  if (type !== binaryType && type !== 'application/json') {
    const detail = `send ${binaryType} or application/json`
    return pipeline.reject(decided, refuse('bounds.content_type', `content type ${type.slice(0, 100)}`, { detail }))
  }
  if (encodingOf(request) === undefined) {
    const detail = 'send the body with content-encoding gzip, or as it is'
    return pipeline.reject(decided, refuse('bounds.content_type', 'content encoding', { detail }))
  }
  return undefined
}

async function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  { pipeline, origin, inflatedBytesMax }: OtlpParts,
): Promise<FastifyReply> {
  const { admission } = request
  // Fails closed: a request that reached its handler without a decision is refused.
  if (admission === undefined) return sendRefusal(request, reply, refuse('server.internal', 'not admitted'), origin())
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
  // Signatures are over the body as it was sent.
  const checked = await pipeline.checkBody(admission, body)
  if (isRefusal(checked)) return sendRefusal(request, reply, checked, origin())
  const bytes = encodingOf(request) === 'gzip' ? await inflated(body, inflatedBytesMax, checked, pipeline) : body
  if (!Buffer.isBuffer(bytes)) return sendRefusal(request, reply, bytes, origin())
  const form = mediaType(request) === binaryType ? 'binary' : 'json'
  const key = request.headers['idempotency-key']
  const result = await performExport(pipeline, checked, bytes, form, typeof key === 'string' ? key : undefined)
  if (result.refused) return sendRefusal(request, reply, result, origin())
  if (result.replayed) void reply.header('idempotency-replayed', 'true')
  void reply.header('cache-control', 'no-store')
  return form === 'binary'
    ? reply.type(binaryType).send(Buffer.from(toBinary(ExportTraceServiceResponseSchema, result.message)))
    : reply.type('application/json').send(toJsonString(ExportTraceServiceResponseSchema, result.message))
}

/** Stops where the bound is reached, however small the body is that says so. */
async function inflated(
  body: Buffer,
  bytesMax: number,
  admission: Admission,
  pipeline: Pipeline,
): Promise<Buffer | Refusal> {
  try {
    return await inflate(body, { maxOutputLength: bytesMax })
  } catch (error) {
    const large = error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE'
    return pipeline.reject(
      admission,
      large
        ? refuse('bounds.message_too_large', `more than ${bytesMax} bytes inflated`)
        : refuse('input.malformed', 'the body is not gzip', { detail: 'the body is not what content-encoding says' }),
    )
  }
}

/** Undefined where the body is compressed in a way that is not taken. */
function encodingOf(request: FastifyRequest): 'gzip' | 'identity' | undefined {
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase()
  return encoding === 'gzip' || encoding === 'identity' ? encoding : undefined
}
