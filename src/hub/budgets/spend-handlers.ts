import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  BudgetDecision,
  BudgetService,
  ExtendResponseSchema,
  ReleaseResponseSchema,
  ReserveResponseSchema,
  SettleResponseSchema,
} from '@portcullis/contract'
import { publicId, refuse, uuidv7, type Refusal } from '#core'
import { modelNames } from '../costs/model-names.ts'
import { Fields } from '../fields.ts'
import { bare, keyOf, ownerOf, write, type HandlerContext } from '../handler.ts'
import {
  effect,
  type Answer,
  type Effect,
  type SpendArgs,
  type SpendAttempt,
  type SpendExtend,
  type SpendRow,
  type TokenColumns,
} from '../ports.ts'
import { KillIndex } from '../kills/match.ts'
import { costMax, sizes, tokenColumns, tokensMax } from '../runs/rules.ts'
import { denialMessage, headroomMessage } from './messages.ts'

const ttlDefaultSeconds = 60
const ttlMaxSeconds = 3600
/** What a model is taken to answer at most where nobody says and no price table knows. */
export const outputTokensDefault = 4096n

const oneToken = { inputTokens: 1n, outputTokens: 1n }

const reserve = write(
  BudgetService.method.reserve,
  (message, context) => {
    const { caller, clock, prices } = context
    const fields = new Fields()
    const nowMs = clock.now()
    const model = fields.text('model', message.model, sizes.name)
    const provider = fields.text('provider', message.provider, sizes.name)
    const tool = fields.text('tool', message.tool, sizes.name)
    const runId = message.runId === '' ? null : fields.id('runId', message.runId, 'run')
    const inputTokens = BigInt(fields.count('inputTokens', message.inputTokens, tokensMax))
    const given = BigInt(fields.count('maxOutputTokens', message.maxOutputTokens, tokensMax))
    const amount = BigInt(fields.count('amountNanoUsd', message.amountNanoUsd, costMax))
    const providerType = fields.text('providerType', message.providerType, sizes.name)
    const ttl = fields.integer('ttlSeconds', message.ttlSeconds, 0, ttlMaxSeconds)
    if (model === '' && tool === '' && amount === 0n && inputTokens + given === 0n)
      fields.wrong('model', 'is required, or a tool, tokens or an amount: there is nothing to hold')
    if (fields.refusal !== undefined) return fields.refusal
    const asked = { provider, model }
    const models = modelNames(asked, prices)
    const isBounded = given > 0n || model === ''
    const maxOutputTokens = isBounded
      ? given
      : (prices.maxOutputOf(asked) ?? context.budgets?.defaultMaxOutputTokens ?? outputTokensDefault)
    return spend(
      {
        ...whoOf(caller),
        kind: 'reserve',
        id: uuidv7(nowMs),
        runId,
        providerType,
        provider,
        model,
        models,
        tool,
        inputTokens,
        maxOutputTokens,
        mayCap: !isBounded,
        costOf: (outputTokens) => {
          if (model === '') return amount
          // What is said can be more than the price, and never less.
          const bound = prices.boundOf(asked, { inputTokens, outputTokens }, nowMs)
          return amount === 0n || (bound !== undefined && bound > amount) ? bound : amount
        },
        priceVersion: amount > 0n && prices.boundOf(asked, oneToken, nowMs) === undefined ? '' : prices.version,
        ttlMs: (ttl === 0 ? ttlDefaultSeconds : ttl) * 1000,
        dryRun: message.dryRun,
        rules: rulesOf(context),
      },
      (row) => ({
        reply: create(ReserveResponseSchema, {
          reservationId: row.reservationId === '' ? '' : publicId('rsv', row.reservationId),
          decision:
            row.denial !== undefined
              ? BudgetDecision.WOULD_DENY
              : row.capped
                ? BudgetDecision.ADMITTED_WITH_CAPS
                : BudgetDecision.ADMITTED,
          maxOutputTokens: row.maxOutputTokens,
          expiresAt: timestampFromMs(row.expiresAtMs),
          headroom: row.headroom.map(headroomMessage),
          ...(row.denial === undefined ? {} : { denial: denialMessage(row.denial) }),
          heldNanoUsd: row.heldNanoUsd,
          priceUnknown: row.priceUnknown,
        }),
        ...(row.reservationId === '' ? {} : { told: { reservationId: publicId('rsv', row.reservationId) } }),
      }),
      { models, ...(tool === '' ? {} : { tool }) },
    )
  },
  ({ runId, provider, model, tool, inputTokens, maxOutputTokens, amountNanoUsd, dryRun }) => ({
    amountNanoUsd: amountNanoUsd.toString(),
    dryRun,
    inputTokens: inputTokens.toString(),
    maxOutputTokens: maxOutputTokens.toString(),
    model,
    provider,
    runId,
    tool,
  }),
)

