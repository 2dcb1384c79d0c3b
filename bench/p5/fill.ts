import type { Client } from 'pg'

const attemptsOfARun = 50

/**
 * Fills the days before today with attempts, evenly, and the runs and events that they belong to: as the owner role, each day as a table
 * that is filled first and then attached, which builds its indexes at once.
 */
export async function fill(
  owner: Client,
  tenantId: string,
  rows: number,
  days: number,
  say: (line: string) => void,
): Promise<void> {
  await owner.query(`set maintenance_work_mem = '256MB'`)
  await owner.query('set statement_timeout = 0')
  for (const [table, ahead] of [
    ['prompt_attempts', days],
    ['run_events', days],
  ] as const) {
    // What was before the schema was made moves out of the way of these days.
    await owner.query(`alter table portcullis.${table} detach partition portcullis.${table}_first`)
    await owner.query(`do $$ declare t text := '${table}'; day timestamptz; begin
      execute format('alter table portcullis.%I rename to %I', t || '_first', t || '_recent');
      execute format('create table portcullis.%I (like portcullis.%I including defaults including constraints)', t || '_first', t);
      execute format('alter table portcullis.%I attach partition portcullis.%I for values from (minvalue) to (%L)', t, t || '_first',
        portcullis.least_id(date_trunc('day', now(), 'UTC') - ${ahead} * interval '24 hours'));
      perform portcullis.protect_partition(t || '_first');
      execute format('alter table portcullis.%I attach partition portcullis.%I for values from (%L) to (%L)', t, t || '_recent',
        portcullis.least_id(date_trunc('day', now(), 'UTC')), portcullis.least_id(date_trunc('day', now(), 'UTC') + interval '48 hours'));
    end $$`)
  }
  const ofADay = Math.floor(rows / days)
  for (let day = days; day >= 1; day -= 1) {
    const startedAt = performance.now()
    const start = `(date_trunc('day', now(), 'UTC') - ${day} * interval '24 hours')`
    const at = (n: string, count: number) => `${start} - clock_timestamp() + ${n} * interval '86399 s' / ${count}`
    const runs = Math.max(1, Math.floor(ofADay / attemptsOfARun))
    await owner.query(
      `insert into portcullis.runs (tenant_id, id, task_id, workflow, agent_id, prompt_version, model_policy, status, max_retries, started_at)
        select $1, uuidv7(${at('n', runs)}), '', 'w' || n % 50, null, 'v' || n % 20, '', 2 + n % 3, 3, ${start} from generate_series(1, ${runs}) n`,
      [tenantId],
    )
    await owner.query(
      'create table portcullis.day_runs (at bigint primary key, id uuid, workflow text, prompt_version text)',
    )
    await owner.query(
      `insert into portcullis.day_runs select row_number() over (order by id) - 1, id, workflow, prompt_version from portcullis.runs
        where tenant_id = $1 and id >= portcullis.least_id(${start}) and id < portcullis.least_id(${start} + interval '24 hours')`,
      [tenantId],
    )
    await owner.query('analyze portcullis.day_runs')
    await makeDay(
      owner,
      'prompt_attempts',
      start,
      tenantId,
      `
      select $1, uuidv7(${at('n', ofADay + 1)}), r.id, 1 + n % 3, r.workflow, null, 'api', 'example', 'm' || n % 10, r.prompt_version,
             'b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9', 1 + (n % 20 = 0)::int, '', '', 1154, 0, 0, 211, 0,
             1000000, 0, 200 + n % 2000, 0, ${start} + n * interval '86399 s' / ${ofADay}
        from generate_series(1, ${ofADay}) n join portcullis.day_runs r on r.at = n % ${runs}`,
      `tenant_id, id, run_id, attempt_number, workflow, agent_id, provider_type, provider, model, prompt_version, prompt_hash, outcome,
       error_type, error_message, input_tokens, cached_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nano_usd,
       reported_cost_nano_usd, latency_ms, quality_score_milli, created_at`,
    )
    const events = Math.max(1, Math.floor(ofADay / 10))
    await makeDay(
      owner,
      'run_events',
      start,
      tenantId,
      `
      select $1, uuidv7(${at('n', events + 1)}), r.id, null, 'e' || n % 20, 1 + n % 4, 'a message of some words', '{}',
             ${start} + n * interval '86399 s' / ${events}
        from generate_series(1, ${events}) n join portcullis.day_runs r on r.at = n % ${runs}`,
      'tenant_id, id, run_id, agent_id, event_type, level, message, data_json, created_at',
    )
    await owner.query('drop table portcullis.day_runs')
    say(`day -${day}: ${ofADay} attempts in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
  }
  await owner.query('analyze portcullis.runs')
}

async function makeDay(
  owner: Client,
  table: string,
  start: string,
  tenantId: string,
  rows: string,
  columns: string,
): Promise<void> {
  await owner.query(
    `create table portcullis.filling (like portcullis.${table} including defaults including constraints)`,
  )
  await owner.query(`insert into portcullis.filling (${columns}) ${rows}`, [tenantId])
  await owner.query('analyze portcullis.filling')
  await owner.query(`do $$ declare name text := '${table}_' || to_char(${start} at time zone 'UTC', 'YYYYMMDD'); begin
    execute format('alter table portcullis.filling rename to %I', name);
    execute format('alter table portcullis.${table} attach partition portcullis.%I for values from (%L) to (%L)', name,
      portcullis.least_id(${start}), portcullis.least_id(${start} + interval '24 hours'));
    perform portcullis.protect_partition(name);
  end $$`)
}
