import { refuse } from '#core'
import { effect, type Effect } from '../ports.ts'
import { noAgent } from './ports.ts'
import type { MappedSpan } from './spans.ts'

/** Says of spans that they are recorded: sent again they make nothing. */
export function claimEffect(owner: string | null, taken: readonly MappedSpan[]): Effect {
  const spans = taken.map(({ traceId, spanId }) => ({ trace: `\\x${traceId}`, span: `\\x${spanId}` }))
  return effect({
    operation: 'spans.claim',
    key: `${spans[0]?.trace ?? ''}${spans[0]?.span ?? ''}`,
    args: { owner: owner ?? noAgent, spans },
    answer: (row) => (row === undefined ? refuse('object.not_found', 'the spans were not written') : {}),
  })
}
