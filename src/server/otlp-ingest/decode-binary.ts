import { create, fromBinary } from '@bufbuild/protobuf'
import { WireType } from '@bufbuild/protobuf/wire'
import {
  ResourceSchema,
  ResourceSpansSchema,
  ScopeSpansSchema,
  SpanSchema,
  type Resource,
  type ResourceSpans,
  type Span,
} from '@portcullis/contract'
import { attributesMax } from '#hub'
import { spanBounds, Tally, TooMany } from '../message-counts.ts'
import { countBinary, eachField } from '../wire-walk.ts'
import { Decoded } from './decoded.ts'

/**
 * The spans of an ExportTraceServiceRequest. Each span is decoded by itself, so that one that is broken takes no other with it. Throws
 * where the message around them is broken, and TooMany.
 */
export function decodeBinary(bytes: Uint8Array): Decoded {
  const decoded = new Decoded()
  const tally = new Tally(spanBounds)
  for (const resourceBytes of fieldsOf(bytes, tally, 1).get(1) ?? [])
    decoded.add(readResource(resourceBytes, decoded, tally))
  return decoded
}

function readResource(bytes: Uint8Array, decoded: Decoded, tally: Tally): ResourceSpans {
  decoded.group()
  const fields = fieldsOf(bytes, tally, 1, 2)
  const resource = readOwn((fields.get(1) ?? []).at(-1), tally)
  const scopeSpans = (fields.get(2) ?? []).map((scope) => {
    decoded.group()
    return create(ScopeSpansSchema, {
      spans: (fieldsOf(scope, tally, 2).get(2) ?? []).flatMap((span) => readSpan(span, decoded, tally) ?? []),
    })
  })
  return create(ResourceSpansSchema, { scopeSpans, ...(resource === undefined ? {} : { resource }) })
}

/** A resource that cannot be read tells nothing about its spans, which are there all the same. */
function readOwn(bytes: Uint8Array | undefined, tally: Tally): Resource | undefined {
  if (bytes === undefined) return undefined
  try {
    countBinary(ResourceSchema, bytes, tally)
    return fromBinary(ResourceSchema, bytes, { readUnknownFields: false })
  } catch (error) {
    if (error instanceof TooMany) throw error
    return undefined
  }
}

function readSpan(bytes: Uint8Array, decoded: Decoded, tally: Tally): Span | undefined {
  if (!decoded.room()) return undefined
  let spanId = ''
  try {
    let attributes = 0
    let id: readonly [number, number] | undefined
    // Counted in full and by itself: a span that is over its own bound takes no other with it.
    eachField(bytes, (number, type, from, to) => {
      if (number === 9) attributes += 1
      else if (number === 2 && type === WireType.LengthDelimited) id ??= [from, Math.min(to, from + 16)]
    })
    if (id !== undefined) spanId = Buffer.from(bytes.subarray(...id)).toString('hex')
    // Told before they are made into objects, which costs far more than to count them.
    if (attributes > attributesMax)
      return decoded.reject(spanId, `has ${attributes} attributes: ${attributesMax} are taken at most`)
    countBinary(SpanSchema, bytes, tally)
    return fromBinary(SpanSchema, bytes, { readUnknownFields: false })
  } catch (error) {
    if (error instanceof TooMany) throw error
    return decoded.reject(spanId, `cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** The length-delimited fields of those numbers, in their order. */
function fieldsOf(
  bytes: Uint8Array,
  tally: Tally,
  ...wanted: readonly number[]
): ReadonlyMap<number, readonly Uint8Array[]> {
  const found = new Map<number, Uint8Array[]>(wanted.map((number) => [number, []]))
  eachField(bytes, (number, type, from, to) => {
    tally.fields(1)
    if (type === WireType.LengthDelimited) found.get(number)?.push(bytes.subarray(from, to))
  })
  return found
}
