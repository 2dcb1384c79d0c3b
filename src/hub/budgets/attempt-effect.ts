import type { HandlerContext } from '../handler.ts'
import { priceAttempt } from '../costs/price-attempt.ts'
import { bare } from '../handler.ts'
import { effect, type Answer, type AttemptRecord, type Effect, type StoredAttempt } from '../ports.ts'
import { answerOf, sumOf, whoOf } from './spend-handlers.ts'

// What counts is the price of now where the time of an attempt, which its caller says, is further away than clocks and queues explain.
const ownTimeMs = 5 * 60_000

/** The effect of an attempt that counts: its tenant has rules, or it settles a reservation. Undefined where it is only recorded. */
export function chargedAttempt(
  asked: {
    readonly attempt: AttemptRecord
    /** See `modelNames`. */
    readonly models: readonly string[]
    readonly reservationId: string | null
    readonly tool: string
    readonly nowMs: number
    readonly answer: (row: Pick<StoredAttempt, 'workflow' | 'promptVersion' | 'agentId'>) => Answer
  },
  { caller, prices, rules }: Pick<HandlerContext, 'caller' | 'prices' | 'rules'>,
): Effect | undefined {
  const { attempt, models, nowMs, reservationId } = asked
  const governing = rules.of(bare(caller.tenant.id))
  if (governing === undefined && reservationId === null) return undefined
  const { costNanoUsd, priceVersion } =
    Math.abs(nowMs - attempt.createdAtMs) <= ownTimeMs
      ? attempt
      : priceAttempt(attempt, attempt, attempt.reportedCostNanoUsd, nowMs, prices)
  return effect({
    operation: 'spend',
    key: attempt.id,
    runId: attempt.runId,
    uses: { models, ...(asked.tool === '' ? {} : { tool: asked.tool }) },
    args: {
      ...whoOf(caller),
      kind: 'attempt',
      attempt,
      reservationId,
      models,
      tool: asked.tool,
      nanoUsd: BigInt(costNanoUsd),
      priceUnknown: priceVersion === '',
      tokens: sumOf(attempt),
      priceVersion: priceVersion === '' ? '' : prices.version,
      skuOf: (model) => prices.skuOf(model),
      rules: governing ?? { policy: undefined, caps: [] },
    },
    answer: (row) =>
      answerOf(row, ({ attempt: of }) => {
        if (of === undefined) throw new Error('an attempt was decided without its run')
        return asked.answer(of)
      }),
  })
}
