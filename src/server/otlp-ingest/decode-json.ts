import { create, fromJson, type JsonValue } from '@bufbuild/protobuf'
import {
  ResourceSchema,
  ResourceSpansSchema,
  ScopeSpansSchema,
  SpanSchema,
  type Resource,
  type ResourceSpans,
  type Span,
} from '@portcullis/contract'
import { attributesMax, depthMax } from '#hub'
import { countJson, spanBounds } from '../message-counts.ts'
import { Decoded } from './decoded.ts'

// Of a span around its attributes, and two levels for each nesting of a value.
const jsonDepthMax = 8 + 3 * depthMax
const idFields = ['traceId', 'spanId', 'parentSpanId'] as const
const timeFields = ['startTimeUnixNano', 'endTimeUnixNano', 'timeUnixNano'] as const

/**
 * The spans of an ExportTraceServiceRequest in the JSON of OTLP, which is that of protobuf but for ids in hexadecimal
 * (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding). Each span is decoded by itself. Throws where the text is not such a
 * document at all, and TooMany.
 */
export function decodeJson(bytes: Uint8Array): Decoded {
  countJson(bytes, spanBounds)
  const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  const document: unknown = JSON.parse(text)
  if (!isObject(document)) throw new Error('the document is not an object')
  const decoded = new Decoded()
  for (const resourceSpans of listOf(document, 'resourceSpans', 'resource_spans'))
    decoded.add(readResource(resourceSpans, decoded))
  return decoded
}

function readResource(value: unknown, decoded: Decoded): ResourceSpans {
  if (!isObject(value)) throw new Error('an item of resourceSpans is not an object')
  decoded.group()
  const resource = readOwn(value['resource'])
  const scopeSpans = listOf(value, 'scopeSpans', 'scope_spans').map((scope) => {
    if (!isObject(scope)) throw new Error('an item of scopeSpans is not an object')
    decoded.group()
    return create(ScopeSpansSchema, {
      spans: listOf(scope, 'spans', 'spans').flatMap((span) => readSpan(span, decoded) ?? []),
    })
  })
  return create(ResourceSpansSchema, { scopeSpans, ...(resource === undefined ? {} : { resource }) })
}

/** A resource that cannot be read tells nothing about its spans, which are there all the same. */
function readOwn(value: unknown): Resource | undefined {
  if (!isObject(value) || isDeep(value)) return undefined
  try {
    return fromJson(ResourceSchema, value as JsonValue, { ignoreUnknownFields: true })
  } catch {
    return undefined
  }
}

function readSpan(value: unknown, decoded: Decoded): Span | undefined {
  if (!decoded.room()) return undefined
  if (!isObject(value)) return decoded.reject('', 'is not an object')
  const named = value['spanId'] ?? value['span_id']
  const spanId = typeof named === 'string' && /^[0-9a-f]{1,32}$/i.test(named) ? named.toLowerCase() : ''
  const { attributes } = value
  if (Array.isArray(attributes) && attributes.length > attributesMax)
    return decoded.reject(spanId, `has ${attributes.length} attributes: ${attributesMax} are taken at most`)
  if (isDeep(value)) return decoded.reject(spanId, 'is nested too deeply')
  try {
    return fromJson(SpanSchema, asProtobufJson(value), { ignoreUnknownFields: true })
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error)
    // The decoder quotes the value that is wrong, which may be what a model was told.
    return decoded.reject(spanId, `cannot be read: ${said.replace(/: .*/s, '').replaceAll(/"[^"]*"/g, '…')}`)
  }
}

/** Ids in base64, as protobuf has them, and times as text: a number of JSON is not exact there. */
function asProtobufJson(span: Readonly<Record<string, unknown>>): JsonValue {
  // What other spans a span is linked to is not read.
  const { links: _, ...rest } = span
  const made: Record<string, unknown> = { ...rest }
  for (const name of idFields) {
    const given = made[name] ?? made[snake(name)]
    if (given === undefined || given === null) continue
    if (typeof given !== 'string' || !/^(?:[0-9a-f]{2})*$/i.test(given)) throw new Error(`${name} must be hexadecimal`)
    made[name] = Buffer.from(given, 'hex').toString('base64')
    delete made[snake(name)]
  }
  exactTimes(made)
  if (Array.isArray(made['events']))
    made['events'] = made['events'].map((event: unknown) => (isObject(event) ? exactTimes({ ...event }) : event))
  return made as JsonValue
}

function exactTimes(object: Record<string, unknown>): Record<string, unknown> {
  for (const name of timeFields) {
    const given = object[name]
    if (typeof given === 'number' && Number.isInteger(given) && given >= 0) object[name] = BigInt(given).toString()
  }
  return object
}

/** Without recursion: how deep it is must not depend on what is allowed. */
function isDeep(value: object): boolean {
  let level: readonly unknown[] = [value]
  for (let depth = 0; depth <= jsonDepthMax; depth++) {
    level = level.flatMap((one) => (typeof one === 'object' && one !== null ? Object.values(one) : []))
    if (level.length === 0) return false
  }
  return true
}

function listOf(object: Readonly<Record<string, unknown>>, name: string, other: string): readonly unknown[] {
  const list = object[name] ?? object[other] ?? []
  if (!Array.isArray(list)) throw new Error(`${name} is not a list`)
  return list
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function snake(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
