import type * as Http from 'node:http'
import type * as Https from 'node:https'
import { guardedLookup, type Resolve } from './guarded-lookup.ts'
import { addressPolicy, parseTarget, type OutboundPolicy } from './target.ts'

export interface OutboundSettings extends OutboundPolicy {
  /** For one exchange: resolving, connecting, sending and reading. */
  readonly deadlineMs: number
  /** Certificates of authorities in PEM that stand in for those of the system. */
  readonly ca?: string | undefined
  /** In the place of the resolver of the system. */
  readonly resolve?: Resolve | undefined
}

export interface OutboundRequest {
  readonly url: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

export interface OutboundReply {
  readonly status: number
  readonly headers: Http.IncomingHttpHeaders
  /** As sent: nothing is decompressed. At most {@link replyBytesMax}. */
  readonly body: Buffer
  /** `cut` at the bound, `broken` where the connection ended early. */
  readonly end: 'whole' | 'cut' | 'broken'
}

/** How much of a reply is read before its connection is dropped (SPEC O4, O11). */
export const replyBytesMax = 1024 * 1024
const idleSocketsMax = 4

interface Stack {
  readonly http: typeof Http.request
  readonly https: typeof Https.request
  readonly agents: readonly [Http.Agent, Https.Agent]
}

/**
 * Everything that this product sends to systems of others goes through here: addresses are checked when they are connected to,
 * redirects are a status like any other, time and bytes are bounded. Connections are kept alive; close it to end them.
 */
export class Outbound {
  readonly #settings: OutboundSettings
  #stack: Promise<Stack> | undefined

  constructor(settings: OutboundSettings) {
    this.#settings = settings
  }

  /**
   * Resolves with the reply once there is a status; rejects with an Error whose message holds no part of the URL but its host, with
   * {@link LateReply} where the deadline passed behind the status.
   */
  async send(request: OutboundRequest, signal?: AbortSignal): Promise<OutboundReply> {
    const url = parseTarget(request.url, this.#settings)
    const late = AbortSignal.timeout(this.#settings.deadlineMs)
    const until = signal === undefined ? late : AbortSignal.any([signal, late])
    this.#stack ??= this.#load()
    const stack = await this.#stack
    try {
      return await this.#once(stack, url, request, until, true)
    } catch (error) {
      if (!(error instanceof StaleConnection)) throw error
      return this.#once(stack, url, request, until, false)
    }
  }

  /** Ends the connections that are kept alive, and what is under way on them. */
  async close(): Promise<void> {
    for (const agent of (await this.#stack)?.agents ?? []) agent.destroy()
  }

  // On first use: most processes that load this room never call out.
  async #load(): Promise<Stack> {
    const [http, https] = await Promise.all([import('node:http'), import('node:https')])
    const { ca } = this.#settings
    const kept = { keepAlive: true, maxFreeSockets: idleSocketsMax, scheduling: 'lifo' } as const
    const agents = [new http.Agent(kept), new https.Agent({ ...kept, ca })] as const
    return { http: http.request, https: https.request, agents }
  }

  #once(stack: Stack, url: URL, given: OutboundRequest, until: AbortSignal, pooled: boolean): Promise<OutboundReply> {
    const { ca, resolve } = this.#settings
    const body = Buffer.from(given.body ?? '')
    const secure = url.protocol === 'https:'
    const method = given.method ?? 'POST'
    const length = method === 'GET' ? {} : { 'content-length': body.length }
    const options = {
      method,
      headers: { 'accept-encoding': 'identity', ...given.headers, ...length },
      agent: pooled && (secure ? stack.agents[1] : stack.agents[0]),
      lookup: guardedLookup(addressPolicy(url, this.#settings), resolve),
      signal: until,
      ...(secure && { ca }),
    }
    const outgoing = secure ? stack.https(url, options) : stack.http(url, options)
    return new Promise((settle, reject) => {
      let answered = false
      outgoing.on('response', (response) => {
        answered = true
        read(response, until).then(settle, reject)
      })
      outgoing.on('error', (error) => answered || reject(failure(error, outgoing, until, pooled)))
      // An upgrade that nobody asked for closes without an error.
      outgoing.on('close', () => answered || reject(new Error('the connection was closed before a reply')))
      outgoing.end(body.length > 0 ? body : undefined)
    })
  }
}

/** The far side had closed a kept connection while the request was on its way: worth one more try on a new one. */
class StaleConnection extends Error {}

function failure(error: Error, outgoing: Http.ClientRequest, until: AbortSignal, pooled: boolean): Error {
  if (until.aborted) return new Error(lateText(until), { cause: until.reason })
  const reset = 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
  if (pooled && reset && outgoing.reusedSocket)
    return new StaleConnection('the connection was closed', { cause: error })
  return error
}

/** There was a status, and then the deadline passed. */
export class LateReply extends Error {
  override readonly name = 'LateReply'
  readonly status: number

  constructor(status: number, until: AbortSignal) {
    super(lateText(until), { cause: until.reason })
    this.status = status
  }
}

function lateText({ reason }: AbortSignal): string {
  const late = reason instanceof DOMException && reason.name === 'TimeoutError'
  return late ? 'the deadline passed before a whole reply' : 'the call was given up'
}

function read(response: Http.IncomingMessage, until: AbortSignal): Promise<OutboundReply> {
  const { statusCode: status = 0, headers } = response
  return new Promise((settle, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const finish = (end: OutboundReply['end']): void => {
      settle({ status, headers, body: Buffer.concat(chunks), end })
      if (end !== 'whole') response.destroy()
    }
    response.on('data', (chunk: Buffer) => {
      if (bytes >= replyBytesMax) return
      chunks.push(chunk.subarray(0, replyBytesMax - bytes))
      bytes += chunk.length
      if (bytes >= replyBytesMax) finish('cut')
    })
    response.on('end', () => finish('whole'))
    const broken = (): void => (until.aborted ? reject(new LateReply(status, until)) : finish('broken'))
    response.on('error', broken)
    response.on('close', broken)
  })
}
