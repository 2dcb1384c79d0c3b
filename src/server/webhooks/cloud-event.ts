import type { Json } from '#core'
import type { WebhookEvent } from '#config'
import { parseEntry } from '#ledger'

export interface CloudEvent {
  readonly id: string
  readonly type: string
  /** The event in the structured form of CloudEvents 1.0, as JSON. */
  readonly json: string
}

// What an entry says to others than its auditors: `reason` is private, and where a call came from is nobody's.
const shown = [
  'kind',
  'method',
  'outcome',
  'code',
  'access',
  'at',
  'caller',
  'actor',
  'client',
  'args',
  'requestId',
  'tenant',
]

export const cloudEventType = (event: WebhookEvent | 'test'): string => `portcullis.${event}`

/** An entry as an event. Undefined where it is none: the reply of a call that was repeated, or bytes that do not parse. */
export function cloudEvent(
  bytes: Uint8Array,
  typeOf: (action: string, outcome: string, args: Readonly<Record<string, Json>>) => WebhookEvent | undefined,
  origin: string,
): CloudEvent | undefined {
  const parsed = parseEntry(bytes)
  if (!parsed.ok) return undefined
  const { body, log, seq, ts } = parsed.entry
  const { id } = body
  const args = isObject(body['args']) ? body['args'] : {}
  if (args['replayed'] === true) return undefined
  const kind = text(body['kind'])
  const action = kind === 'decision' ? text(body['method']) : kind
  const event = typeOf(action, text(body['outcome']), args)
  if (event === undefined || typeof id !== 'string') return undefined
  const type = cloudEventType(event)
  const data = Object.fromEntries(shown.flatMap((name) => (body[name] === undefined ? [] : [[name, body[name]]])))
  return {
    id,
    type,
    json: JSON.stringify({
      specversion: '1.0',
      id,
      source: `urn:portcullis:${origin}:${log}`,
      type,
      time: ts,
      subject: log,
      // The extension of that name: entries of one log are in order of it.
      sequence: String(seq),
      datacontenttype: 'application/json',
      data,
    }),
  }
}

function text(value: Json | undefined): string {
  return typeof value === 'string' ? value : ''
}

function isObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
