import type { ZodType } from 'zod'
import { uuidv7 } from '#core'
import { readBounded } from './bounded-read.ts'
import { askWithTls, postWithTls, type TlsOptions, type TlsReply } from './client-tls.ts'
import { CliError } from './errors.ts'
import { readEvents } from './events.ts'
import type { Io } from './io.ts'
import type { ClientOptions } from './options.ts'
import { refusedBy, unreachable } from './failures.ts'
import { savedToken } from './oauth-client.ts'
import { SavedSignIns } from './saved-sign-in.ts'
import { findTarget, type Target } from './target.ts'

const deadlineMs = 15_000
const replyBytesMax = 4 * 1024 * 1024
const attemptsMax = 3
const retryAfterMs = 500
// What a repetition with the same idempotency key settles without doing the work twice (SPEC G15).
const retried: ReadonlySet<string> = new Set([
  'outcome.unknown',
  'idempotency.in_flight',
  'server.draining',
  'cli.connection_lost',
])

export interface Reply {
  readonly body: unknown
  readonly requestId: string | undefined
}

/** Calls methods by name over HTTP, as any other client would. */
export class Client {
  readonly #target: Target
  readonly #io: Io
  readonly #saved: SavedSignIns
  readonly #deadlineMs: number

  constructor(options: ClientOptions & TlsOptions, io: Io, answerWithinMs = deadlineMs) {
    this.#target = findTarget(options, io)
    this.#io = io
    this.#saved = new SavedSignIns(io)
    this.#deadlineMs = answerWithinMs
  }

  /** Calls a method such as `HubService/StartRun` and checks the shape of what comes back. */
  async call<T>(method: string, message: object, shape: ZodType<T>): Promise<T> {
    return this.parse((await this.callText(method, JSON.stringify(message))).body, shape)
  }

  /** Sends a message that is JSON text already. Without `keyed` the text brings its own idempotency key. */
  async callText(method: string, text: string, keyed = true): Promise<Reply> {
    const path = method.includes('.') ? method : `portcullis.v1.${method}`
    const idempotencyKey = keyed ? uuidv7() : undefined
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#post(path, text, idempotencyKey)
      } catch (error) {
        const again = keyed && attempt < attemptsMax && error instanceof CliError && retried.has(error.code)
        if (!again) throw error
        await this.#io.sleep(retryAfterMs)
      }
    }
  }

  parse<T>(body: unknown, shape: ZodType<T>): T {
    const parsed = shape.safeParse(body)
    if (parsed.success) return parsed.data
    const where = parsed.error.issues[0]?.path.join('.') ?? ''
    throw new CliError('unavailable', 'cli.reply_unknown', `The server's reply has an unknown form (${where}).`, {
      todo: 'Use the same version of portcullis here and there.',
    })
  }

  /** The messages that a method answers with, as they come. Ends with the signal, or with why the server ended the stream. `begun` is called once it was let in. */
  async *stream<T>(
    method: string,
    message: object,
    shape: ZodType<T>,
    signal: AbortSignal,
    begun: () => void = () => undefined,
  ): AsyncGenerator<T> {
    const { url, tls } = this.#target
    const { headers, hadKey } = await this.#headers()
    const sent = { headers, body: JSON.stringify(message), signal }
    const path = `${url}/portcullis.v1.${method}`
    try {
      const { status, body, requestId } = await (tls === undefined
        ? fetch(path, { ...sent, method: 'POST', redirect: 'manual' }).then((reply) => ({
            status: reply.status,
            body: (reply.body ?? new Blob([]).stream()) as AsyncIterable<Uint8Array>,
            requestId: reply.headers.get('x-request-id') ?? undefined,
          }))
        : askWithTls(path, tls, sent).then((reply) => ({
            status: reply.statusCode ?? 0,
            body: reply as AsyncIterable<Uint8Array>,
            requestId: reply.headers['x-request-id']?.toString(),
          })))
      if (status !== 200)
        throw refusedBy(url, status, parseJson((await readBounded(body, replyBytesMax)) ?? ''), requestId, hadKey)
      begun()
      for await (const { event, data } of readEvents(body)) {
        if (event === 'end') throw refusedBy(url, 200, parseJson(data), requestId, hadKey)
        yield this.parse(parseJson(data), shape)
      }
    } catch (error) {
      if (signal.aborted) return
      throw error instanceof CliError ? error : unreachable(url, error, this.#deadlineMs)
    }
    if (!signal.aborted) throw unreachable(url, new Error('the stream was cut'), this.#deadlineMs)
  }

  async #headers(): Promise<{ readonly headers: Record<string, string>; readonly hadKey: boolean }> {
    const { url, key, tls } = this.#target
    const bearer =
      key === undefined && tls?.cert === undefined ? await savedToken(url, this.#saved, this.#io) : key?.reveal()
    const headers: Record<string, string> = { 'content-type': 'application/json' }
    if (bearer !== undefined) headers['authorization'] = `Bearer ${bearer}`
    return { headers, hadKey: bearer !== undefined }
  }

  async #post(path: string, body: string, idempotencyKey: string | undefined): Promise<Reply> {
    const { url, tls } = this.#target
    const { headers, hadKey } = await this.#headers()
    if (idempotencyKey !== undefined) headers['idempotency-key'] = idempotencyKey
    const signal = AbortSignal.timeout(this.#deadlineMs)
    try {
      const sent = { headers, body, signal, bytesMax: replyBytesMax }
      const post = tls === undefined ? plainPost(`${url}/${path}`, sent) : postWithTls(`${url}/${path}`, tls, sent)
      const { status, text, requestId } = await post
      if (text === undefined) throw tooLarge(url)
      const json = parseJson(text)
      if (status !== 200 || json === undefined) throw refusedBy(url, status, json, requestId, hadKey)
      return { body: json, requestId }
    } catch (error) {
      throw error instanceof CliError ? error : unreachable(url, error, this.#deadlineMs)
    }
  }
}

async function plainPost(
  url: string,
  { bytesMax, ...sent }: RequestInit & { readonly bytesMax: number },
): Promise<TlsReply> {
  // A redirect is refused and not followed: the key is for this server alone.
  const reply = await fetch(url, { ...sent, method: 'POST', redirect: 'manual' })
  const text = reply.body === null ? '' : await readBounded(reply.body, bytesMax)
  return { status: reply.status, text, requestId: reply.headers.get('x-request-id') ?? undefined }
}

function tooLarge(url: string): CliError {
  return new CliError('unavailable', 'cli.reply_too_large', `${url} sent more than ${replyBytesMax} bytes.`, {
    todo: 'Ask for less, for example with --limit.',
  })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
