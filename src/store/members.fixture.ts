import { create } from '@bufbuild/protobuf'
import {
  FinishRunResponseSchema,
  RecordPromptAttemptResponseSchema,
  StartRunResponseSchema,
  TaskState,
} from '@portcullis/contract'
import { publicId, refuse, sha256, uuidv7 } from '#core'
import { effect, type Effect, type Idempotency, type RecordedOutcome, type WriterMember } from '#hub'
import { encodeBody, type LedgerRecord } from '#ledger'

export interface Tenant {
  readonly id: string
  readonly name: string
}

interface More {
  /** Text of an idempotency key; the effect's arguments are its payload unless `payload` says otherwise. */
  readonly key?: string
  readonly payload?: string
  readonly requestId?: string
  /** The key that a run is begun with. */
  readonly keyId?: string
}

/** A member with one effect, as the tests make them. */
export type EffectMember = WriterMember & { readonly effect?: Effect }

/** A call that starts a run. */
export function startRun(tenant: Tenant, id: string, more: More = {}): EffectMember {
  const args = {
    id,
    taskId: '',
    workflow: 'test',
    agentId: null,
    promptVersion: '',
    modelPolicy: '',
    status: TaskState.WORKING,
    maxRetries: 0,
    startedAtMs: 0,
    keyId: more.keyId ?? null,
  }
  const work = effect({
    operation: 'run.start',
    key: id,
    args,
    answer: (row) =>
      row === undefined ? noRun : { reply: create(StartRunResponseSchema, { run: { id: publicId('run', id) } }) },
  })
  return member(tenant, work, { payload: 'run', ...more }, StartRunResponseSchema)
}

export const attemptTokens = 7

/** A call that records an attempt of a run. `model` is what a test poisons. */
export function recordAttempt(
  tenant: Tenant,
  runId: string,
  more: More & { readonly model?: string; readonly outcome?: number } = {},
): EffectMember {
  const id = uuidv7()
  const args = {
    id,
    runId,
    ownerAgentId: null,
    attemptNumber: 1,
    workflow: '',
    providerType: '',
    provider: '',
    model: more.model ?? 'model',
    promptVersion: '',
    promptHash: '',
    outcome: more.outcome ?? 1,
    errorType: '',
    errorMessage: '',
    inputTokens: String(attemptTokens),
    cachedReadTokens: '0',
    cacheWriteTokens: '0',
    outputTokens: '0',
    reasoningTokens: '0',
    costNanoUsd: '3',
    reportedCostNanoUsd: '3',
    priceVersion: '',
    unitPrices: '',
    sku: `/${more.model ?? 'model'}`,
    latencyMs: '1',
    qualityScoreMilli: 0,
    createdAtMs: 0,
  }
  const work = effect({
    operation: 'attempt.record',
    key: id,
    runId,
    args,
    answer: (row) =>
      row === undefined
        ? noRun
        : { reply: create(RecordPromptAttemptResponseSchema, { attempt: { id: publicId('att', id) } }) },
  })
  return member(tenant, work, { payload: `${runId} ${args.model}`, ...more }, RecordPromptAttemptResponseSchema)
}

/** A call that ends a run. */
export function finishRun(tenant: Tenant, id: string, more: More = {}): EffectMember {
  const work = effect({
    operation: 'run.finish',
    key: id,
    runId: id,
    args: { id, ownerAgentId: null, status: TaskState.COMPLETED, lastError: '', finishedAtMs: 1 },
    answer: (row) => {
      if (row === undefined) return noRun
      return row.verdict === 'object.state'
        ? refuse('object.state', 'ended')
        : { reply: create(FinishRunResponseSchema, { run: { id: publicId('run', id) } }) }
    },
  })
  return member(tenant, work, { payload: 'finish', ...more }, FinishRunResponseSchema)
}

/** A call without work of its own: a read, or a refusal of the gate. */
export function recordOnly(tenant: Tenant, requestId: string): EffectMember {
  return { tenantId: tenant.id, record: (outcome) => recordOf(tenant, requestId, outcome) }
}

export function idempotencyOf(tenant: Tenant, key: string, payload: string): Idempotency {
  return { keyDigest: sha256(`${tenant.id} ${key}`).toString('hex'), payloadDigest: sha256(payload).toString('hex') }
}

/** The request id of a member, by which its entries are found. */
export function requestIdOf(one: EffectMember): string {
  return one.record({ outcome: 'allow' }).requestId ?? ''
}

const noRun = refuse('object.not_found', 'no such run')

function member(
  tenant: Tenant,
  work: Effect,
  { key, payload = '', requestId = `req-${uuidv7()}` }: More,
  output: EffectMember['output'] & object,
): EffectMember {
  return {
    tenantId: tenant.id,
    effect: work,
    output,
    ...(key === undefined ? {} : { idempotency: idempotencyOf(tenant, key, payload) }),
    record: (outcome) => recordOf(tenant, requestId, outcome),
  }
}

function recordOf(tenant: Tenant, requestId: string, outcome: RecordedOutcome): LedgerRecord {
  const refused = outcome.outcome !== 'allow'
  const args = !refused && outcome.replayed === true ? { replayed: true } : undefined
  const code = refused ? outcome.code : undefined
  const body = encodeBody({
    access: 'write',
    args,
    at: new Date(0).toISOString(),
    bypass: false,
    code,
    elapsedUs: 0,
    id: publicId('ent', uuidv7()),
    kind: 'decision',
    method: '/test',
    outcome: outcome.outcome,
    reason: refused ? outcome.reason : undefined,
    requestId,
  })
  return {
    log: tenant.name,
    tenantId: tenant.id,
    caller: undefined,
    actor: undefined,
    action: '/test',
    outcome: outcome.outcome,
    code,
    requestId,
    body,
  }
}
