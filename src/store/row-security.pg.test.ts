import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock, uuidv7 } from '#core'
import { TestDatabase, type TestTenant } from '../../test/harness/postgres.ts'
import { recordAttempt, startRun } from './members.fixture.ts'
import { Writer, writerDefaults } from './writer.ts'

let database: TestDatabase
let admin: Client
let app: Client
let mine: TestTenant
let theirs: TestTenant
let tables: readonly string[]

// One row of each table that the writer was not asked to fill. The totals come from the deltas of the attempt above.
const rowsOfTheHub: readonly string[] = [
  `insert into portcullis.budgets (tenant_id, id, name, subject_kind, subject_id, unit, limit_amount, window_kind, duration, duration_ms,
       time_zone, hard, action, active, created_at, updated_at)
     values ($1, gen_random_uuid(), '', 6, 'nobody', 1, 1, 3, '', 0, 'UTC', true, 1, true, now(), now())`,
  `insert into portcullis.budget_windows (tenant_id, budget_id, subject, start_at, held, settled)
     values ($1, gen_random_uuid(), '', now(), 0, 0)`,
  `insert into portcullis.reservations (tenant_id, id, provider, model, tool, state, legs, held_nano_usd, held_tokens, price_version,
       created_at, expires_at) values ($1, gen_random_uuid(), '', '', '', 1, '[]', 0, 0, '', now(), now())`,
  `insert into portcullis.apps (tenant_id, id, name, scopes, redirect_uris, grant_types, auth_method, dpop_bound, certificate_bound)
     values ($1, gen_random_uuid(), 'a', '{}', '{}', '{}', 'none', false, false)`,
  `insert into portcullis.token_denials (tenant_id, digest, reason, expires_at) values ($1, sha256(''), '', now())`,
  `insert into portcullis.operator_passwords (tenant_id, operator_id, hash)
     select o.tenant_id, o.id, '$argon2id$x' from portcullis.operators o where o.tenant_id = $1`,
  `insert into portcullis.certificates (tenant_id, id, agent_id, thumbprint, subject_dn, scopes, expires_at)
     select $1, gen_random_uuid(), a.id, sha256(a.id::text::bytea), '', '{}', now() from portcullis.agents a where a.tenant_id = $1 limit 1`,
  `insert into portcullis.ingested_traces (tenant_id, owner, trace_id, run_id)
     values ($1, gen_random_uuid(), decode(repeat('01', 16), 'hex'), gen_random_uuid())`,
  `insert into portcullis.ingested_spans (tenant_id, owner, trace_id, span_id)
     values ($1, gen_random_uuid(), decode(repeat('01', 16), 'hex'), decode(repeat('01', 8), 'hex'))`,
  `insert into portcullis.tasks (tenant_id, id, title, details, status, tags, created_at, updated_at)
     values ($1, gen_random_uuid(), 't', '', 1, '{}', now(), now())`,
  `insert into portcullis.notes (tenant_id, id, title, body, tags, created_at)
     values ($1, gen_random_uuid(), 't', '', '{}', now())`,
  `insert into portcullis.changelog (tenant_id, id, category, summary, details, actor, created_at)
     values ($1, gen_random_uuid(), 'c', '', '', '', now())`,
  `insert into portcullis.benchmarks (tenant_id, id, workflow, provider_type, provider, model, input_tokens, cached_read_tokens,
       cache_write_tokens, output_tokens, reasoning_tokens, cost_nano_usd, latency_ms, quality_score_milli, notes, created_at)
     values ($1, uuidv7(), 'w', '', '', 'm', 0, 0, 0, 0, 0, 0, 0, 0, '', now())`,
  ...['telemetry_rollups_hour', 'telemetry_rollups_day'].map(
    (
      table,
    ) => `insert into portcullis.${table} (tenant_id, bucket, series, workflow, prompt_version, provider, model, attempts, successes,
       failures, retries, input_tokens, cached_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nano_usd, latency_ms,
       latency_histogram) values ($1, now(), gen_random_uuid(), 'w', '', '', 'm', 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, '{}')`,
  ),
  `insert into portcullis.cost_hours values ($1, now(), null, 'w', 'p', 'm', 'p/m', '', '', 1, 0, 0, 0, 0, 0, 1, 1, gen_random_uuid())`,
  ...['cost_corrections', 'cost_drift'].map(
    (
      table,
    ) => `insert into portcullis.${table} (tenant_id, id, import_id, source, ${table === 'cost_drift' ? '' : 'digest,'} day, provider, model, sku, provider_key, known_nano_usd,
       charged_nano_usd, correction_nano_usd, drift_milli, alert, known_input_tokens, known_cached_read_tokens, known_cache_write_tokens,
       known_output_tokens, known_reasoning_tokens, charged_input_tokens, charged_cached_read_tokens, charged_cache_write_tokens,
       charged_output_tokens, charged_reasoning_tokens, requests)
     values ($1, gen_random_uuid(), gen_random_uuid(), 'csv', ${table === 'cost_drift' ? '' : `sha256(''),`}
       now(), 'p', 'm', 'p/m', '', 0, 0, 0, 0, false, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)`,
  ),
  `insert into portcullis.jobs (tenant_id, id, kind, trigger, actor, request_id, exclusive, serial, data_json)
     values ($1, gen_random_uuid(), 'k', 'manual', '', '', false, false, '')`,
  `insert into portcullis.kills (id, tenant_id, scope, subject, reason, actor, by_platform, engaged_at, epoch)
     select gen_random_uuid(), t.id, 2, t.id::text, 'r', 'a', false, now(), 0 from portcullis.tenants t where t.id = $1`,
  `insert into portcullis.kill_drills (tenant_id, id, kill_id, deny_p50_us, deny_p99_us, cancel_p50_us, cancel_p99_us, probes, replicas, actor,
       created_at) values ($1, gen_random_uuid(), gen_random_uuid(), 0, 0, 0, 0, 1, 1, 'a', now())`,
  `insert into portcullis.posture_reports (tenant_id, id, report_sha256, tool_version, target, started_at, counts, findings,
       findings_left_out, actor, created_at) values ($1, gen_random_uuid(), '', '', '', now(), '{}', '[]', 0, 'a', now())`,
  `insert into portcullis.published_workflows (tenant_id, workflow) values ($1, 'w')`,
  `insert into portcullis.policies (tenant_id, updated_at) values ($1, now())`,
  `insert into portcullis.policy_caps (tenant_id, id, name, provider_type, provider, model, max_cost_per_run_nano_usd, max_attempts_per_run,
       max_tokens_per_run, max_latency_per_attempt_ms, max_cost_per_attempt_nano_usd, max_tokens_per_attempt, priority, dry_run, active,
       updated_at)
     values ($1, gen_random_uuid(), 'c', '', '', '', 1, 0, 0, 0, 0, 0, 0, false, true, now())`,
  `insert into portcullis.workflow_totals (tenant_id, workflow) values ($1, '')`,
  `insert into portcullis.secrets (tenant_id, id, kind, name, envelope, key_id)
     values ($1, gen_random_uuid(), 'webhook', 'n', decode(repeat('00', 64), 'hex'), 'file:0')`,
  `insert into portcullis.pseudonym_keys (tenant_id, version, envelope, key_id)
     values ($1, 1, decode(repeat('00', 64), 'hex'), 'file:0')`,
  `insert into portcullis.signing_keys (tenant_id, id, operator_id, algorithm)
     select $1, gen_random_uuid(), o.id, 'hmac-sha256' from portcullis.operators o where o.tenant_id = $1 limit 1`,
  `insert into audits.script_records (tenant_id, id, phase, name, operator, args, destructive, confirmed)
     values ($1, gen_random_uuid(), 'intent', 'n', 'o', '{}', false, false)`,
  `insert into audits.tiles (log, tenant_id, level, index, hashes, root)
     select h.log, h.tenant_id, 0, 0, decode(repeat('00', 8192), 'hex'), sha256('') from audits.heads h where h.tenant_id = $1`,
  `insert into audits.checkpoints (log, tenant_id, size, root, note)
     select h.log, h.tenant_id, 1, sha256(''), '' from audits.heads h where h.tenant_id = $1`,
  `insert into audits.anchors (log, tenant_id, sink, size)
     select h.log, h.tenant_id, 's', 1 from audits.heads h where h.tenant_id = $1`,
  `insert into audits.checkpoint_stops (log, tenant_id, reason)
     select h.log, h.tenant_id, 'r' from audits.heads h where h.tenant_id = $1`,
  `insert into audits.holds (tenant_id, reason, placed_by) values ($1, 'r', 'p')`,
  `insert into audits.kept_leaves (log, tenant_id, seq, leaf)
     select h.log, h.tenant_id, 0, sha256('') from audits.heads h where h.tenant_id = $1`,
  `insert into audits.prunes (log, tenant_id, below, root, frontier, last_hash, archive, framework, keep_days, hot_days, pruned_by, entry_seq)
     select h.log, h.tenant_id, 1, sha256(''), sha256(''), sha256(''), sha256(''), 'custom', 1, 1, 'p', 1
       from audits.heads h where h.tenant_id = $1`,
]

