import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  AttemptOutcome,
  AttemptOutcomeSchema,
  HubService,
  ListPromptAttemptsResponseSchema,
  PromptAttemptSchema,
  RecordPromptAttemptResponseSchema,
  type PromptAttempt,
  type RecordPromptAttemptRequest,
} from '@portcullis/contract'
import { isRefusal, publicId, uuidv7, type Refusal } from '#core'
import { maskText } from '#ledger'
import { chargedAttempt } from '../budgets/attempt-effect.ts'
import { modelFacts } from '../costs/model-facts.ts'
import { priceAttempt } from '../costs/price-attempt.ts'
import { Fields } from '../fields.ts'
import { ownerOf, read, readScope, write, type HandlerContext } from '../handler.ts'
import { listPage } from '../paging.ts'
import { effect, type Answer, type AttemptFilter, type Effect, type StoredAttempt } from '../ports.ts'
import { costMax, enumName, noRun, sizes, tokenColumns, tokenCounts } from './rules.ts'

/** The effect of recording one attempt; alone or as a part of a batch. */
export function attemptEffect(
  message: RecordPromptAttemptRequest,
  context: Pick<HandlerContext, 'caller' | 'prices' | 'rules'>,
  nowMs: number,
): Effect | Refusal {
  const { caller, prices } = context
  const fields = new Fields()
  const outcomes = [AttemptOutcome.SUCCESS, AttemptOutcome.FAILED]
  const reported = fields.count('reportedCostNanoUsd', message.reportedCostNanoUsd, costMax)
  const args = {
    // Copied first, where copying is cheap: this runs for each of a thousand items.
    ...tokenColumns(fields, message.tokens),
    id: uuidv7(nowMs),
    runId: fields.id('runId', message.runId, 'run'),
    ownerAgentId: ownerOf(caller),
    attemptNumber: fields.integer('attemptNumber', message.attemptNumber, 0, 1_000_000),
    workflow: fields.text('workflow', message.workflow, sizes.name),
    providerType: fields.text('providerType', message.providerType, sizes.name),
    provider: fields.text('provider', message.provider, sizes.name),
    model: fields.required('model', message.model, sizes.name),
    promptVersion: fields.text('promptVersion', message.promptVersion, sizes.name),
    promptHash: fields.text('promptHash', message.promptHash, sizes.name),
    outcome: fields.choice('outcome', message.outcome, outcomes, 'SUCCESS, FAILED'),
    errorType: fields.text('errorType', message.errorType, sizes.name),
    errorMessage: fields.text('errorMessage', message.errorMessage, sizes.error),
    reportedCostNanoUsd: reported,
    latencyMs: fields.count('latencyMs', message.latencyMs),
    qualityScoreMilli: fields.integer('qualityScoreMilli', message.qualityScoreMilli, 0, 1000),
    createdAtMs: fields.time('createdAt', message.createdAt, nowMs),
    costNanoUsd: reported,
    priceVersion: '',
    unitPrices: '',
    sku: '',
  }
  const reservationId = message.reservationId === '' ? null : fields.id('reservationId', message.reservationId, 'rsv')
  const tool = fields.text('tool', message.tool, sizes.name)
  if (fields.refusal !== undefined) return fields.refusal
  const { sku, uses } = modelFacts(args, prices)
  args.sku = sku
  Object.assign(args, priceAttempt(args, args, reported, args.createdAtMs, prices))
  const answer = (row: Pick<StoredAttempt, 'workflow' | 'promptVersion' | 'agentId'>): Answer => {
    const { workflow, promptVersion, agentId } = row
    const attempt = attemptMessage({ ...args, workflow, promptVersion, agentId })
    return { reply: create(RecordPromptAttemptResponseSchema, { attempt }) }
  }
  const charged = chargedAttempt({ attempt: args, models: uses.models, reservationId, tool, nowMs, answer }, context)
  if (charged !== undefined) return charged
  return effect({
    operation: 'attempt.record',
    key: args.id,
    runId: args.runId,
    uses: tool === '' ? uses : { ...uses, tool },
    args,
    answer: (row) => (row === undefined ? noRun : answer(row)),
  })
}

const recordPromptAttempt = write(
  HubService.method.recordPromptAttempt,
  (message, context) => attemptEffect(message, context, context.clock.now()),
  ({ runId, provider, model, outcome, attemptNumber }) => ({
    attemptNumber,
    model,
    outcome: enumName(AttemptOutcomeSchema, outcome),
    provider,
    runId,
  }),
)

const listPromptAttempts = read(
  HubService.method.listPromptAttempts,
  async (message, { caller, reader }) => {
    const fields = new Fields()
    const outcomes = [AttemptOutcome.UNSPECIFIED, AttemptOutcome.SUCCESS, AttemptOutcome.FAILED]
    fields.choice('outcome', message.outcome, outcomes, 'SUCCESS, FAILED')
    const filter: AttemptFilter = {
      ...(message.runId === '' ? {} : { runId: fields.id('runId', message.runId, 'run') }),
      ...(message.workflow === '' ? {} : { workflow: fields.text('workflow', message.workflow, sizes.name) }),
      ...(message.agentId === '' ? {} : { agentId: fields.id('agentId', message.agentId, 'agt') }),
      ...(message.model === '' ? {} : { model: fields.text('model', message.model, sizes.name) }),
      ...(message.outcome === AttemptOutcome.UNSPECIFIED ? {} : { outcome: message.outcome }),
      ...(message.promptVersion === ''
        ? {}
        : { promptVersion: fields.text('promptVersion', message.promptVersion, sizes.name) }),
      ...fields.span('created', message.createdAfter, message.createdBefore),
    }
    if (fields.refusal !== undefined) return fields.refusal
    const scope = readScope(caller, false)
    const key = { ...filter, tenant: scope.tenantId }
    const list = await listPage(
      'attempts',
      key,
      message,
      (page) => reader.attempts(scope, filter, page),
      attemptMessage,
    )
    if (isRefusal(list)) return list
    return create(ListPromptAttemptsResponseSchema, { attempts: [...list.items], nextPageToken: list.nextPageToken })
  },
  ({ pageSize, runId, workflow, agentId, model }) => ({ agentId, model, pageSize, runId, workflow }),
)

export function attemptMessage(row: StoredAttempt): PromptAttempt {
  return create(PromptAttemptSchema, {
    attemptNumber: row.attemptNumber,
    qualityScoreMilli: row.qualityScoreMilli,
    priceVersion: row.priceVersion,
    workflow: maskText(row.workflow),
    providerType: maskText(row.providerType),
    provider: maskText(row.provider),
    model: maskText(row.model),
    promptVersion: maskText(row.promptVersion),
    promptHash: maskText(row.promptHash),
    errorType: maskText(row.errorType),
    errorMessage: maskText(row.errorMessage),
    id: publicId('att', row.id),
    runId: publicId('run', row.runId),
    agentId: row.agentId === null ? '' : publicId('agt', row.agentId),
    outcome: row.outcome as AttemptOutcome,
    tokens: tokenCounts(row),
    costNanoUsd: BigInt(row.costNanoUsd),
    reportedCostNanoUsd: BigInt(row.reportedCostNanoUsd),
    priceUnknown: row.priceVersion === '',
    latencyMs: BigInt(row.latencyMs),
    createdAt: timestampFromMs(row.createdAtMs),
  })
}

export const attemptHandlers = [recordPromptAttempt, listPromptAttempts]
