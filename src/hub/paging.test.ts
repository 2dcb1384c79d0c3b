import { create, toBinary, toJsonString, type DescMessage, type Message } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  AttemptOutcome,
  ExportStateResponseSchema,
  ListNotesResponseSchema,
  ListPromptAttemptsResponseSchema,
  NoteSchema,
  PromptAttemptSchema,
} from '@portcullis/contract'
import { describe, expect, it } from 'vitest'
import { fit, listCost } from './paging.ts'

const mib = 1024 * 1024
const createdAt = timestampFromMs(1_800_000_000_123)

interface Row {
  readonly id: string
  readonly text: string
}

/** What a reply takes on either door, of all the rows that fit. */
function replySizes(
  schema: DescMessage,
  rows: readonly Row[],
  itemOf: (row: Row) => unknown,
  reply: (items: unknown[]) => Message,
): { readonly items: number; readonly json: number; readonly binary: number; readonly next: string | undefined } {
  const { items, next } = fit({ rows, next: undefined }, ({ id }) => id, itemOf)
  const message = reply([...items])
  return {
    items: items.length,
    json: Buffer.byteLength(toJsonString(schema, message, { alwaysEmitImplicit: true })),
    binary: toBinary(schema, message).length,
    next,
  }
}

const texts = {
  plain: 'x'.repeat(65_536),
  'of control characters': '\u0001'.repeat(65_536),
  'of quotes and backslashes': '"\\'.repeat(32_768),
  'of letters outside of ASCII': '€'.repeat(65_536),
  'of letters outside of the first plane': '😀'.repeat(32_768),
} as const

const rowsOf = (text: string, count: number): readonly Row[] =>
  Array.from({ length: count }, (_, index) => ({ id: String(count - index), text }))

describe('what fits into a reply', () => {
  it.each(Object.entries(texts))('C4: a list of large texts %s stays below what a door sends', (_name, text) => {
    const noteOf = ({ id, text: body }: Row) => create(NoteSchema, { id, title: body.slice(0, 100), body, createdAt })
    const rows = rowsOf(text, 100)
    const size = replySizes(ListNotesResponseSchema, rows, noteOf, (notes) =>
      create(ListNotesResponseSchema, { notes: notes as never }),
    )
    expect(Math.max(size.json, size.binary)).toBeLessThan(2 * mib)
    expect(size.next).toBe(rows[size.items - 1]?.id)
    // Not far below either: pages would be many.
    expect(Math.max(size.json, size.binary)).toBeGreaterThan(mib)
  })

  it.each(Object.entries(texts))('H8: an export of large texts %s, JSON within JSON, does too', (_name, text) => {
    const lineOf = (row: Row) => `${JSON.stringify({ kind: 'note', value: row })}\n`
    const size = replySizes(ExportStateResponseSchema, rowsOf(text, 100), lineOf, (lines) =>
      create(ExportStateResponseSchema, { jsonLines: lines.join('') }),
    )
    expect(Math.max(size.json, size.binary)).toBeLessThan(2 * mib)
  })

  it('C4: a full page of small rows with every field is one reply', () => {
    const attemptOf = ({ id }: Row) =>
      create(PromptAttemptSchema, {
        id: `att_0199${id}`,
        runId: 'run_019a0f4e-5d3c-7000-8000-000000000000',
        agentId: 'agt_019a0f4e-5d3c-7000-8000-000000000000',
        attemptNumber: 3,
        workflow: 'image_to_video',
        providerType: 'api',
        provider: 'example',
        model: 'model-large-2026',
        promptVersion: 'v12',
        promptHash: 'a'.repeat(64),
        outcome: AttemptOutcome.SUCCESS,
        tokens: { input: 12_345n, output: 678n },
        costNanoUsd: 12_345_678n,
        latencyMs: 1234n,
        qualityScoreMilli: 900,
        createdAt,
      })
    const size = replySizes(ListPromptAttemptsResponseSchema, rowsOf('', 1000), attemptOf, (attempts) =>
      create(ListPromptAttemptsResponseSchema, { attempts: attempts as never }),
    )
    expect(size).toMatchObject({ items: 1000, next: undefined })
  })

  it('C4: one item at the least, and the next page begins below the last that fits', () => {
    const rows = rowsOf('x'.repeat(3 * mib), 3)
    const first = fit(
      { rows, next: '0' },
      ({ id }) => id,
      ({ text }) => text,
    )
    expect([first.items.length, first.next]).toEqual([1, '3'])
    expect(fit({ rows: [], next: '7' }, String, String)).toEqual({ items: [], next: '7' })
  })
})

describe('what a list costs', () => {
  it('G7: grows with the size of the page, and no further than the largest', () => {
    const costs = [-5, 0, 1, 100, 101, 1000, 2 ** 31 - 1].map((pageSize) => Math.max(1, listCost({ pageSize })))
    expect(costs).toEqual([1, 1, 1, 1, 2, 10, 10])
  })
})