const settle = write(
  BudgetService.method.settle,
  (message, { caller, clock, prices }) => {
    const fields = new Fields()
    const nowMs = clock.now()
    const reservationId = fields.id('reservationId', message.reservationId, 'rsv')
    const tokens = message.tokens === undefined ? undefined : tokenColumns(fields, message.tokens)
    const amount = BigInt(fields.count('amountNanoUsd', message.amountNanoUsd, costMax))
    if (fields.refusal !== undefined) return fields.refusal
    return spend(
      {
        ...whoOf(caller),
        kind: 'settle',
        reservationId,
        tokens: tokens === undefined ? undefined : sumOf(tokens),
        nanoUsd: amount > 0n ? amount : undefined,
        priceOf: (model) => (tokens === undefined ? undefined : prices.priceOf(model, tokens, nowMs)),
        isPriced: (model) => prices.boundOf(model, oneToken, nowMs) !== undefined,
      },
      (row) => ({
        reply: create(SettleResponseSchema, {
          reservationId: publicId('rsv', row.reservationId),
          settledNanoUsd: row.settledNanoUsd,
          overageNanoUsd: row.overageNanoUsd,
          headroom: row.headroom.map(headroomMessage),
          late: row.late,
        }),
        told: { settledNanoUsd: row.settledNanoUsd.toString() },
      }),
    )
  },
  ({ reservationId, amountNanoUsd }) => ({ amountNanoUsd: amountNanoUsd.toString(), reservationId }),
)

const extend = write(
  BudgetService.method.extend,
  (message, { caller, clock, kills, prices, rules }) => {
    const fields = new Fields()
    const nowMs = clock.now()
    const reservationId = fields.id('reservationId', message.reservationId, 'rsv')
    const ttl = fields.integer('ttlSeconds', message.ttlSeconds, 0, ttlMaxSeconds)
    const addTokens = BigInt(fields.count('addOutputTokens', message.addOutputTokens, tokensMax))
    const addAmount = BigInt(fields.count('addAmountNanoUsd', message.addAmountNanoUsd, costMax))
    const seen = message.seen === undefined ? undefined : tokenColumns(fields, message.seen)
    if (fields.refusal !== undefined) return fields.refusal
    // What was seen may always be told; more is nothing for those who are to stop.
    const adds = addTokens + addAmount > 0n || ttl > 0
    const killed = (): Refusal | undefined => {
      const kill = new KillIndex(kills.inForce()).stopsCaller(caller, clock.now())
      return kill === undefined ? undefined : refuse('kill.engaged', `kill ${kill.id} stops the caller`)
    }
    const stopped: SpendExtend['stopped'] = (of) => {
      const uses = { models: modelNames(of, prices), tool: of.tool }
      const kill = new KillIndex(kills.inForce()).stopsUse(uses, caller, clock.now())
      return kill === undefined ? undefined : refuse('kill.engaged', `kill ${kill.id} stops what it is for`)
    }
    const extended = spend(
      {
        ...whoOf(caller),
        kind: 'extend',
        reservationId,
        ttlMs: ttl * 1000,
        ...(adds ? { stopped } : {}),
        addTokens,
        addNanoUsd: addAmount > 0n ? addAmount : undefined,
        boundOf: (model) => prices.boundOf(model, { inputTokens: 0n, outputTokens: addTokens }, nowMs),
        seenTokens: seen === undefined ? undefined : sumOf(seen),
        seenPriceOf: (model) => (seen === undefined ? undefined : prices.priceOf(model, seen, nowMs)),
        namesOf: (model) => modelNames(model, prices),
        rules: rulesOf({ caller, rules }),
      },
      (row) => ({
        reply: create(ExtendResponseSchema, {
          reservationId: publicId('rsv', row.reservationId),
          expiresAt: timestampFromMs(row.expiresAtMs),
          heldNanoUsd: row.heldNanoUsd,
          headroom: row.headroom.map(headroomMessage),
        }),
      }),
    )
    return adds ? { ...extended, killed } : extended
  },
  ({ reservationId, ttlSeconds, addOutputTokens, addAmountNanoUsd }) => ({
    addAmountNanoUsd: addAmountNanoUsd.toString(),
    addOutputTokens: addOutputTokens.toString(),
    reservationId,
    ttlSeconds,
  }),
)

