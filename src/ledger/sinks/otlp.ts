import { headerLines, SecretFile, type Outbound } from '#core'
import { NotAcknowledged, refusedStatus, said } from './not-acknowledged.ts'
import type { Sink, SinkBatch, SinkCheckpoint, SinkEntry } from './ports.ts'
import { isRecord, jsonOf, microsOf, sinkHttp, type SinkHttpSettings } from './sink-http.ts'

export interface OtlpSinkSettings extends SinkHttpSettings {
  readonly name: string
  /** Of the collector; `/v1/logs` is added to it. */
  readonly endpoint: string
  readonly headersFile?: string | undefined
}

const infoSeverity = 9

/**
 * Log records to an OpenTelemetry collector, OTLP over HTTP in JSON: the body of a record is the exact entry. Acknowledged is a
 * success without rejected records; what the collector does with them later it does not say.
 */
export class OtlpSink implements Sink {
  readonly name: string
  readonly #url: string
  readonly #headers: SecretFile | undefined
  readonly #outbound: Outbound

  constructor(settings: OtlpSinkSettings) {
    this.name = settings.name
    this.#url = `${settings.endpoint.replace(/\/+$/, '')}/v1/logs`
    this.#headers = settings.headersFile === undefined ? undefined : new SecretFile(settings.headersFile)
    this.#outbound = sinkHttp(settings)
  }

  async send({ origin, entries }: SinkBatch, signal: AbortSignal): Promise<void> {
    await this.#export(
      entries.map((entry) => recordOf(origin, entry)),
      signal,
    )
  }

  async publish({ origin, size, note }: SinkCheckpoint, signal: AbortSignal): Promise<void> {
    const attributes = [text('portcullis.origin', origin), count('portcullis.size', size)]
    await this.#export([record('portcullis.ledger.checkpoint', BigInt(Date.now()) * 1000n, note, attributes)], signal)
  }

  close(): Promise<void> {
    return this.#outbound.close()
  }

  async #export(logRecords: readonly unknown[], signal: AbortSignal): Promise<void> {
    const resource = { attributes: [text('service.name', 'portcullis')] }
    const scopeLogs = [{ scope: { name: 'portcullis.ledger' }, logRecords }]
    const body = JSON.stringify({ resourceLogs: [{ resource, scopeLogs }] })
    const own = this.#headers === undefined ? {} : headerLines((await this.#headers.read()).reveal())
    const headers = { ...own, 'content-type': 'application/json' }
    const reply = await this.#outbound.send({ url: this.#url, headers, body }, signal)
    if (reply.status < 200 || reply.status > 299) throw refusedStatus(reply)
    // Some receivers answer 204, or nothing: OTLP says no more than success then.
    if (reply.end === 'whole' && reply.body.length === 0) return
    const { partialSuccess } = jsonOf(reply)
    if (!isRecord(partialSuccess)) return
    const rejected = Number(partialSuccess['rejectedLogRecords'] ?? 0)
    if (rejected !== 0) {
      throw new NotAcknowledged(`it rejected ${rejected} records: ${said(partialSuccess['errorMessage'])}`, reply)
    }
  }
}

function recordOf(origin: string, entry: SinkEntry): unknown {
  const attributes = [
    text('portcullis.origin', origin),
    count('portcullis.seq', entry.seq),
    text('portcullis.leaf', Buffer.from(entry.leaf).toString('hex')),
  ]
  return record('portcullis.ledger.entry', microsOf(entry) ?? 0n, Buffer.from(entry.entry).toString(), attributes)
}

function record(eventName: string, micros: bigint, body: string, attributes: readonly unknown[]): unknown {
  const nanos = String(micros * 1000n)
  return {
    timeUnixNano: nanos,
    observedTimeUnixNano: nanos,
    severityNumber: infoSeverity,
    severityText: 'INFO',
    eventName,
    body: { stringValue: body },
    attributes,
  }
}

function text(key: string, stringValue: string): unknown {
  return { key, value: { stringValue } }
}

function count(key: string, value: number): unknown {
  return { key, value: { intValue: String(value) } }
}
