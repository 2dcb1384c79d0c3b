import { Readable } from 'node:stream'
import { create } from '@bufbuild/protobuf'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { GetTokenEventsRequestSchema, LedgerService, methodOf, type GetTokenEventsResponse } from '@portcullis/contract'
import { isRefusal, refuse, type Refusal } from '#core'
import { formatCursor, readCursor, type EntryRow, type EventCursor } from '#hub'
import type { Pipeline } from '../pipeline.ts'
import type { FeedEnd, Listener, TokenFeed } from '../token-feed.ts'
import { admitHeaders, bodyOf } from './methods.ts'
import { sendRefusal } from './problem.ts'

interface TokenEventParts {
  readonly pipeline: Pipeline
  readonly origin: () => string
  readonly feed: TokenFeed
  readonly heartbeatMs?: number
}

interface Event {
  readonly log: string
  readonly seq: string | bigint
  readonly recordHash: string
  readonly entryJson: string
}

const method = methodOf(LedgerService.method.getTokenEvents)
const heartbeatEveryMs = 15_000
// More than that is not kept for a client that does not read: it hears of it when it does.
const bufferBytesMax = 64 * 1024

/**
 * `GET /v1/token-events`: what became of tokens, as a stream of server-sent events (SPEC A11). The call is LedgerService.GetTokenEvents, through
 * the same gate. `Last-Event-ID`, or `cursor` in the query, says where to go on; without either it begins now.
 */
export function addTokenEvents(app: FastifyInstance, parts: TokenEventParts): void {
  const { pipeline, origin } = parts
  const open = new Set<EventStream>()
  app.addHook('preClose', async () => {
    for (const stream of open) stream.end('draining')
  })
  app.get('/v1/token-events', {
    exposeHeadRoute: false,
    onRequest: async (request, reply) => {
      const decided = await admitHeaders(request, reply, method, pipeline)
      return isRefusal(decided) ? sendRefusal(request, reply, decided, origin()) : undefined
    },
    handler: (request, reply) => answer(request, reply, parts, open),
  })
}

async function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  { pipeline, origin: originOf, feed, heartbeatMs = heartbeatEveryMs }: TokenEventParts,
  open: Set<EventStream>,
): Promise<FastifyReply> {
  const origin = originOf()
  const { admission } = request
  // Fails closed: a request that reached its handler without a decision is refused.
  if (admission === undefined) return sendRefusal(request, reply, refuse('server.internal', 'not admitted'), origin)
  const checked = await pipeline.checkBody(admission, bodyOf(request))
  if (isRefusal(checked)) return sendRefusal(request, reply, checked, origin)
  const { call, decision } = checked
  const { caller } = decision
  if (caller === undefined) return sendRefusal(request, reply, refuse('server.internal', 'nobody'), origin)
  const asked = cursorOf(request)
  if (isRefusal(asked)) return sendRefusal(request, reply, await pipeline.reject(checked, asked), origin)
  const full = feed.full(caller)
  if (full !== undefined) return sendRefusal(request, reply, await pipeline.reject(checked, full), origin)
  const message = create(GetTokenEventsRequestSchema, { cursor: asked.text })
  const result = await pipeline.perform(checked, message, undefined)
  if (result.refused) return sendRefusal(request, reply, result, origin)
  const first = result.message as GetTokenEventsResponse
  const next = readCursor(first.nextCursor)
  if (next === undefined || isRefusal(next)) throw new Error('the cursor of the first events cannot be read')
  // Between the look at the room and here others may have come.
  const late = feed.full(caller)
  if (late !== undefined) return sendRefusal(request, reply, late, origin)

  const stream = new EventStream(heartbeatMs)
  open.add(stream)
  const leave = feed.join(call, caller, next, stream)
  stream.body.once('close', () => {
    leave()
    stream.stop()
    open.delete(stream)
  })
  stream.begin(asked.cursor, first.events, next)
  return reply
    .header('cache-control', 'no-store')
    .header('x-accel-buffering', 'no')
    .type('text/event-stream; charset=utf-8')
    .send(stream.body)
}

/** The header, which browsers send when they come back, counts before the query. */
function cursorOf(request: FastifyRequest): { readonly text: string; readonly cursor: EventCursor } | Refusal {
  const { url = '' } = request.raw
  const mark = url.indexOf('?')
  const parameters = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1))
  const names = [...parameters.keys()]
  if (names.some((name, at) => name !== 'cursor' || at > 0))
    return refuse('input.invalid', 'parameters', { detail: 'cursor is the only parameter here, once' })
  const header = request.headers['last-event-id']
  const text = typeof header === 'string' && header !== '' ? header : (parameters.get('cursor') ?? '')
  const cursor = readCursor(text)
  return isRefusal(cursor) ? cursor : { text, cursor: cursor ?? {} }
}

/** One response. What it holds back is bounded: the feed tells it nothing while it is full. */
class EventStream implements Listener {
  readonly body = new Readable({ read: () => undefined, highWaterMark: bufferBytesMax })
  readonly #heartbeat: NodeJS.Timeout
  #cursor: EventCursor = {}

  constructor(heartbeatMs: number) {
    this.#heartbeat = setInterval(() => {
      // Says also how far was looked, so that who comes back does not begin far behind.
      if (this.ready()) this.#push(`id: ${formatCursor(this.#cursor)}\n: alive\n\n`)
    }, heartbeatMs)
    this.#heartbeat.unref()
  }

  begin(start: EventCursor, events: readonly Event[], next: EventCursor): void {
    this.#cursor = start
    this.#push('retry: 2000\n: begun\n\n')
    this.#tell(events, next)
    this.#push(`id: ${formatCursor(next)}\n: alive\n\n`)
  }

  ready(): boolean {
    return !this.body.destroyed && this.body.readableLength < bufferBytesMax
  }

  tell(rows: readonly EntryRow[], next: EventCursor): void {
    this.#tell(rows.map(eventOf), next)
  }

  /** Events come log by log, and the id of each says of the logs behind it that nothing of them was told yet. */
  #tell(events: readonly Event[], next: EventCursor): void {
    const at: Record<string, number> = { ...this.#cursor }
    for (const event of events) {
      at[event.log] = Number(event.seq) + 1
      this.#push(textOf(event, at))
    }
    this.#cursor = next
  }

  end(why: FeedEnd): void {
    this.stop()
    // Who reads nothing would not read this either.
    if (why === 'slow') this.body.destroy()
    else if (!this.body.readableEnded) {
      this.#push(`event: end\ndata: ${JSON.stringify({ why })}\n\n`)
      this.body.push(null)
    }
  }

  stop(): void {
    clearInterval(this.#heartbeat)
  }

  #push(text: string): void {
    if (!this.body.destroyed) this.body.push(text)
  }
}

function eventOf({ log, seq, leaf, entry }: EntryRow): Event {
  return { log, seq, recordHash: Buffer.from(leaf).toString('hex'), entryJson: Buffer.from(entry).toString('utf8') }
}

/** One event: its name is the kind, its id where to go on. JSON holds no line breaks. */
function textOf({ log, seq, recordHash, entryJson }: Event, next: EventCursor): string {
  const { body, ts } = JSON.parse(entryJson) as { readonly body: { readonly kind: string }; readonly ts: string }
  const data = JSON.stringify({ log, seq: Number(seq), ts, record_hash: recordHash, body })
  return `id: ${formatCursor(next)}\nevent: ${body.kind}\ndata: ${data}\n\n`
}