beforeAll(async () => {
  database = await TestDatabase.start()
  admin = await database.connect('postgres')
  app = await database.connect('portcullis_app')
  mine = await database.makeTenant('mine')
  theirs = await database.makeTenant('theirs')
  const { rows } = await admin.query<{ table: string }>(
    `select n.nspname || '.' || c.relname as table from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname in ('portcullis', 'audits') and c.relkind in ('r', 'p') and not c.relispartition
        and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped) order by 1`,
  )
  tables = rows.map(({ table }) => table)
  const writer = new Writer({ connection: database.settings(), ...writerDefaults }, systemClock)
  for (const tenant of [mine, theirs]) {
    const runId = uuidv7()
    await writer.submit(startRun(tenant, runId, { key: 'start' }))
    await writer.submit(recordAttempt(tenant, runId))
    await admin.query(
      `insert into portcullis.agents (tenant_id, id, name, owner, labels, allowed_models, allowed_tools) values ($1, $2, 'a', '', '{}', '{}', '{}')`,
      [tenant.id, uuidv7()],
    )
    await admin.query(
      `insert into portcullis.run_events (tenant_id, id, run_id, event_type, level, message, data_json, created_at) values ($1, $2, $2, '', 1, '', '', now())`,
      [tenant.id, uuidv7()],
    )
    await admin.query(
      `insert into portcullis.sign_in_codes (digest, tenant_id, operator_id, expires_at) values (sha256($3), $1, $2, now())`,
      [tenant.id, tenant.operatorId, tenant.name],
    )
    await admin.query(
      `insert into portcullis.sessions (digest, tenant_id, operator_id, expires_at) values (sha256($3), $1, $2, now())`,
      [tenant.id, tenant.operatorId, tenant.name],
    )
    for (const text of rowsOfTheHub) await admin.query(text, [tenant.id])
  }
  await writer.close()
})
afterAll(() => database.stop())

