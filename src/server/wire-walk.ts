import { ScalarType, type DescField, type DescMessage } from '@bufbuild/protobuf'
import { WireType } from '@bufbuild/protobuf/wire'

/** Told of what is found. May throw, to end the walk. */
export interface Counter {
  message(): void
  fields(count: number): void
}

/**
 * Counts the messages and fields in protobuf bytes, and makes nothing of them. MUST see what the decoder would see, which believes a
 * field number whatever the wire type says: so bytes whose types or lengths do not agree with the schema throw, and so do groups.
 */
export function countBinary(schema: DescMessage, bytes: Uint8Array, counter: Counter): void {
  new Walk(bytes).count(counter, layoutOf(schema))
}

/** Told where the value of each field lies. */
type VisitField = (number: number, wire: WireType, from: number, to: number) => void

/** The fields of one message, those of messages within apart. Makes nothing of them, and throws where they are no such fields. */
export function eachField(bytes: Uint8Array, visit: VisitField): void {
  new Walk(bytes).each(visit)
}

// As the decoder has it.
const depthMax = 100

interface Field {
  readonly wire: WireType
  /** Holds many values in one field where it is length-delimited. */
  readonly packable: boolean
  readonly inner: Layout | undefined
}
type Layout = ReadonlyMap<number, Field>

class Walk {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  each(visit: VisitField): void {
    const end = this.#bytes.length
    while (this.#at < end) {
      const tag = this.#tag()
      const from = this.#skip(tag & 7, end)
      visit(tag >>> 3, tag & 7, from, this.#at)
    }
  }

  count(counter: Counter, layout: Layout, end = this.#bytes.length, depth = 0): void {
    if (depth > depthMax) throw new Error('nested too deeply')
    counter.message()
    while (this.#at < end) {
      const tag = this.#tag()
      const wire = tag & 7
      const field = layout.get(tag >>> 3)
      counter.fields(1)
      if (field !== undefined && wire !== field.wire && !(field.packable && wire === WireType.LengthDelimited))
        throw new Error(`field no ${tag >>> 3} has wire type ${wire}`)
      const from = this.#skip(wire, end)
      if (field?.inner !== undefined) {
        const innerEnd = this.#at
        this.#at = from
        this.count(counter, field.inner, innerEnd, depth + 1)
      }
      // No value is shorter than a byte.
      else if (field?.packable === true && wire === WireType.LengthDelimited) counter.fields(this.#at - from)
    }
  }

  /** Where the value begins that is left behind. */
  #skip(wire: number, end: number): number {
    const length = wire === WireType.LengthDelimited ? this.#uint32() : 0
    const from = this.#at
    if (wire === WireType.LengthDelimited) this.#at += length
    else if (wire === WireType.Varint) this.#varint()
    else if (wire === WireType.Bit64) this.#at += 8
    else if (wire === WireType.Bit32) this.#at += 4
    else throw new Error(`wire type ${wire} is not taken`)
    if (this.#at > end) throw new Error('premature EOF')
    return from
  }

  #tag(): number {
    const tag = this.#uint32()
    if (tag < 8) throw new Error('illegal tag: field no 0')
    return tag
  }

  #varint(): void {
    const last = this.#at + 10
    while ((this.#bytes[this.#at++] ?? 0) >= 0x80) if (this.#at >= last) throw new Error('invalid varint')
  }

  #uint32(): number {
    let result = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes[this.#at++] ?? 0
      if (shift === 28 && byte > 0x0f) break
      result |= (byte & 0x7f) << shift
      if (byte < 0x80) return result >>> 0
    }
    throw new Error('varint overflows uint32')
  }
}

const layouts = new WeakMap<DescMessage, Layout>()

function layoutOf(schema: DescMessage): Layout {
  const known = layouts.get(schema)
  if (known !== undefined) return known
  const layout = new Map<number, Field>()
  // Before its fields: a message may hold itself.
  layouts.set(schema, layout)
  for (const field of schema.fields) layout.set(field.number, fieldOf(field))
  return layout
}

function fieldOf(field: DescField): Field {
  if (field.fieldKind === 'map') {
    const key = plain(field.mapKey)
    const value =
      field.mapKind === 'message' ? holding(layoutOf(field.message)) : plain(field.scalar ?? ScalarType.INT32)
    return holding(
      new Map([
        [1, key],
        [2, value],
      ]),
    )
  }
  if (field.message !== undefined) return holding(layoutOf(field.message))
  const { wire } = plain(field.scalar ?? ScalarType.INT32)
  return { wire, packable: field.fieldKind === 'list' && wire !== WireType.LengthDelimited, inner: undefined }
}

function holding(inner: Layout): Field {
  return { wire: WireType.LengthDelimited, packable: false, inner }
}

function plain(scalar: ScalarType): Field {
  return { wire: wires[scalar] ?? WireType.Varint, packable: false, inner: undefined }
}

// What is not here is a varint, as enums are.
const wires: Partial<Record<ScalarType, WireType>> = {
  [ScalarType.STRING]: WireType.LengthDelimited,
  [ScalarType.BYTES]: WireType.LengthDelimited,
  [ScalarType.DOUBLE]: WireType.Bit64,
  [ScalarType.FIXED64]: WireType.Bit64,
  [ScalarType.SFIXED64]: WireType.Bit64,
  [ScalarType.FLOAT]: WireType.Bit32,
  [ScalarType.FIXED32]: WireType.Bit32,
  [ScalarType.SFIXED32]: WireType.Bit32,
}
