import type { IncomingMessage } from 'node:http'
import type { LiveContext } from './live-context.ts'

/** What came back: a reply, or silence and what is known of it. */
export type HttpAnswer =
  | {
      readonly kind: 'reply'
      readonly status: number
      readonly headers: IncomingMessage['headers']
      /** As far as it was read. */
      readonly body: string
      /** The body as JSON, where it is an object. */
      readonly json: Readonly<Record<string, unknown>> | undefined
    }
  | { readonly kind: 'silence'; readonly why: string }

export interface HttpQuestion {
  readonly method: 'GET' | 'POST'
  readonly url: URL
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

const bodyBytesMax = 64 * 1024

/** One request; no redirect is followed, no proxy used, and of the reply no more read than its first 64 KiB. */
export function askHttp(
  { connections, timeoutMs }: Pick<LiveContext, 'connections' | 'timeoutMs'>,
  question: HttpQuestion,
): Promise<HttpAnswer> {
  return connections.use(() => exchange(question, timeoutMs))
}

async function exchange({ method, url, headers = {}, body }: HttpQuestion, timeoutMs: number): Promise<HttpAnswer> {
  // Loaded here alone: a run that looks at files starts without them.
  const { request: send } = await (url.protocol === 'https:' ? import('node:https') : import('node:http'))
  return new Promise((resolve) => {
    const outgoing = send(url, {
      method,
      agent: false,
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    })
    const settle = (answer: HttpAnswer): void => {
      clearTimeout(late)
      resolve(answer)
      outgoing.destroy()
    }
    const late = setTimeout(() => settle({ kind: 'silence', why: `no answer within ${timeoutMs} ms` }), timeoutMs)
    outgoing.on('error', (error: NodeJS.ErrnoException) => settle({ kind: 'silence', why: reason(error) }))
    outgoing.on('response', (reply) => {
      const pieces: Buffer[] = []
      let bytes = 0
      const done = (): void => settle(replyOf(reply, Buffer.concat(pieces).toString('utf8', 0, bodyBytesMax)))
      reply.on('data', (piece: Buffer) => {
        pieces.push(piece)
        bytes += piece.length
        if (bytes > bodyBytesMax) done()
      })
      reply.on('end', done)
      reply.on('error', (error) => settle({ kind: 'silence', why: reason(error) }))
    })
    outgoing.end(body)
  })
}

function replyOf({ statusCode = 0, headers }: IncomingMessage, body: string): HttpAnswer {
  return { kind: 'reply', status: statusCode, headers, body, json: objectOf(body) }
}

function objectOf(body: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    // It is no JSON: that is an answer, too.
    return undefined
  }
}

function reason(error: NodeJS.ErrnoException): string {
  if (error.code === 'ECONNREFUSED') return 'the connection is refused'
  if (error.code === 'ENOTFOUND' || error.code === 'EAI_AGAIN') return 'its name does not resolve'
  return `the exchange failed (${error.code ?? 'unknown'})`
}
