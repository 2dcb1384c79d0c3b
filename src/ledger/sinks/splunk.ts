import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { SecretFile, systemClock, type Clock, type Outbound, type OutboundReply } from '#core'
import { NotAcknowledged, refusedStatus, said } from './not-acknowledged.ts'
import type { Sink, SinkBatch, SinkCheckpoint, SinkEntry } from './ports.ts'
import { isRecord, jsonOf, microsOf, rangeOf, sinkHttp, type SinkHttpSettings } from './sink-http.ts'

export interface SplunkSinkSettings extends SinkHttpSettings {
  readonly name: string
  /** Of the HTTP Event Collector; its paths are added. */
  readonly url: string
  readonly tokenFile: string
  readonly index?: string | undefined
  /** `indexed` asks for the acknowledgement of the indexers, `accepted` believes the 200 that goes before indexing. */
  readonly acknowledge: 'indexed' | 'accepted'
}

/** Sent, and not known to be indexed yet: asked for again by the next attempt instead of being sent twice. */
interface Pending {
  readonly what: string
  readonly ackId: number
  readonly sentAt: number
}

const resendAfterMs = 60_000
const indexedMs = 20_000
const pollMs = { first: 100, most: 1000 } as const

/** What Splunk says where it does not take events, with what to do (its codes are part of its interface). */
const codes: ReadonlyMap<unknown, string> = new Map([
  [1, 'enable the token in Splunk'],
  [2, 'the token is missing'],
  [3, 'the token is not in the form that Splunk takes'],
  [4, 'check the token in tokenFile'],
  [7, 'allow the index for the token, or set another one'],
  [10, 'set acknowledge: indexed, because the token asks for a channel'],
  [11, 'the channel was not accepted'],
  [14, 'enable indexer acknowledgement for the token, or set acknowledge: accepted'],
])

/** Splunk's HTTP Event Collector: each entry is one event, whose text is the exact entry. */
export class SplunkSink implements Sink {
  readonly name: string
  /** Indexers flush every few seconds. */
  readonly attemptMs: number | undefined
  readonly #settings: SplunkSinkSettings
  readonly #base: string
  readonly #token: SecretFile
  readonly #outbound: Outbound
  readonly #clock: Clock
  readonly #channel = randomUUID()
  /** By origin, and one for its checkpoints. */
  readonly #pending = new Map<string, Pending>()

  constructor(settings: SplunkSinkSettings, clock: Clock = systemClock) {
    this.#clock = clock
    this.name = settings.name
    this.#settings = settings
    this.attemptMs = settings.acknowledge === 'indexed' ? indexedMs : undefined
    this.#base = `${settings.url.replace(/\/+$/, '')}/services/collector`
    this.#token = new SecretFile(settings.tokenFile)
    this.#outbound = sinkHttp(settings)
  }

  async send({ origin, entries }: SinkBatch, signal: AbortSignal): Promise<void> {
    const { first, last } = rangeOf(entries)
    const leaf = Buffer.from(entries.at(-1)?.leaf ?? []).toString('hex')
    const events = entries.map((entry) => this.#event(origin, 'portcullis:ledger', entry)).join('')
    await this.#give({ line: origin, what: `${first}-${last}-${leaf}` }, events, signal)
  }

  async publish({ origin, size, note }: SinkCheckpoint, signal: AbortSignal): Promise<void> {
    const { index } = this.#settings
    const event = { source: origin, sourcetype: 'portcullis:checkpoint', index, event: note, fields: { size } }
    await this.#give({ line: `${origin} checkpoint`, what: note }, JSON.stringify(event), signal)
  }

  close(): Promise<void> {
    return this.#outbound.close()
  }

  #event(source: string, sourcetype: string, entry: SinkEntry): string {
    const micros = microsOf(entry)
    const time = micros === undefined ? undefined : Number(micros) / 1e6
    const fields = { seq: entry.seq, leaf: Buffer.from(entry.leaf).toString('hex') }
    const event = Buffer.from(entry.entry).toString()
    return JSON.stringify({ time, source, sourcetype, index: this.#settings.index, event, fields })
  }

  async #give(
    { line, what }: { readonly line: string; readonly what: string },
    events: string,
    signal: AbortSignal,
  ): Promise<void> {
    if (this.#settings.acknowledge === 'accepted') {
      await this.#post('/event', events, signal)
      return
    }
    const waiting = this.#pending.get(line)
    if (waiting?.what !== what || this.#clock.monotonic() - waiting.sentAt > resendAfterMs) {
      this.#pending.delete(line)
      const { ackId } = await this.#post('/event', events, signal)
      if (typeof ackId !== 'number') {
        throw new NotAcknowledged(`it gave no ackId: ${codes.get(14) ?? ''}`)
      }
      this.#pending.set(line, { what, ackId, sentAt: this.#clock.monotonic() })
    }
    await this.#indexed(line, signal)
    this.#pending.delete(line)
  }

  async #indexed(line: string, signal: AbortSignal): Promise<void> {
    const { ackId } = this.#pending.get(line) ?? {}
    for (let waitMs: number = pollMs.first; ; waitMs = Math.min(waitMs * 2, pollMs.most)) {
      const { acks } = await this.#post(`/ack?channel=${this.#channel}`, JSON.stringify({ acks: [ackId] }), signal)
      if (isRecord(acks) && acks[String(ackId)] === true) return
      await delay(waitMs, undefined, { signal }).catch((cause: unknown) => {
        throw new NotAcknowledged(
          'it took the events and has not indexed them yet; it is asked again',
          undefined,
          cause,
        )
      })
    }
  }

  async #post(path: string, body: string, signal: AbortSignal): Promise<Readonly<Record<string, unknown>>> {
    const token = await this.#token.read()
    const headers = {
      authorization: `Splunk ${token.reveal()}`,
      'content-type': 'application/json',
      'x-splunk-request-channel': this.#channel,
    }
    const reply = await this.#outbound.send({ url: `${this.#base}${path}`, headers, body }, signal)
    if (reply.status !== 200) throw refusal(reply)
    const answer = jsonOf(reply)
    if (path === '/event' && answer['code'] !== 0) throw refusal(reply)
    return answer
  }
}

function refusal(reply: OutboundReply): NotAcknowledged {
  const value: unknown = reply.end === 'whole' ? tryJson(reply) : undefined
  if (!isRecord(value) || value['code'] === undefined) return refusedStatus(reply)
  const todo = codes.get(value['code'])
  const why = `it answered ${reply.status}, code ${said(value['code'])}: ${said(value['text'])}`
  return new NotAcknowledged(todo === undefined ? why : `${why}; ${todo}`, reply)
}

function tryJson(reply: OutboundReply): unknown {
  try {
    return jsonOf(reply)
  } catch {
    return undefined
  }
}
