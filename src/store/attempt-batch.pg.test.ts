import { create } from '@bufbuild/protobuf'
import { RecordBatchResponseSchema } from '@portcullis/contract'
import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock, uuidv7 } from '#core'
import { effect, type AttemptRecord, type Effect, type OperationRow, type WriterMember } from '#hub'
import { TestDatabase, type TestTenant } from '../../test/harness/postgres.ts'
import { idempotencyOf, recordAttempt, recordOnly, startRun } from './members.fixture.ts'
import { Writer, writerDefaults } from './writer.ts'

let database: TestDatabase
let admin: Client
let writer: Writer
let replica: Writer

beforeAll(async () => {
  database = await TestDatabase.start()
  admin = await database.connect('postgres')
  writer = new Writer({ connection: database.settings(), ...writerDefaults }, systemClock)
  replica = new Writer({ connection: database.settings(), ...writerDefaults }, systemClock)
})
afterAll(async () => {
  await Promise.all([writer.close(), replica.close()])
  await database.stop()
})

type Changes = Partial<AttemptRecord>

/** Attempts that differ in everything that one may differ in. */
const differences: readonly Changes[] = [
  { promptHash: 'h1' },
  { promptHash: 'h2', latencyMs: '250', inputTokens: '0' },
  { promptHash: 'h1', attemptNumber: 2, outcome: 2 },
  { outcome: 2, errorType: 'timeout', errorMessage: `said "no", {then} 'nothing' \\ \n` },
  { workflow: 'own', promptVersion: 'v9' },
  { model: 'dear', provider: 'openai', sku: 'openai/dear', costNanoUsd: '9223372036854775807' },
  { model: 'dear', provider: 'openai', sku: 'openai/dear', priceVersion: 'v1', unitPrices: '1 1 1 1 1 0' },
  { createdAtMs: 3_600_001.5, qualityScoreMilli: 900, providerType: 'api' },
  { cachedReadTokens: '1', cacheWriteTokens: '2', outputTokens: '3', reasoningTokens: '4', reportedCostNanoUsd: '5' },
  {},
  {},
]

function attempt(tenant: TestTenant, runId: string, changes: Changes): Effect {
  const { effect: made } = recordAttempt(tenant, runId)
  if (made === undefined) throw new Error('an attempt without an effect')
  const args = { ...(made.args as AttemptRecord), ...changes }
  return effect({ ...made, operation: 'attempt.record', key: args.id, args, answer: () => ({}) })
}

/** A call of many parts, and the rows that it is answered with. */
function batch(
  tenant: TestTenant,
  parts: readonly Effect[],
  key?: string,
): { readonly member: WriterMember; readonly rows: () => readonly (OperationRow | undefined)[] | undefined } {
  let told: readonly (OperationRow | undefined)[] | undefined
  const work = {
    parts,
    answerAll: (rows: readonly (OperationRow | undefined)[]) => {
      told = rows
      return { reply: create(RecordBatchResponseSchema, {}) }
    },
  }
  const member = {
    ...recordOnly(tenant, `req-${uuidv7()}`),
    effect: work,
    output: RecordBatchResponseSchema,
    ...(key === undefined ? {} : { idempotency: idempotencyOf(tenant, key, 'batch') }),
  }
  return { member, rows: () => told }
}

/** All that attempts leave behind, in an order of its own. */
async function leftBy(tenant: TestTenant): Promise<Readonly<Record<string, readonly unknown[]>>> {
  const left: Record<string, readonly unknown[]> = {}
  for (const [table, fold] of [
    ['prompt_attempts', 'select'],
    ['telemetry_rollups_hour', 'select portcullis.fold_telemetry(1000)'],
    ['telemetry_rollups_day', 'select'],
    ['cost_hours', 'select portcullis.fold_cost_deltas()'],
    ['workflow_deltas', 'select'],
    ['runs', 'select'],
  ] as const) {
    await admin.query(fold)
    const summed =
      table === 'workflow_deltas'
        ? `select workflow, sum(attempts) as attempts, sum(failed_attempts) as failed, sum(input_tokens) as input,
             sum(output_tokens) as output, sum(cost_nano_usd) as cost, sum(latency_ms) as latency
             from portcullis.workflow_deltas where tenant_id = $1 group by 1`
        : `select to_jsonb(t) - '{tenant_id,id,run_id,started_at}'::text[] as row from portcullis.${table} t where tenant_id = $1`
    const { rows } = await admin.query<object>(`select q::text as row from (${summed}) q order by 1`, [tenant.id])
    left[table] = rows
  }
  return left
}

describe('attempts of one call', () => {
  it('H5: leave in a batch what they leave one by one', async () => {
    const [together, alone] = [await database.makeTenant('together'), await database.makeTenant('alone')]
    for (const tenant of [together, alone]) {
      const runs = [uuidv7(), uuidv7()]
      for (const runId of runs) await writer.submit(startRun(tenant, runId))
      const parts = runs.flatMap((runId) => differences.map((changes) => attempt(tenant, runId, changes)))
      if (tenant === together) await writer.submit(batch(tenant, parts).member)
      else for (const part of parts) await writer.submit({ ...recordOnly(tenant, uuidv7()), effect: part })
    }
    const left = await leftBy(together)
    expect(left['prompt_attempts']).toHaveLength(2 * differences.length)
    expect(left['telemetry_rollups_day']?.length).toBeGreaterThan(2)
    expect(left['cost_hours']?.length).toBeGreaterThan(2)
    expect(left).toEqual(await leftBy(alone))
  })

  it('H5: are refused where their run is not there, and the others are answered with what it says', async () => {
    const tenant = await database.makeTenant('partly')
    const runId = uuidv7()
    await writer.submit(startRun(tenant, runId))
    const foreign = { ownerAgentId: uuidv7() }
    const parts = [
      attempt(tenant, uuidv7(), {}),
      attempt(tenant, runId, { workflow: 'own' }),
      attempt(tenant, runId, foreign),
    ]
    const { member, rows } = batch(tenant, [...parts, attempt(tenant, runId, {})])
    expect(await writer.submit(member)).toMatchObject({ refused: false })
    expect(rows()).toMatchObject([undefined, { workflow: 'own', agentId: null }, undefined, { workflow: 'test' }])
    const { rows: runs } = await admin.query<{ n: string }>(
      'select total_attempts as n from portcullis.runs where tenant_id = $1',
      [tenant.id],
    )
    expect(runs).toEqual([{ n: '2' }])
  })

  it('G15: two calls under one key at once, on two replicas, leave one effect', async () => {
    const tenant = await database.makeTenant('twice')
    const runId = uuidv7()
    await writer.submit(startRun(tenant, runId))
    const two = () => [attempt(tenant, runId, { model: 'a' }), attempt(tenant, runId, { model: 'b' })]
    const calls = [writer, replica, writer, replica].map((one) => one.submit(batch(tenant, two(), 'one').member))
    expect(await Promise.all(calls)).toMatchObject(calls.map(() => ({ refused: false })))
    const { rows } = await admin.query<{ model: string }>(
      'select model from portcullis.prompt_attempts where tenant_id = $1 order by 1',
      [tenant.id],
    )
    expect(rows).toEqual([{ model: 'a' }, { model: 'b' }])
  })
})
