import { create, type Message } from '@bufbuild/protobuf'
import { timestampFromDate, type Timestamp } from '@bufbuild/protobuf/wkt'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import {
  LedgerService,
  methodOf,
  QueryRequestSchema,
  VerifyRequestSchema,
  type LedgerEntry,
  type QueryResponse,
  type VerifyResponse,
} from '@portcullis/contract'
import { isRefusal, refuse, type Refusal } from '#core'
import type { Pipeline } from '../pipeline.ts'
import { admitHeaders, bodyOf } from './methods.ts'
import { sendRefusal } from './problem.ts'

interface AuditParts {
  readonly pipeline: Pipeline
  readonly origin: () => string
  readonly replyBytesMax: number
}

const query = methodOf(LedgerService.method.query)
const verify = methodOf(LedgerService.method.verify)
const listParameters = 'log, caller, action, outcome, code, request_id, tenant, after, before, page_size, page_token'
const listed: ReadonlySet<string> = new Set(listParameters.split(', '))
const verified: ReadonlySet<string> = new Set(['verify_chain', 'log'])

/**
 * The ledger for people with an HTTP client (SPEC L10): `GET /v1/audit` lists entries, with `verify_chain=true` it replays the log.
 * The same calls as LedgerService.Query and Verify, through the same gate, with names in snake_case.
 */
export function addAudit(app: FastifyInstance, parts: AuditParts): void {
  const { pipeline, origin } = parts
  for (const path of ['/v1/audit', '/api/v1/audit']) {
    app.get(path, {
      exposeHeadRoute: false,
      onRequest: async (request, reply) => {
        const decided = await admitHeaders(request, reply, wantsChain(request) ? verify : query, pipeline)
        return isRefusal(decided) ? sendRefusal(request, reply, decided, origin()) : undefined
      },
      handler: (request, reply) => answer(request, reply, parts),
    })
  }
}

async function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  { pipeline, origin: originOf, replyBytesMax }: AuditParts,
): Promise<FastifyReply> {
  const origin = originOf()
  const { admission } = request
  // Fails closed: a request that reached its handler without a decision is refused.
  if (admission === undefined) return sendRefusal(request, reply, refuse('server.internal', 'not admitted'), origin)
  const checked = await pipeline.checkBody(admission, bodyOf(request))
  if (isRefusal(checked)) return sendRefusal(request, reply, checked, origin)
  const message = messageOf(parametersOf(request))
  if (isRefusal(message)) return sendRefusal(request, reply, await pipeline.reject(checked, message), origin)
  const result = await pipeline.perform(checked, message, undefined)
  if (result.refused) return sendRefusal(request, reply, result, origin)
  const body =
    admission.call.method === verify
      ? chainJson(result.message as VerifyResponse)
      : listJson(result.message as QueryResponse)
  const bytes = Buffer.from(JSON.stringify(body))
  if (bytes.length > replyBytesMax) {
    const refusal = refuse('bounds.reply_too_large', `${bytes.length} bytes`)
    return sendRefusal(request, reply, await pipeline.reject(admission, refusal), origin)
  }
  return reply.header('cache-control', 'no-store').type('application/json').send(bytes)
}

/** Only `true` asks for the chain; which method is called is settled before anything else is looked at. */
function wantsChain(request: FastifyRequest): boolean {
  const values = parametersOf(request).getAll('verify_chain')
  return values.length === 1 && values[0] === 'true'
}

function messageOf(parameters: URLSearchParams): Message | Refusal {
  const chain = parameters.get('verify_chain') === 'true'
  const names = [...parameters.keys()].filter((name) => chain || name !== 'verify_chain')
  const allowed = chain ? verified : listed
  const wrong = names.find((name, at) => !allowed.has(name) || names.indexOf(name) !== at)
  if (wrong !== undefined) {
    return invalid(wrong, `is no parameter here, or is there twice; ${[...allowed].join(', ')} are`)
  }
  const text = (name: string): string => parameters.get(name) ?? ''
  const flag = text('verify_chain')
  if (!['', 'true', 'false'].includes(flag)) return invalid('verify_chain', 'must be true or false')
  if (chain) return create(VerifyRequestSchema, { log: text('log') })
  const [after, before] = [timeOf(text('after')), timeOf(text('before'))]
  if (after === 'wrong') return invalid('after', timeHelp)
  if (before === 'wrong') return invalid('before', timeHelp)
  const size = text('page_size')
  if (!/^\d{0,4}$/.test(size)) return invalid('page_size', 'must be a number from 1 to 1000')
  return create(QueryRequestSchema, {
    log: text('log'),
    caller: text('caller'),
    action: text('action'),
    outcome: text('outcome'),
    code: text('code'),
    requestId: text('request_id'),
    tenant: text('tenant'),
    pageSize: Number(size),
    pageToken: text('page_token'),
    ...(after === undefined ? {} : { after }),
    ...(before === undefined ? {} : { before }),
  })
}

const timeHelp = 'must be a time such as 2026-11-21T18:45:29Z'
const timePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/

function timeOf(text: string): Timestamp | 'wrong' | undefined {
  if (text === '') return undefined
  const time = new Date(timePattern.test(text) ? text : Number.NaN)
  return Number.isNaN(time.getTime()) ? 'wrong' : timestampFromDate(time)
}

function chainJson(found: VerifyResponse) {
  return {
    chain_valid: found.chainValid,
    log: found.log,
    from: Number(found.from),
    to: Number(found.to),
    root: found.root,
    checkpoint_size: Number(found.checkpointSize),
    anchored_size: Number(found.anchoredSize),
    ...(found.chainValid ? noteOf(found) : { first_bad_seq: Number(found.firstBadSeq), problem: found.problem }),
  }
}

/** What is to be said of a valid log: that it was truncated by policy. */
function noteOf({ problem }: VerifyResponse) {
  return problem === '' ? {} : { note: problem }
}

function listJson({ entries, nextPageToken }: QueryResponse) {
  return { entries: entries.map(entryJson), next_page_token: nextPageToken }
}

function entryJson({ log, seq, previousHash, recordHash, entryJson: bytes }: LedgerEntry) {
  const { body, ts } = JSON.parse(bytes) as { readonly body: unknown; readonly ts: string }
  return {
    log,
    seq: Number(seq),
    ts,
    previous_hash: previousHash,
    record_hash: recordHash,
    body,
    // The exact bytes that were hashed: what `body` says, and what a verifier needs.
    entry_json: bytes,
  }
}

function invalid(name: string, why: string): Refusal {
  const shown = name.slice(0, 40).toWellFormed().replaceAll('\0', '')
  return refuse('input.invalid', `${shown}: ${why}`, { detail: `${shown} ${why}` })
}

function parametersOf(request: FastifyRequest): URLSearchParams {
  const { url = '' } = request.raw
  const mark = url.indexOf('?')
  return new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1))
}
