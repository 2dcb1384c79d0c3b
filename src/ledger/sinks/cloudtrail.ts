import { SecretFile, sha256, sha256Hex, type Outbound } from '#core'
import { parseEntry } from '../entry.ts'
import { AwsSha256, awsKey, awsUrl, withoutCredentials, type AwsKeyFiles } from './aws.ts'
import { NotAcknowledged, refusedStatus, said } from './not-acknowledged.ts'
import { chainCredentials } from './object-store.ts'
import type { Sink, SinkBatch, SinkCheckpoint, SinkEntry } from './ports.ts'
import { isRecord, jsonOf, sinkHttp, within, type SinkHttpSettings } from './sink-http.ts'

export interface CloudtrailSinkSettings extends SinkHttpSettings, AwsKeyFiles {
  readonly name: string
  /** `arn:aws:cloudtrail:<region>:<account>:channel/<id>` of an integration of CloudTrail Lake. */
  readonly channelArn: string
  readonly externalIdFile?: string | undefined
  /** In the place of the one of AWS for the region. */
  readonly endpoint?: string | undefined
}

interface AuditEvent {
  readonly id: string
  readonly eventData: string
  readonly eventDataChecksum: string
}

/** Of the interface: 100 events and 1 MB in one request. */
const eventsMax = 100
const bytesMax = 900_000
const service = 'cloudtrail-data'

/** AWS CloudTrail Lake, by PutAuditEvents. Acknowledged is a reply that names every event as taken. */
export class CloudtrailSink implements Sink {
  readonly name: string
  readonly #settings: CloudtrailSinkSettings
  readonly #outbound: Outbound
  readonly #externalId: SecretFile | undefined
  readonly #account: string
  readonly #region: string
  readonly #endpoint: URL
  #signer: ReturnType<typeof signerOf> | undefined

  constructor(settings: CloudtrailSinkSettings) {
    this.name = settings.name
    this.#settings = settings
    const [, partition = 'aws', , region = '', account = ''] = settings.channelArn.split(':')
    const suffix = partition === 'aws-cn' ? 'amazonaws.com.cn' : 'amazonaws.com'
    this.#region = region
    this.#account = account
    this.#endpoint = new URL(settings.endpoint ?? `https://${service}.${region}.${suffix}`)
    this.#externalId = settings.externalIdFile === undefined ? undefined : new SecretFile(settings.externalIdFile)
    this.#outbound = sinkHttp(settings)
  }

  async send({ origin, entries }: SinkBatch, signal: AbortSignal): Promise<void> {
    let events: AuditEvent[] = []
    let bytes = 0
    for (const entry of entries) {
      const event = eventOf(`${origin}/${entry.seq}`, `${idOf(origin)}-${entry.seq}`, this.#dataOf(origin, entry))
      const size = Buffer.byteLength(JSON.stringify(event)) + 1
      if (events.length >= eventsMax || (events.length > 0 && bytes + size > bytesMax)) {
        await this.#put(events, signal)
        events = []
        bytes = 0
      }
      events.push(event)
      bytes += size
    }
    await this.#put(events, signal)
  }

  async publish({ origin, size, note }: SinkCheckpoint, signal: AbortSignal): Promise<void> {
    const data = {
      ...this.#common,
      userIdentity: { type: 'service', principalId: 'portcullis' },
      eventName: 'ledger.checkpoint',
      eventTime: seconds(new Date().toISOString()),
      additionalEventData: { origin, size, note },
    }
    const event = eventOf(`${origin}/checkpoint/${size}`, `${idOf(origin)}-checkpoint-${size}`, data)
    await this.#put([event], signal)
  }

  close(): Promise<void> {
    return this.#outbound.close()
  }

  get #common() {
    return { version: '1', userAgent: 'portcullis', eventSource: 'portcullis', recipientAccountId: this.#account }
  }

  /** The fields that CloudTrail knows are copies for its queries; what counts is the entry. */
  #dataOf(origin: string, { seq, entry, leaf }: SinkEntry): Readonly<Record<string, unknown>> {
    const parsed = parseEntry(entry)
    const body: Readonly<Record<string, unknown>> = parsed.ok ? parsed.entry.body : {}
    const ts = parsed.ok ? parsed.entry.ts : new Date(0).toISOString()
    const caller = isRecord(body['caller']) ? body['caller'] : {}
    return {
      ...this.#common,
      userIdentity: { type: caller['kind'] ?? 'none', principalId: caller['id'] ?? '(anonymous)' },
      eventName: body['method'] ?? body['kind'] ?? 'entry',
      eventTime: seconds(ts),
      sourceIPAddress: body['remote'],
      errorCode: body['code'],
      additionalEventData: {
        origin,
        seq,
        leaf: Buffer.from(leaf).toString('hex'),
        entry: Buffer.from(entry).toString(),
      },
    }
  }

