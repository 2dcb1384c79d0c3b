import { fromBinary, type DescMessage, type MessageShape } from '@bufbuild/protobuf'
import { RecordSpansRequestSchema } from '@portcullis/contract'
import { refuse, type Refusal } from '#core'
import { countBinary, type Counter } from './wire-walk.ts'

/** What one request may hold however few bytes it takes: to make an object costs far more than to send two bytes (SPEC G1). */
interface CountBounds {
  readonly messages: number
  /** Of all messages together, known or not. */
  readonly fields: number
}

/** Of any call: a batch of 1,000 items has some 3,000 messages and 25,000 fields. */
export const callBounds: CountBounds = { messages: 10_000, fields: 50_000 }
/** Of spans, where each attribute is two messages. */
export const spanBounds: CountBounds = { messages: 100_000, fields: 300_000 }

export function boundsOf(schema: DescMessage): CountBounds {
  return schema === RecordSpansRequestSchema ? spanBounds : callBounds
}

/** More than the bounds: the request is refused unread. */
export class TooMany extends Error {
  readonly refusal: Refusal

  constructor(what: string, max: number) {
    super(`more than ${max} ${what}`)
    this.refusal = refuse('bounds.message_too_large', this.message, {
      detail: `one request holds at most ${max} ${what}: send several smaller ones`,
    })
  }
}

/** What was found in one request so far. */
export class Tally implements Counter {
  readonly #bounds: CountBounds
  #messages = 0
  #fields = 0

  constructor(bounds: CountBounds) {
    this.#bounds = bounds
  }

  message(): void {
    if (++this.#messages > this.#bounds.messages) throw new TooMany('messages', this.#bounds.messages)
  }

  fields(count: number): void {
    this.#fields += count
    if (this.#fields > this.#bounds.fields) throw new TooMany('fields', this.#bounds.fields)
  }
}

/** A message of a caller. Throws TooMany, or an error about the bytes where they are not such a message. */
export function readBinary<Schema extends DescMessage>(schema: Schema, bytes: Uint8Array): MessageShape<Schema> {
  const bounds = boundsOf(schema)
  if (bytes.length > uncountedBytes(bounds)) countBinary(schema, bytes, new Tally(bounds))
  return fromBinary(schema, bytes, { readUnknownFields: false })
}

/** Counts the objects and values in a text of JSON, which is not read otherwise: what is not JSON is left to the parser. */
export function countJson(bytes: Uint8Array, bounds: CountBounds): void {
  if (bytes.length <= uncountedBytes(bounds)) return
  const tally = new Tally(bounds)
  let quoted = false
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte === quote) quoted = !quoted
    else if (quoted) at += byte === backslash ? 1 : 0
    else if (byte === brace) {
      tally.message()
      tally.fields(1)
    } else if (byte === comma || byte === bracket) tally.fields(1)
  }
}

/** The smallest message has two bytes, and the smallest field of JSON or of a packed list one: fewer bytes cannot hold too many. */
function uncountedBytes({ messages, fields }: CountBounds): number {
  return Math.min(2 * messages, fields)
}

const quote = 0x22
const comma = 0x2c
const bracket = 0x5b
const backslash = 0x5c
const brace = 0x7b
