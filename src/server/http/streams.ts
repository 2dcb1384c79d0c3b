import { Readable } from 'node:stream'
import { toJsonString, type Message } from '@bufbuild/protobuf'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Method } from '@portcullis/contract'
import { isRefusal, refuse, type Refusal } from '#core'
import type { Pipeline } from '../pipeline.ts'
import type { Hearer, Streams } from '../streams.ts'
import { mediaType, problemOf, sendRefusal } from './problem.ts'
import { decodeBytes } from '../openings.ts'
import { bodyOf, readJson } from './read-json.ts'

interface StreamParts {
  readonly pipeline: Pipeline
  readonly streams: Streams
  readonly origin: () => string
}

// More than that is not kept for a client that does not read.
const bufferBytesMax = 64 * 1024

/**
 * A method that answers with a stream, over HTTP: server-sent events whose data are the messages in JSON. The last event is `end` with
 * the problem that a call would be refused with; a stream that ends without it was cut.
 */
export async function answerStream(
  request: FastifyRequest,
  reply: FastifyReply,
  method: Method,
  { pipeline, streams, origin: originOf }: StreamParts,
): Promise<FastifyReply> {
  const { admission } = request
  const origin = originOf()
  // Fails closed: a request that reached its handler without a decision is refused.
  if (admission === undefined) return sendRefusal(request, reply, refuse('server.internal', 'not admitted'), origin)
  if (mediaType(request) !== 'application/json') {
    const message = decodeBytes(admission, bodyOf(request))
    const refusal = isRefusal(message)
      ? message
      : refuse('bounds.content_type', 'a stream in binary over HTTP', {
          detail: 'over HTTP a stream is asked for in application/json, and answered as text/event-stream',
        })
    return sendRefusal(request, reply, await pipeline.reject(admission, refusal), origin)
  }
  const read = await readJson(request, admission, method, pipeline)
  if (isRefusal(read)) return sendRefusal(request, reply, read, origin)
  const { call, decision } = read.admission
  const { caller, ownOnly } = decision
  const opened = await pipeline.open(read.admission, read.message, (who) => streams.full(who))
  if (isRefusal(opened)) return sendRefusal(request, reply, opened, origin)
  if (caller === undefined) return sendRefusal(request, reply, refuse('server.internal', 'nobody'), origin)
  const hearer = new EventHearer(method, (why) => problemOf(why, request.id, origin))
  const leave = streams.join(call, caller, ownOnly, opened, hearer)
  hearer.body.once('close', leave)
  return reply
    .header('cache-control', 'no-store')
    .header('x-accel-buffering', 'no')
    .type('text/event-stream; charset=utf-8')
    .send(hearer.body)
}

class EventHearer implements Hearer {
  readonly body = new Readable({ read: () => undefined, highWaterMark: bufferBytesMax })
  readonly #method: Method
  readonly #problem: (why: Refusal) => object

  constructor(method: Method, problem: (why: Refusal) => object) {
    this.#method = method
    this.#problem = problem
    this.body.push(': begun\n\n')
  }

  ready(): boolean {
    return !this.body.destroyed && this.body.readableLength < bufferBytesMax
  }

  say(message: Message): void {
    const data = toJsonString(this.#method.output, message, { alwaysEmitImplicit: true })
    if (!this.body.destroyed) this.body.push(`data: ${data}\n\n`)
  }

  end(why: Refusal): void {
    if (this.body.destroyed || this.body.readableEnded) return
    // Who reads nothing would not read this either.
    if (!this.ready()) return void this.body.destroy()
    this.body.push(`event: end\ndata: ${JSON.stringify(this.#problem(why))}\n\n`)
    this.body.push(null)
  }
}