  async #put(auditEvents: readonly AuditEvent[], signal: AbortSignal): Promise<void> {
    const body = JSON.stringify({ auditEvents })
    const externalId = (await this.#externalId?.read())?.reveal()
    const request = {
      method: 'POST',
      protocol: this.#endpoint.protocol,
      hostname: this.#endpoint.hostname,
      ...(this.#endpoint.port !== '' && { port: Number(this.#endpoint.port) }),
      path: '/PutAuditEvents',
      query: { channelArn: this.#settings.channelArn, ...(externalId !== undefined && { externalId }) },
      headers: { host: this.#endpoint.host, 'content-type': 'application/json' },
      body,
    }
    this.#signer ??= signerOf(this.#settings, this.#region)
    const signer = await this.#signer
    const { headers } = await within(signer.sign(request), signal).catch((error: unknown) => {
      throw withoutCredentials(error) ?? error
    })
    const reply = await this.#outbound.send({ url: awsUrl(request), headers, body }, signal)
    if (reply.status !== 200) throw refusal(reply)
    const { successful, failed } = jsonOf(reply)
    const rejected = Array.isArray(failed) ? failed : []
    const taken = new Set(Array.isArray(successful) ? successful.map((one: unknown) => isRecord(one) && one['id']) : [])
    if (rejected.length === 0 && auditEvents.every(({ id }) => taken.has(id))) return
    const [first]: readonly unknown[] = rejected
    const why = isRecord(first) ? `: ${said(first['errorCode'])} ${said(first['errorMessage'])}` : ''
    const missing = auditEvents.filter(({ id }) => !taken.has(id)).length
    throw new NotAcknowledged(`it did not take ${missing} of ${auditEvents.length} events${why}`, reply)
  }
}

async function signerOf(settings: CloudtrailSinkSettings, region: string) {
  const { SignatureV4 } = await import('@smithy/signature-v4')
  const credentials = awsKey(settings) ?? (await chainCredentials(region))
  return new SignatureV4({ service, region, credentials, sha256: AwsSha256 })
}

function eventOf(UID: string, id: string, data: Readonly<Record<string, unknown>>): AuditEvent {
  const eventData = JSON.stringify({ ...data, UID })
  return { id, eventData, eventDataChecksum: sha256(eventData).toString('base64') }
}

/** An id may hold letters, digits, `-` and `_` only, and 128 of them; an origin has others. The UID has it in full. */
function idOf(origin: string): string {
  return sha256Hex(origin).slice(0, 32)
}

function seconds(ts: string): string {
  return `${ts.slice(0, 19)}Z`
}

function refusal(reply: Parameters<typeof refusedStatus>[0]): NotAcknowledged {
  const plain = refusedStatus(reply)
  try {
    const { message, Message, __type: type } = jsonOf(reply)
    return new NotAcknowledged(`${plain.message} (${said(type)} ${said(message ?? Message)})`, reply)
  } catch {
    return plain
  }
}
