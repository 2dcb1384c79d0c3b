import * as fc from 'fast-check'
import type { Client } from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { systemClock } from '#core'
import { TestDatabase, type TestTenant } from '../../test/harness/postgres.ts'
import { Reader } from './reader.ts'

const floor = 20
const days = 90
const workflows = ['alpha', 'beta', 'gamma']
const models = ['m1', 'm2']

let database: TestDatabase
let admin: Client
let tenants: readonly TestTenant[]

beforeAll(async () => {
  database = await TestDatabase.start()
  admin = await database.connect('postgres')
  tenants = [await database.makeTenant('one'), await database.makeTenant('two'), await database.makeTenant('three')]
  await admin.query('update portcullis.tenants set disabled_at = now() where id = $1', [tenants[2]?.id])
})
afterAll(() => database.stop())

interface Tried {
  readonly tenant: number
  readonly workflow: string
  readonly model: string
  readonly benchmark: boolean
  readonly samples: number
  readonly successes: number
  readonly daysAgo: number
}

async function write({ tenant, workflow, model, benchmark, samples, successes, daysAgo }: Tried): Promise<void> {
  const of = [tenants[tenant]?.id, workflow, model, samples]
  if (benchmark)
    await admin.query(
      `insert into portcullis.benchmarks (tenant_id, id, workflow, provider_type, provider, model, input_tokens, cached_read_tokens,
         cache_write_tokens, output_tokens, reasoning_tokens, cost_nano_usd, latency_ms, quality_score_milli, samples, notes, created_at)
       values ($1, uuidv7(), $2, '', 'p', $3, 0, 0, 0, 0, 0, 7, 9, $5, $4, '', now())`,
      [...of, Math.round((successes * 1000) / Math.max(1, samples))],
    )
  else
    await admin.query(
      `insert into portcullis.telemetry_rollups_day (tenant_id, bucket, series, workflow, prompt_version, provider, model, attempts, successes,
         failures, retries, input_tokens, cached_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nano_usd,
         latency_ms, latency_histogram)
       values ($1, date_trunc('day', now(), 'UTC') - make_interval(days => $6), gen_random_uuid(), $2, '', 'p', $3, $4::int, $5::int, $4::int - $5::int, 0,
         0, 0, 0, 0, 0, 7, 9, '{}')`,
      [...of, successes, daysAgo],
    )
}

/** What is to be seen: sums over published workflows of tenants that are not disabled, each tenant above the floor by itself. */
function expected(tried: readonly Tried[], published: ReadonlySet<string>): readonly string[] {
  const sums = new Map<string, Map<number, { samples: number; successes: number }>>()
  for (const { tenant, workflow, model, benchmark, samples, successes, daysAgo } of tried) {
    if (tenant === 2 || !published.has(`${tenant} ${workflow}`) || (!benchmark && daysAgo >= days)) continue
    const key = `${workflow} ${model} ${benchmark}`
    const each = sums.get(key) ?? new Map<number, { samples: number; successes: number }>()
    const sum = each.get(tenant) ?? { samples: 0, successes: 0 }
    each.set(tenant, { samples: sum.samples + samples, successes: sum.successes + successes })
    sums.set(key, each)
  }
  return [...sums]
    .flatMap(([key, each]) => {
      const counted = [...each.values()].filter(({ samples }) => samples >= floor)
      const total = (of: 'samples' | 'successes'): number => counted.reduce((sum, one) => sum + one[of], 0)
      return counted.length === 0 ? [] : [`${key} ${total('successes')}/${total('samples')}`]
    })
    .toSorted()
}

it('H10: shows published workflows above the floor of each tenant, whatever was recorded, and nothing else', async () => {
  const tried = fc
    .record({
      tenant: fc.nat({ max: 2 }),
      workflow: fc.constantFrom(...workflows),
      model: fc.constantFrom(...models),
      benchmark: fc.boolean(),
      samples: fc.nat({ max: 60 }),
      percent: fc.nat({ max: 100 }),
      daysAgo: fc.constantFrom(0, 1, 89, 90, 200),
    })
    .map(({ percent, ...one }) => ({ ...one, successes: Math.round((one.samples * percent) / 100) }))
  const shown = fc.subarray(tenants.flatMap((_, tenant) => workflows.map((workflow) => `${tenant} ${workflow}`)))
  await fc.assert(
    fc.asyncProperty(fc.array(tried, { minLength: 5, maxLength: 15 }), shown, async (rows, published) => {
      await admin.query(
        'truncate portcullis.telemetry_rollups_day, portcullis.benchmarks, portcullis.published_workflows',
      )
      for (const one of rows) await write(one)
      for (const one of published) {
        const [tenant, workflow] = one.split(' ')
        const values = [tenants[Number(tenant)]?.id, workflow]
        await admin.query('insert into portcullis.published_workflows (tenant_id, workflow) values ($1, $2)', values)
      }
      const reader = new Reader(database.settings(), 1, systemClock)
      const found = await reader.leaderboard(floor, days)
      await reader.close()
      const seen = found.map((row) => `${row.workflow} ${row.model} ${row.benchmark} ${row.successes}/${row.samples}`)
      expect(seen.toSorted()).toEqual(expected(rows, new Set(published)))
      for (const row of found)
        expect(Object.keys(row).toSorted()).toEqual(
          ['benchmark', 'costNanoUsd', 'latencyMs', 'model', 'provider', 'samples', 'successes', 'workflow'].toSorted(),
        )
    }),
    { numRuns: 25 },
  )
}, 30_000)

it('H10: is not for the role that reads, and the tables behind it show each tenant its own', async () => {
  const reader = await database.connect('portcullis_reader')
  await expect(reader.query('select * from portcullis.leaderboard(1, 90)')).rejects.toThrow('permission denied')
  const app = await database.connect('portcullis_app')
  const { rows } = await app.query('select * from portcullis.telemetry_rollups_day')
  expect(rows).toEqual([])
})
