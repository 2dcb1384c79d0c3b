import { create, toBinary, toJsonString } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import {
  Health,
  HubService,
  methods,
  RecordBatchRequestSchema,
  RecordPromptAttemptRequestSchema,
} from '@portcullis/contract'
import { callBounds, countJson, readBinary, spanBounds, Tally, TooMany } from './message-counts.ts'
import { decodeBinary } from './otlp-ingest/decode-binary.ts'
import { decodeJson } from './otlp-ingest/decode-json.ts'
import { countBinary } from './wire-walk.ts'

const mib = 1024 * 1024
const filled = (bytes: number, ...unit: readonly number[]): Buffer => Buffer.alloc(bytes, Buffer.from(unit))

function nested(field: number, inner: Uint8Array): Buffer {
  const head = [(field << 3) | 2]
  for (let rest = inner.length; ; rest >>>= 7) {
    head.push(rest > 127 ? (rest & 127) | 128 : rest)
    if (rest <= 127) break
  }
  return Buffer.concat([Buffer.from(head), inner])
}

describe('what one request may hold', () => {
  it('G1: no method decodes a message of too many fields, known or unknown, or of too many messages', () => {
    const inputs = [...[...methods.values()].map(({ input }) => input), Health.method.check.input]
    expect(inputs.length).toBeGreaterThan(50)
    for (const input of inputs) {
      // Field 2047, which no message has.
      expect(() => readBinary(input, filled(mib, 0xf8, 0x7f, 0)), input.typeName).toThrow(TooMany)
      for (const field of input.fields) {
        const holds = field.fieldKind === 'list' || field.fieldKind === 'map'
        if (!holds || field.number > 15) continue
        const refused = expect(() => readBinary(input, filled(mib, (field.number << 3) | 2, 0)), String(field))
        if (field.fieldKind === 'list' && field.listKind !== 'message') refused.toThrow()
        else refused.toThrow(TooMany)
      }
    }
  })

  it('G1: a batch as large as it may be is read in either form', () => {
    const attempts = Array.from({ length: 1000 }, (_, at) =>
      create(RecordPromptAttemptRequestSchema, {
        runId: `run_${at}`,
        model: 'gpt-4o, {nothing} [of] "this" \\ counts',
        providerType: 'openai',
        outcome: 1,
        tokens: { input: 3n, output: 4n },
      }),
    )
    const batch = create(RecordBatchRequestSchema, { attempts })
    const bytes = toBinary(RecordBatchRequestSchema, batch)
    expect(bytes.length).toBeGreaterThan(2 * callBounds.messages)
    expect(readBinary(RecordBatchRequestSchema, bytes)).toEqual(batch)
    countJson(Buffer.from(toJsonString(RecordBatchRequestSchema, batch)), { messages: 2001, fields: 20_000 })
    expect(() =>
      countJson(Buffer.from(toJsonString(RecordBatchRequestSchema, batch)), { messages: 2000, fields: 20_000 }),
    ).toThrow(TooMany)
  })

  it('G1: bytes that a decoder would read in another way than they were counted are not decoded', () => {
    const { input } = HubService.method.recordBatch
    const [list] = input.fields.filter((field) => field.fieldKind === 'list')
    const number = list?.number ?? 0
    const large = (bytes: Uint8Array): Uint8Array => Buffer.concat([bytes, nested(2047 >> 4, Buffer.alloc(mib / 16))])
    const cases: readonly (readonly [string, Uint8Array])[] = [
      ['a message as a varint', filled(mib / 16, number << 3, 0)],
      ['a message as a group', filled(mib / 16, (number << 3) | 3, (number << 3) | 4)],
      ['an item that is longer than the message', Buffer.concat([filled(mib / 16, 0x78, 0), Buffer.from([0x12, 5])])],
      ['a field of an item beyond its end', large(Buffer.from([(number << 3) | 2, 2, 0x0a, 9]))],
      ['field 0', large(Buffer.from([0, 0]))],
      ['an endless varint', Buffer.concat([Buffer.from([0x78]), Buffer.alloc(mib / 16, 0xff)])],
      ['an endless tag', Buffer.alloc(mib / 16, 0xff)],
    ]
    for (const [what, bytes] of cases) {
      const tally = new Tally({ messages: mib, fields: mib })
      expect(() => countBinary(input, bytes, tally), what).toThrow(/wire type|premature|illegal|varint/)
    }
  })

  it('G1: an export of few bytes and many things is refused before anything is made of it', () => {
    const attribute = nested(9, Buffer.concat([nested(1, Buffer.from('k')), nested(2, Buffer.from([0x18, 1]))]))
    const spanOf = (times: number): Buffer => nested(2, Buffer.alloc(times * attribute.length, attribute))
    const spans = (count: number, attributes: number): Buffer =>
      nested(1, nested(2, Buffer.concat(Array<Buffer>(count).fill(spanOf(attributes)))))
    const binaries: readonly (readonly [string, Uint8Array])[] = [
      ['resourceSpans', filled(mib, 0x0a, 0)],
      ['scopeSpans', nested(1, filled(mib, 0x12, 0))],
      ['spans', nested(1, nested(2, filled(mib, 0x12, 0)))],
      ['attributes of a resource', nested(1, nested(1, filled(mib, 0x0a, 0)))],
      ['events of a span', nested(1, nested(2, nested(2, filled(mib, 0x5a, 0))))],
      ['unknown fields', nested(1, nested(2, nested(2, filled(999_999, 0xf8, 0x7f, 0))))],
      ['attributes of spans', spans(100, 900)],
    ]
    for (const [what, bytes] of binaries) expect(() => decodeBinary(bytes), what).toThrow(TooMany)
    expect(decodeBinary(spans(100, 400)).rejected).toBe(0)
    const many = (item: string, bytes: number): string => `${item},`.repeat(bytes / 3) + item
    for (const text of [
      `{"resourceSpans":[${many('{}', mib)}]}`,
      `{"resourceSpans":[{"scopeSpans":[${many('{}', mib)}]}]}`,
      `{"resourceSpans":[{"scopeSpans":[{"spans":[{"events":[${many('{}', mib)}]}]}]}]}`,
      `{"resourceSpans":[{"resource":{"attributes":[${many('0', mib)}]}}]}`,
      `{"resourceSpans":[${many('{}', 9000)}]}`,
    ]) {
      expect(() => decodeJson(Buffer.from(text)), text.slice(0, 60)).toThrow(TooMany)
    }
    expect(new TooMany('messages', spanBounds.messages).refusal).toMatchObject({
      code: 'bounds.message_too_large',
      detail: 'one request holds at most 100000 messages: send several smaller ones',
    })
  })
})
