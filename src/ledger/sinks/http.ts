import { SecretFile, type Outbound } from '#core'
import { NotAcknowledged, refusedStatus } from './not-acknowledged.ts'
import type { Sink, SinkBatch, SinkCheckpoint } from './ports.ts'
import { ndjson, rangeOf, sinkHttp, type SinkHttpSettings } from './sink-http.ts'

export interface HttpSinkSettings extends SinkHttpSettings {
  readonly name: string
  readonly url: string
  readonly tokenFile?: string | undefined
}

/** Entries as NDJSON to a URL. Acknowledged is a status of 200 to 299, with a reply that arrived. */
export class HttpSink implements Sink {
  readonly name: string
  readonly #url: string
  readonly #token: SecretFile | undefined
  readonly #outbound: Outbound

  constructor(settings: HttpSinkSettings) {
    this.name = settings.name
    this.#url = settings.url
    this.#token = settings.tokenFile === undefined ? undefined : new SecretFile(settings.tokenFile)
    this.#outbound = sinkHttp(settings)
  }

  async send({ origin, entries }: SinkBatch, signal: AbortSignal): Promise<void> {
    const { first, last } = rangeOf(entries)
    await this.#post('application/x-ndjson', `${origin}/${first}-${last}`, ndjson(entries), signal)
  }

  async publish({ origin, size, note }: SinkCheckpoint, signal: AbortSignal): Promise<void> {
    await this.#post('text/plain; charset=utf-8', `${origin}/checkpoint/${size}`, Buffer.from(note), signal)
  }

  close(): Promise<void> {
    return this.#outbound.close()
  }

  async #post(type: string, idempotencyKey: string, body: Buffer, signal: AbortSignal): Promise<void> {
    const token = await this.#token?.read()
    const headers = {
      'content-type': type,
      'idempotency-key': idempotencyKey,
      ...(token && { authorization: `Bearer ${token.reveal()}` }),
    }
    const reply = await this.#outbound.send({ url: this.#url, headers, body }, signal)
    if (reply.status < 200 || reply.status > 299) throw refusedStatus(reply)
    if (reply.end === 'broken') throw new NotAcknowledged('the connection broke in its reply', reply)
  }
}