async function rejection(work: Promise<unknown>): Promise<unknown> {
  try {
    await work
    return 'none'
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error
  }
}

/** As the app role in a transaction of that tenant, which is undone. */
async function as<Result>(
  client: Client,
  tenant: TestTenant | undefined,
  work: () => Promise<Result>,
): Promise<Result> {
  await client.query('begin')
  await client.query(`select set_config('portcullis.tenant', $1, true)`, [tenant?.id ?? ''])
  try {
    return await work()
  } finally {
    await client.query('rollback')
  }
}

describe('row-level security', () => {
  it('G11: is forced on every table with a tenant', async () => {
    expect(tables.length).toBeGreaterThanOrEqual(10)
    const { rows } = await admin.query(
      `select n.nspname || '.' || c.relname as table from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname || '.' || c.relname = any ($1) and not (c.relrowsecurity and c.relforcerowsecurity)`,
      [[...tables, 'portcullis.tenants']],
    )
    expect(rows).toEqual([])
  })

  it('G11: the app role and the reader role see the rows of their tenant only, in every table', async () => {
    const reader = await database.connect('portcullis_reader')
    for (const table of tables) {
      const all = await admin.query<{ tenant_id: string | null }>(
        `select tenant_id from ${table} where tenant_id = any ($1)`,
        [[mine.id, theirs.id]],
      )
      expect([table, new Set(all.rows.map((row) => row.tenant_id)).size]).toEqual([table, 2])
      for (const client of [app, reader]) {
        const seen = await as(client, mine, async () => {
          await client.query('savepoint look')
          // No right to the table at all is as good as no rows.
          return client
            .query<{ tenant_id: string | null }>(`select tenant_id from ${table}`)
            .catch((error: unknown) => (error as { code: string }).code)
        })
        if (seen === '42501') continue
        if (typeof seen === 'string') expect.fail(`${table}: ${seen}`)
        expect([table, [...new Set(seen.rows.map((row) => row.tenant_id))]]).toEqual([table, [mine.id]])
      }
    }
  })

  it('G11: without a tenant nothing is seen', async () => {
    for (const table of [
      'portcullis.runs',
      'portcullis.keys',
      'portcullis.agents',
      'portcullis.tenants',
      'audits.entries',
      'portcullis.idempotency',
    ]) {
      expect((await as(app, undefined, () => app.query(`select from ${table}`))).rowCount).toBe(0)
    }
  })

  it('G11: a row of another tenant can be neither written nor changed', async () => {
    const insert = `insert into portcullis.runs (tenant_id, id, task_id, workflow, prompt_version, model_policy, status, max_retries, started_at)
      values ($1, $2, '', '', '', '', 1, 0, now())`
    expect(await as(app, mine, () => rejection(app.query(insert, [theirs.id, uuidv7()])))).toBe('42501')
    expect(await as(app, mine, () => rejection(app.query(insert, [mine.id, uuidv7()])))).toBe('none')
    expect(
      (await as(app, mine, () => app.query('update portcullis.runs set status = 3 where tenant_id = $1', [theirs.id])))
        .rowCount,
    ).toBe(0)
    expect(
      await as(app, mine, () => rejection(app.query('update portcullis.runs set tenant_id = $1', [theirs.id]))),
    ).toBe('42501')
    const key = `insert into portcullis.idempotency (tenant_id, key_digest, payload_digest) values ($1, sha256('a'), sha256('b'))`
    expect(await as(app, mine, () => rejection(app.query(key, [theirs.id])))).toBe('42501')
  })
})

