import * as fc from 'fast-check'
import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isRefusal, systemClock } from '#core'
import type { AnalyticsRow } from '#hub'
import { TestDatabase, type TestTenant } from '../../test/harness/postgres.ts'
import { promptAnalytics, rollupsAtMost } from './analytics.ts'
import { alongIndexes } from './list-statement.ts'
import { Reader } from './reader.ts'

const hourMs = 3_600_000
const hours = 72
const startMs = Date.UTC(2026, 10, 1)
let database: TestDatabase
let app: Client
let tenant: TestTenant
let reader: Reader

// Each hour h of three days has h + 1 attempts of version v1 and one of v2, of two agents.
beforeAll(async () => {
  database = await TestDatabase.start()
  tenant = await database.makeTenant('counted')
  const other = await database.makeTenant('other')
  const admin = await database.connect('postgres')
  for (const [table, unit] of [
    ['telemetry_rollups_hour', 'hour'],
    ['telemetry_rollups_day', 'day'],
  ] as const)
    for (const each of [tenant, other])
      await admin.query(
        `insert into portcullis.${table} (tenant_id, bucket, series, workflow, prompt_version, provider, model, agent_id, attempts, successes,
           failures, retries, input_tokens, cached_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nano_usd,
           latency_ms, latency_histogram)
         select $1, date_trunc('${unit}', to_timestamp($2::float8 / 1000) + make_interval(hours => h), 'UTC'), md5(a.agent || v.version)::uuid, 'w',
                v.version, 'p', 'm', a.agent, sum(v.n), sum(v.n), 0, 0, sum(v.n) * 5, 0, 0, 0, 0, sum(v.n) * 7, 0, array[0, sum(v.n)]
           from generate_series(0, ${hours} - 1) h, (values (gen_random_uuid()), (gen_random_uuid())) a(agent),
                lateral (values ('v1', h + 1), ('v2', 1)) v(version, n)
          group by 2, 3, 5, 8`,
        [each.id, startMs],
      )
  for (const table of ['telemetry_rollups_hour', 'telemetry_rollups_day'])
    await admin.query(`analyze portcullis.${table}`)
  app = await database.connect('portcullis_app')
  reader = new Reader(database.settings(), 1, systemClock)
})
afterAll(async () => {
  await reader.close()
  await database.stop()
})

async function counted(from: number, until: number): Promise<readonly AnalyticsRow[]> {
  const range = { fromMs: startMs + from * hourMs, untilMs: startMs + until * hourMs }
  const found = await reader.promptAnalytics({ tenantId: tenant.id, platform: false }, range, 10, undefined)
  if (isRefusal(found)) throw new Error(found.code)
  expect(found.more).toBe(false)
  return found.rows
}

describe('prompt analytics', () => {
  it('H9: counts each attempt of any range of hours once, whichever roll-ups it reads', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: -30, max: 100 }), fc.integer({ min: 1, max: 120 }), async (from, length) => {
        const rows = await counted(from, from + length)
        const within = Array.from({ length: hours }, (_, h) => h).filter((h) => h >= from && h < from + length)
        const first = within.reduce((sum, h) => sum + 2 * (h + 1), 0)
        const expected = within.length === 0 ? [] : [`v1 ${first} ${first * 5} ${first * 7}`, `v2 ${within.length * 2}`]
        expect(rows.map((row) => `${row.promptVersion} ${row.attempts} ${row.inputTokens} ${row.costNanoUsd}`)).toEqual(
          expected.map((line) =>
            line.startsWith('v2') ? `${line} ${within.length * 10} ${within.length * 14}` : line,
          ),
        )
      }),
      { numRuns: 40 },
    )
  })

  it('H9: ends a page early where there is much to add up, and goes on behind it', async () => {
    const busy = await database.makeTenant('busy')
    const admin = await database.connect('postgres')
    await admin.query(
      `insert into portcullis.telemetry_rollups_day (tenant_id, bucket, series, workflow, prompt_version, provider, model, agent_id, attempts,
         successes, failures, retries, input_tokens, cached_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nano_usd,
         latency_ms, latency_histogram)
       select $1, to_timestamp($2::float8 / 1000), gen_random_uuid(), 'w', case when n = 0 then 'v2' else 'v1' end, 'p', 'm', null, 1, 1, 0, 0, 0,
              0, 0, 0, 0, 0, 0, array[1] from generate_series(0, ${rollupsAtMost}) n`,
      [busy.id, startMs],
    )
    const scope = { tenantId: busy.id, platform: false }
    const range = { fromMs: startMs, untilMs: startMs + 24 * hourMs }
    const first = await reader.promptAnalytics(scope, range, 10, undefined)
    if (isRefusal(first)) throw new Error(first.code)
    expect(first).toMatchObject({ rows: [{ promptVersion: 'v1', attempts: String(rollupsAtMost) }], more: true })
    const next = await reader.promptAnalytics(scope, range, 10, first.rows[0])
    expect(next).toMatchObject({ rows: [{ promptVersion: 'v2', attempts: '1' }], more: false })
  })

  it('H9: reads the roll-ups of its tenant and its range along an index', async () => {
    await app.query(`select set_config('portcullis.tenant', $1, false)`, [tenant.id])
    for (const setting of alongIndexes) await app.query(setting)
    for (const asked of [{}, { workflow: 'w' }, { workflow: 'w', promptVersion: 'v1', model: 'm' }]) {
      const range = { fromMs: startMs + hourMs, untilMs: startMs + 60 * hourMs }
      const { text, values } = promptAnalytics({ ...asked, ...range }, 51, undefined)
      const { rows } = await app.query<{ 'QUERY PLAN': string }>(`explain ${text}`, [...values])
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
      expect(plan).not.toContain('Seq Scan')
      expect(plan.match(/Index Cond: .*tenant_id.*bucket/g)?.length).toBeGreaterThanOrEqual(3)
    }
  })
})
