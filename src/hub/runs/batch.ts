import { create } from '@bufbuild/protobuf'
import { HubService, RecordBatchResponseSchema } from '@portcullis/contract'
import { isRefusal, publicId, refuse, type IdPrefix, type Refusal } from '#core'
import { write } from '../handler.ts'
import type { Effect } from '../ports.ts'
import { attemptEffect } from './attempts.ts'
import { benchmarkEffect } from './benchmarks.ts'
import { denialsOf, type DeniedItem } from './denials.ts'
import { eventEffect } from './events.ts'

const itemsMax = 1000

interface Item {
  readonly prefix: IdPrefix
  readonly made: Effect | Refusal
}

// An item that is not valid is refused alone; the others commit together (SPEC H5).
const recordBatch = write(
  HubService.method.recordBatch,
  (message, context) => {
    const { caller, clock } = context
    const { attempts, events, benchmarks } = message
    const count = attempts.length + events.length + benchmarks.length
    if (count === 0 || count > itemsMax) {
      return refuse('input.invalid', `${count} items`, { detail: `a batch holds 1 to ${itemsMax} items, not ${count}` })
    }
    const nowMs = clock.now()
    const items: readonly Item[] = [
      ...attempts.map((item): Item => ({ prefix: 'att', made: attemptEffect(item, context, nowMs) })),
      ...events.map((item): Item => ({ prefix: 'evt', made: eventEffect(item, caller, nowMs) })),
      ...benchmarks.map((item): Item => ({ prefix: 'ben', made: benchmarkEffect(item, caller, nowMs) })),
    ]
    const parts = items.flatMap(({ made }) => (isRefusal(made) ? [] : [made]))
    if (parts.length === 0) return items.map(({ made }) => made).find(isRefusal) ?? refuse('input.invalid', 'no items')
    return {
      parts,
      answerAll: (rows) => {
        let part = 0
        const denied: DeniedItem[] = []
        const results = items.map(({ prefix, made }) => {
          if (isRefusal(made)) return { id: '', code: made.code }
          const row = rows[part++]
          // The reply of each alone would be made only to be thrown away, and takes longer than all the rest.
          const answer = row === undefined || made.operation === 'spend' ? made.answer(row) : undefined
          if (isRefusal(answer)) denied.push({ refusal: answer, of: made })
          return isRefusal(answer) ? { id: '', code: answer.code } : { id: publicId(prefix, made.key), code: '' }
        })
        return { reply: create(RecordBatchResponseSchema, { results }), ...denialsOf(denied, context, nowMs) }
      },
    }
  },
  ({ attempts, events, benchmarks }) => ({
    attempts: attempts.length,
    benchmarks: benchmarks.length,
    events: events.length,
  }),
)

export const batchHandlers = [recordBatch]
