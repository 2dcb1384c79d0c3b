import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { create, type Message } from '@bufbuild/protobuf'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import {
  GetCheckpointRequestSchema,
  GetEntryBundleRequestSchema,
  GetTileRequestSchema,
  LedgerService,
  methodOf,
  type GetCheckpointResponse,
  type GetEntryBundleResponse,
  type GetTileResponse,
  type Method,
} from '@portcullis/contract'
import { isRefusal, refuse } from '#core'
import { isLogName, parseTilePath } from '#ledger'
import type { Pipeline } from '../pipeline.ts'
import { publicTlog } from '../public-reads.ts'
import { admitHeaders, bodyOf } from './methods.ts'
import { sendRefusal } from './problem.ts'

interface TlogParts {
  readonly pipeline: Pipeline
  readonly origin: () => string
  readonly replyBytesMax: number
  /** Checkpoints and tiles of hashes need no credential. */
  readonly open: boolean
  /** What is no path of a log is no method either. */
  readonly unknown: (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>
}

interface Asked {
  readonly method: Method
  readonly message: Message
  readonly kind: 'checkpoint' | 'tile' | 'entries'
}

declare module 'fastify' {
  interface FastifyRequest {
    tlog: Asked | undefined
  }
}

const compressFromBytes = 1024
const compress = promisify(gzip)

/**
 * A log as files (C2SP tlog-tiles): `/tlog/{log}/checkpoint`, `/tlog/{log}/tile/<L>/<N>[.p/<W>]` and `/tlog/{log}/tile/entries/…`. The
 * same calls as LedgerService.GetCheckpoint, GetTile and GetEntryBundle, through the same gate.
 */
export function addTlog(app: FastifyInstance, parts: TlogParts): void {
  const { pipeline, origin, open, unknown } = parts
  app.decorateRequest('tlog', undefined)
  app.get('/tlog/*', {
    exposeHeadRoute: false,
    config: { names: (rest) => askedFor(rest, open) !== undefined },
    onRequest: async (request, reply) => {
      const asked = askedFor((request.params as { readonly '*': string })['*'], open)
      if (asked === undefined) return unknown(request, reply)
      request.tlog = asked
      const decided = await admitHeaders(request, reply, asked.method, pipeline)
      return isRefusal(decided) ? sendRefusal(request, reply, decided, origin()) : undefined
    },
    handler: (request, reply) => answer(request, reply, parts),
  })
}

/** What a path names; a log may have slashes in its name, so the path is read from its end. */
function askedFor(path: string, open: boolean): Asked | undefined {
  const { getCheckpoint, getTile, getEntryBundle } = LedgerService.method
  if (path.endsWith('/checkpoint')) {
    const log = path.slice(0, -'/checkpoint'.length)
    if (!isLogName(log)) return undefined
    const method = open ? publicTlog.checkpoint : methodOf(getCheckpoint)
    return { method, message: create(GetCheckpointRequestSchema, { log }), kind: 'checkpoint' }
  }
  const cut = path.lastIndexOf('/tile/')
  const log = path.slice(0, Math.max(0, cut))
  const tile = parseTilePath(path.slice(cut + '/tile/'.length))
  if (cut < 0 || tile === undefined || !isLogName(log)) return undefined
  const { level, width } = tile
  const index = BigInt(tile.index)
  if (level === 'entries') {
    const message = create(GetEntryBundleRequestSchema, { log, index, width })
    return { method: methodOf(getEntryBundle), message, kind: 'entries' }
  }
  const method = open ? publicTlog.tile : methodOf(getTile)
  return { method, message: create(GetTileRequestSchema, { log, level, index, width }), kind: 'tile' }
}

async function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  { pipeline, origin: originOf, replyBytesMax, open }: TlogParts,
): Promise<FastifyReply> {
  const origin = originOf()
  const { admission, tlog } = request
  // Fails closed: a request that reached its handler without a decision is refused.
  if (admission === undefined || tlog === undefined) {
    return sendRefusal(request, reply, refuse('server.internal', 'not admitted'), origin)
  }
  const checked = await pipeline.checkBody(admission, bodyOf(request))
  if (isRefusal(checked)) return sendRefusal(request, reply, checked, origin)
  const result = await pipeline.perform(checked, tlog.message, undefined)
  if (result.refused) return sendRefusal(request, reply, result, origin)
  const bytes = bytesOf(tlog.kind, result.message)
  if (bytes.length === 0) {
    const refusal = refuse('object.not_found', 'no checkpoint', { detail: 'no checkpoint has been signed yet' })
    return sendRefusal(request, reply, refusal, origin)
  }
  if (bytes.length > replyBytesMax) {
    const refusal = refuse('bounds.reply_too_large', `${bytes.length} bytes`)
    return sendRefusal(request, reply, await pipeline.reject(admission, refusal), origin)
  }
  return send(request, reply, { kind: tlog.kind, bytes, shared: open && tlog.kind !== 'entries' })
}

interface File {
  readonly kind: Asked['kind']
  readonly bytes: Uint8Array
  /** Caches between the reader and us may keep it. */
  readonly shared: boolean
}

async function send(
  request: FastifyRequest,
  reply: FastifyReply,
  { kind, bytes, shared }: File,
): Promise<FastifyReply> {
  const whose = shared ? 'public' : 'private'
  // A tile that has its width in its name never changes; a checkpoint does.
  const age = kind === 'checkpoint' ? (shared ? 'max-age=2' : 'no-cache') : 'max-age=31536000, immutable'
  void reply.header('cache-control', `${whose}, ${age}`)
  if (!shared) void reply.header('vary', 'authorization, x-portcullis-key, accept-encoding')
  const type = kind === 'checkpoint' ? 'text/plain; charset=utf-8' : 'application/octet-stream'
  if (kind !== 'entries' || bytes.length < compressFromBytes || !takesGzip(request)) {
    return reply.type(type).send(Buffer.from(bytes))
  }
  return reply
    .type(type)
    .header('content-encoding', 'gzip')
    .send(await compress(bytes))
}

function takesGzip(request: FastifyRequest): boolean {
  const accepted = (request.headers['accept-encoding'] ?? '').split(',')
  return accepted.some((one) => /^\s*gzip\s*(?:;|$)/.test(one) && !/;\s*q=0(?:\.0*)?\s*$/.test(one))
}

function bytesOf(kind: Asked['kind'], message: Message): Uint8Array {
  if (kind === 'checkpoint') return Buffer.from((message as GetCheckpointResponse).note)
  return kind === 'tile' ? (message as GetTileResponse).hashes : (message as GetEntryBundleResponse).bundle
}