describe('the app role', () => {
  it.each([
    'create table portcullis.mine (id int)',
    'create table public.mine (id int)',
    'create schema mine',
    'alter table portcullis.runs add column mine int',
    'drop table portcullis.runs',
    'alter table portcullis.runs disable row level security',
    'alter table audits.entries disable trigger all',
    'create policy mine on portcullis.runs using (true)',
    'drop function audits.append',
    'alter role portcullis_app superuser',
    'set role portcullis_owner',
    'set session_replication_role = replica',
    'create temporary table mine (id int)',
  ])('O2: has no DDL: `%s` is refused', async (statement) => {
    expect(await as(app, mine, () => rejection(app.query(statement)))).toBe('42501')
  })

  it.each([
    `insert into audits.entries select * from audits.entries limit 1`,
    `update audits.entries set outcome = 'allow'`,
    'delete from audits.entries',
    'truncate audits.entries',
    'update audits.heads set size = 0',
    'delete from portcullis.idempotency',
    'delete from portcullis.runs',
    'delete from portcullis.keys',
    'delete from portcullis.apps',
    'delete from portcullis.certificates',
    'delete from portcullis.token_denials',
    'truncate portcullis.runs',
    `insert into portcullis.tenants (id, name) values (gen_random_uuid(), 'sneaked')`,
    'update portcullis.prompt_attempts set cost_nano_usd = 0',
    'delete from portcullis.prompt_attempts',
    'select from portcullis.prompt_attempts_first',
    'drop table portcullis.prompt_attempts_first',
    'delete from portcullis.telemetry_deltas',
    'update portcullis.cost_hours set cost_nano_usd = 0',
    'delete from portcullis.cost_deltas',
    'update portcullis.cost_corrections set correction_nano_usd = 0',
    'delete from portcullis.cost_corrections',
    'update portcullis.telemetry_rollups_day set attempts = 0',
    'select from portcullis.sign_in_codes',
    'select digest from portcullis.sessions',
    'select from portcullis.operator_passwords',
    'update portcullis.operators set role = $$admin$$',
    'update portcullis.kills set released_at = now()',
    'update portcullis.kill_state set epoch = 0',
    'select portcullis.next_kill_epoch()',
    'select from portcullis.replicas',
    'insert into portcullis.operators (tenant_id, id, name, platform) values (portcullis.tenant(), gen_random_uuid(), $$x$$, true)',
  ])('L6: may not `%s`', async (statement) => {
    expect(await as(app, mine, () => rejection(app.query(statement)))).toBe('42501')
  })
})