const release = write(
  BudgetService.method.release,
  (message, { caller }) => {
    const fields = new Fields()
    const reservationId = fields.id('reservationId', message.reservationId, 'rsv')
    if (fields.refusal !== undefined) return fields.refusal
    return spend({ ...whoOf(caller), kind: 'release', reservationId }, (row) => ({
      reply: create(ReleaseResponseSchema, { reservationId: publicId('rsv', row.reservationId) }),
    }))
  },
  ({ reservationId }) => ({ reservationId }),
)

type Done = Extract<SpendRow, { readonly verdict: 'done' }>

/** The effect of one call that spends. */
function spend(args: SpendArgs, answer: (row: Done) => Answer, uses?: Effect['uses']): Effect {
  return effect({
    operation: 'spend',
    key: 'reservationId' in args ? (args.reservationId ?? '') : args.kind === 'reserve' ? args.id : '',
    args,
    ...(uses === undefined ? {} : { uses }),
    answer: (row) => answerOf(row, answer),
  })
}

export function answerOf(row: SpendRow | undefined, answer: (row: Done) => Answer): Answer | Refusal {
  if (row === undefined) return refuse('object.not_found', 'spending was not looked at')
  return row.verdict === 'refused' ? row.refusal : answer(row)
}

/** Who spends, as every kind of it says. */
export function whoOf(caller: HandlerContext['caller']): Pick<SpendArgs, 'log' | 'tenant' | 'ownerAgentId'> & {
  readonly agentId: string | null
  readonly keyId: string | null
} {
  const owner = ownerOf(caller)
  return {
    log: caller.tenant.name,
    tenant: caller.tenant.id,
    ownerAgentId: owner,
    agentId: owner,
    keyId: keyOf(caller),
  }
}

/** The limits of the caller's tenant. */
export function rulesOf({ caller, rules }: Pick<HandlerContext, 'caller' | 'rules'>): SpendAttempt['rules'] {
  return rules.of(bare(caller.tenant.id)) ?? { policy: undefined, caps: [] }
}

/** All classes together. */
export function sumOf(tokens: TokenColumns): bigint {
  const { inputTokens, cachedReadTokens, cacheWriteTokens, outputTokens, reasoningTokens } = tokens
  return [inputTokens, cachedReadTokens, cacheWriteTokens, outputTokens, reasoningTokens].reduce(
    (sum, count) => sum + BigInt(count),
    0n,
  )
}

export const spendHandlers = [reserve, settle, extend, release]
