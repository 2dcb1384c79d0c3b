import { create, fromBinary } from '@bufbuild/protobuf'
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'
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
import { Decoded } from './decoded.ts'

/**
 * The spans of an ExportTraceServiceRequest. Each span is decoded by itself, so that one that is broken takes no other with it. Throws
 * where the message around them is broken.
 */
export function decodeBinary(bytes: Uint8Array): Decoded {
  const decoded = new Decoded()
  for (const resourceBytes of fieldsOf(bytes, 1).get(1) ?? []) decoded.add(readResource(resourceBytes, decoded))
  return decoded
}

function readResource(bytes: Uint8Array, decoded: Decoded): ResourceSpans {
  const fields = fieldsOf(bytes, 1, 2)
  const resource = readOwn((fields.get(1) ?? []).at(-1))
  const scopeSpans = (fields.get(2) ?? []).map((scope) =>
    create(ScopeSpansSchema, {
      spans: (fieldsOf(scope, 2).get(2) ?? []).flatMap((span) => readSpan(span, decoded) ?? []),
    }),
  )
  return create(ResourceSpansSchema, { scopeSpans, ...(resource === undefined ? {} : { resource }) })
}

/** A resource that cannot be read tells nothing about its spans, which are there all the same. */
function readOwn(bytes: Uint8Array | undefined): Resource | undefined {
  if (bytes === undefined) return undefined
  try {
    return fromBinary(ResourceSchema, bytes)
  } catch {
    return undefined
  }
}

function readSpan(bytes: Uint8Array, decoded: Decoded): Span | undefined {
  if (!decoded.room()) return undefined
  let spanId = ''
  try {
    spanId = Buffer.from(fieldsOf(bytes, 2).get(2)?.[0]?.subarray(0, 16) ?? []).toString('hex')
    const attributes = countOf(bytes, 9)
    // Told before they are made into objects, which costs far more than to count them.
    if (attributes > attributesMax)
      return decoded.reject(spanId, `has ${attributes} attributes: ${attributesMax} are taken at most`)
    return fromBinary(SpanSchema, bytes)
  } catch (error) {
    return decoded.reject(spanId, `cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** The length-delimited fields of those numbers, in their order. */
function fieldsOf(bytes: Uint8Array, ...wanted: readonly number[]): ReadonlyMap<number, readonly Uint8Array[]> {
  const found = new Map<number, Uint8Array[]>(wanted.map((number) => [number, []]))
  const reader = new BinaryReader(bytes)
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag()
    const own = type === WireType.LengthDelimited ? found.get(number) : undefined
    if (own === undefined) reader.skip(type, number)
    else own.push(reader.bytes())
  }
  return found
}

function countOf(bytes: Uint8Array, wanted: number): number {
  const reader = new BinaryReader(bytes)
  let count = 0
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag()
    if (number === wanted) count += 1
    reader.skip(type, number)
  }
  return count
}
