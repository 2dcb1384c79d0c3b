import { create } from '@bufbuild/protobuf'
import { ReserveResponseSchema } from '@portcullis/contract'
import { publicId, uuidv7 } from '#core'
import { decideSpending, effect, type BudgetPut, type SpendArgs, type SpendRow, type WriteResult } from '#hub'
import { encodeBody, type LedgerRecord } from '#ledger'
import type { TestDatabase, TestTenant } from '../../test/harness/postgres.ts'
import { idempotencyOf } from './members.fixture.ts'
import { systemClock } from '#core'
import { Writer, writerDefaults, type WriterSettings } from './writer.ts'

export function spendingWriter(database: TestDatabase, more: Partial<WriterSettings> = {}): Writer {
  return new Writer(
    { connection: database.settings(), ...writerDefaults, spending: { decide: decideSpending }, ...more },
    systemClock,
  )
}

export function whoIs(tenant: TestTenant): Pick<SpendArgs, 'log' | 'tenant' | 'ownerAgentId'> {
  return { log: tenant.name, tenant: publicId('ten', tenant.id), ownerAgentId: null }
}

export async function putBudget(writer: Writer, tenant: TestTenant, more: Partial<BudgetPut> = {}): Promise<string> {
  const id = more.id ?? uuidv7()
  const args: BudgetPut = {
    id,
    name: 'b',
    subjectKind: 1,
    subjectId: '',
    unit: 1,
    limit: '5000000000',
    windowKind: 1,
    duration: 'day',
    durationMs: '0',
    timeZone: 'UTC',
    hard: true,
    action: 1,
    active: true,
    createdAtMs: 1_800_000_000_000,
    updatedAtMs: 1_800_000_000_000,
    made: true,
    atMost: 1000,
    ...more,
  }
  let verdict = ''
  await writer.submit({
    tenantId: tenant.id,
    record: () => recordOf(tenant),
    effect: effect({
      operation: 'budget.put',
      key: id,
      args,
      answer: (row) => {
        verdict = row?.verdict ?? 'none'
        return {}
      },
    }),
  })
  if (verdict !== 'done') throw new Error(verdict)
  return id
}

/** What became of it; the reply says it in its id. */
export interface Spent {
  readonly result: WriteResult
  readonly row: SpendRow | undefined
}

/** A call with one piece of spending; a refusal is the refusal of the call. */
export async function spend(
  writer: Writer,
  tenant: TestTenant,
  args: SpendArgs,
  more: { readonly key?: string; readonly payload?: string; readonly runId?: string } = {},
): Promise<Spent> {
  let told: SpendRow | undefined
  const result = await writer.submit({
    tenantId: tenant.id,
    record: () => recordOf(tenant),
    output: ReserveResponseSchema,
    ...(more.key === undefined ? {} : { idempotency: idempotencyOf(tenant, more.key, more.payload ?? '') }),
    effect: effect({
      operation: 'spend',
      key: '',
      args,
      ...(more.runId === undefined ? {} : { runId: more.runId }),
      answer: (row) => {
        told = row
        if (row?.verdict !== 'done') return row?.refusal ?? { refused: true, code: 'server.internal', reason: 'no row' }
        return { reply: create(ReserveResponseSchema, { reservationId: row.reservationId }) }
      },
    }),
  })
  return { result, row: told }
}

export function reserveArgs(
  tenant: TestTenant,
  nanoUsd: bigint,
  more: Partial<Extract<SpendArgs, { kind: 'reserve' }>> = {},
): Extract<SpendArgs, { kind: 'reserve' }> {
  return {
    ...whoIs(tenant),
    kind: 'reserve',
    id: uuidv7(),
    runId: null,
    agentId: null,
    keyId: null,
    providerType: '',
    provider: '',
    model: 'm',
    models: ['m'],
    tool: '',
    inputTokens: 10n,
    maxOutputTokens: 10n,
    mayCap: false,
    costOf: () => nanoUsd,
    priceVersion: '',
    ttlMs: 60_000,
    dryRun: false,
    rules: { policy: undefined, caps: [] },
    ...more,
  }
}

export function settleArgs(
  tenant: TestTenant,
  reservationId: string,
  nanoUsd: bigint,
): Extract<SpendArgs, { kind: 'settle' }> {
  return {
    ...whoIs(tenant),
    kind: 'settle',
    reservationId,
    tokens: 5n,
    nanoUsd,
    priceOf: () => undefined,
    isPriced: () => true,
  }
}

function recordOf(tenant: TestTenant): LedgerRecord {
  const body = encodeBody({
    access: 'write',
    at: new Date(0).toISOString(),
    bypass: false,
    elapsedUs: 0,
    id: publicId('ent', uuidv7()),
    kind: 'decision',
    method: 'test',
    outcome: 'allow',
  })
  const nobody = { caller: undefined, actor: undefined, code: undefined, requestId: undefined }
  return { ...nobody, log: tenant.name, tenantId: tenant.id, action: 'test', outcome: 'allow', body }
}
