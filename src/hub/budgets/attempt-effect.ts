import type { HandlerContext } from '../handler.ts'
import { bare } from '../handler.ts'
import { effect, type Answer, type AttemptRecord, type Effect, type StoredAttempt } from '../ports.ts'
import { answerOf, sumOf, whoOf } from './spend-handlers.ts'

/** The effect of an attempt that counts: its tenant has rules, or it settles a reservation. Undefined where it is only recorded. */
export function chargedAttempt(
  asked: {
    readonly attempt: AttemptRecord
    readonly reservationId: string | null
    readonly tool: string
    readonly answer: (row: Pick<StoredAttempt, 'workflow' | 'promptVersion' | 'agentId'>) => Answer
  },
  { caller, prices, rules }: Pick<HandlerContext, 'caller' | 'prices' | 'rules'>,
): Effect | undefined {
  const { attempt, reservationId } = asked
  const governing = rules.of(bare(caller.tenant.id))
  if (governing === undefined && reservationId === null) return undefined
  return effect({
    operation: 'spend',
    key: attempt.id,
    runId: attempt.runId,
    uses: { model: attempt.model, ...(asked.tool === '' ? {} : { tool: asked.tool }) },
    args: {
      ...whoOf(caller),
      kind: 'attempt',
      attempt,
      reservationId,
      tool: asked.tool,
      nanoUsd: BigInt(attempt.costNanoUsd),
      priceUnknown: attempt.priceVersion === '',
      tokens: sumOf(attempt),
      priceVersion: attempt.priceVersion === '' ? '' : prices.version,
      rules: governing ?? { policy: undefined, caps: [] },
    },
    answer: (row) =>
      answerOf(row, ({ attempt: of }) => {
        if (of === undefined) throw new Error('an attempt was decided without its run')
        return asked.answer(of)
      }),
  })
}
