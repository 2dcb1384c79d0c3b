import { members, ms, sparseMembers, type OperationStatement } from './statement.ts'

/** The columns of a RunRow. */
export const runColumns = `r.id, r.task_id as "taskId", r.workflow, r.agent_id as "agentId", r.prompt_version as "promptVersion",
  r.model_policy as "modelPolicy", r.status, r.max_retries as "maxRetries", r.total_attempts as "totalAttempts",
  r.success_attempts as "successAttempts", r.failed_attempts as "failedAttempts", r.input_tokens as "inputTokens",
  r.cached_read_tokens as "cachedReadTokens", r.cache_write_tokens as "cacheWriteTokens", r.output_tokens as "outputTokens",
  r.reasoning_tokens as "reasoningTokens", r.cost_nano_usd as "costNanoUsd", r.last_error as "lastError",
  ${ms('r.started_at', 'startedAtMs')}, ${ms('r.finished_at', 'finishedAtMs')}`

/** The row of one run, found by its key. */
export function lookUp(id: string): string {
  return `(select * from portcullis.runs where tenant_id = (select portcullis.tenant()) and id = ${id} limit 1)`
}

export const startRun: OperationStatement = {
  name: 'run.start',
  text: `with ${members(`id uuid, "taskId" text, workflow text, "agentId" uuid, "promptVersion" text, "modelPolicy" text,
      status smallint, "maxRetries" int, "startedAtMs" float8, "keyId" uuid`)},
  r as (
    insert into portcullis.runs (tenant_id, id, task_id, workflow, agent_id, prompt_version, model_policy, status, max_retries, started_at,
      key_id)
    select (select portcullis.tenant()), id, "taskId", workflow, "agentId", "promptVersion", "modelPolicy", status, "maxRetries",
           to_timestamp("startedAtMs" / 1000), "keyId"
      from m order by id
    returning id),
  counted as (
    insert into portcullis.workflow_deltas (tenant_id, workflow, runs)
    select (select portcullis.tenant()), workflow, count(*) from m group by workflow)
  select m.n from m join r using (id)`,
}

// A run that is no longer under way answers the verdict object.state; one that is not there answers no row.
export const finishRun: OperationStatement = {
  name: 'run.finish',
  text: `with ${members('id uuid, "ownerAgentId" uuid, status smallint, "lastError" text, "finishedAtMs" float8')},
  mine as materialized (
    select m.* from m cross join lateral ${lookUp('m.id')} r where m."ownerAgentId" is null or r.agent_id = m."ownerAgentId"),
  first as (select distinct on (id) * from mine order by id, n),
  r as (
    update portcullis.runs r set (status, last_error, finished_at) = (
      select status, "lastError", to_timestamp("finishedAtMs" / 1000) from first where first.id = r.id)
     where r.tenant_id = (select portcullis.tenant()) and r.finished_at is null
       and r.id = any (array(select id from first))
    returning ${runColumns}),
  counted as (
    insert into portcullis.workflow_deltas (tenant_id, workflow, finished_runs)
    select (select portcullis.tenant()), workflow, count(*) from r group by workflow)
  select 'done' as verdict, first.n, r.* from first join r using (id)
  union all
  select 'object.state', m.n, ${runColumns}
    from mine m cross join lateral ${lookUp('m.id')} r
   where not exists (select from first join r done using (id) where first.n = m.n)`,
}

// What the attempts add to their runs follows in flush 2: see run-totals.ts.
export const recordAttempt: OperationStatement = {
  name: 'attempt.record',
  text: `with ${sparseMembers(`id uuid, "runId" uuid, "ownerAgentId" uuid, "attemptNumber" int, workflow text, "providerType" text,
      provider text, model text, "promptVersion" text, "promptHash" text, outcome smallint, "errorType" text, "errorMessage" text,
      "inputTokens" bigint, "cachedReadTokens" bigint, "cacheWriteTokens" bigint, "outputTokens" bigint, "reasoningTokens" bigint,
      "costNanoUsd" bigint, "reportedCostNanoUsd" bigint, "priceVersion" text, "unitPrices" text, sku text, "latencyMs" bigint, "qualityScoreMilli" int, "createdAtMs" float8`)},
  found as materialized (
    select m.*, r.agent_id, coalesce(nullif(m.workflow, ''), r.workflow) as the_workflow,
           coalesce(nullif(m."promptVersion", ''), r.prompt_version) as the_version,
           to_timestamp(floor(m."createdAtMs" / 3600000) * 3600) as the_hour
      from m cross join lateral ${lookUp('m."runId"')} r
     where m."ownerAgentId" is null or r.agent_id = m."ownerAgentId"),
  written as (
    insert into portcullis.prompt_attempts (tenant_id, id, run_id, attempt_number, workflow, agent_id, provider_type, provider, model,
      prompt_version, prompt_hash, outcome, error_type, error_message, input_tokens, cached_read_tokens, cache_write_tokens,
      output_tokens, reasoning_tokens, cost_nano_usd, reported_cost_nano_usd, price_version, latency_ms, quality_score_milli, created_at)
    select (select portcullis.tenant()), id, "runId", "attemptNumber", the_workflow, agent_id, "providerType", provider, model,
      the_version, "promptHash", outcome, "errorType", "errorMessage", "inputTokens", "cachedReadTokens", "cacheWriteTokens",
      "outputTokens", "reasoningTokens", "costNanoUsd", "reportedCostNanoUsd", "priceVersion", "latencyMs",
      "qualityScoreMilli", to_timestamp("createdAtMs" / 1000)
      from found),
  counted as (
    insert into portcullis.workflow_deltas (tenant_id, workflow, attempts, failed_attempts, input_tokens, cached_read_tokens,
      cache_write_tokens, output_tokens, reasoning_tokens, cost_nano_usd, latency_ms)
    select (select portcullis.tenant()), the_workflow, count(*), count(*) filter (where outcome = 2), sum("inputTokens"),
           sum("cachedReadTokens"), sum("cacheWriteTokens"), sum("outputTokens"), sum("reasoningTokens"), sum("costNanoUsd"),
           sum("latencyMs")
      from found group by the_workflow),
  rolled as (
    insert into portcullis.telemetry_deltas (tenant_id, bucket, workflow, prompt_version, provider, model, agent_id, attempts, successes,
      failures, retries, input_tokens, cached_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nano_usd, latency_ms,
      latencies)
    select (select portcullis.tenant()), the_hour, the_workflow, the_version, provider,
           model, agent_id, count(*), count(*) filter (where outcome = 1), count(*) filter (where outcome = 2),
           count(*) filter (where "attemptNumber" > 1), sum("inputTokens"), sum("cachedReadTokens"), sum("cacheWriteTokens"),
           sum("outputTokens"), sum("reasoningTokens"), sum("costNanoUsd"), sum("latencyMs"),
           array_agg(portcullis.latency_bucket("latencyMs"))
      from found group by 2, 3, 4, 5, 6, 7),
  charged as (
    insert into portcullis.cost_deltas (tenant_id, hour, agent_id, workflow, provider, model, sku, price_version, unit_prices, attempts,
      input_tokens, cached_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nano_usd, reported_cost_nano_usd)
    select (select portcullis.tenant()), the_hour, agent_id, the_workflow, provider,
           model, sku, "priceVersion", "unitPrices", count(*), sum("inputTokens"), sum("cachedReadTokens"), sum("cacheWriteTokens"),
           sum("outputTokens"), sum("reasoningTokens"), sum("costNanoUsd"), sum("reportedCostNanoUsd")
      from found group by 2, 3, 4, 5, 6, 7, 8, 9)
  select n, p, the_workflow as workflow, the_version as "promptVersion", agent_id as "agentId" from found`,
}

export const recordEvent: OperationStatement = {
  name: 'event.record',
  text: `with ${members(`id uuid, "runId" uuid, "ownerAgentId" uuid, "eventType" text, level smallint, message text, "dataJson" text,
      "createdAtMs" float8`)},
  found as materialized (
    select m.*, r.agent_id
      from m cross join lateral ${lookUp('m."runId"')} r
     where m."ownerAgentId" is null or r.agent_id = m."ownerAgentId"),
  written as (
    insert into portcullis.run_events (tenant_id, id, run_id, agent_id, event_type, level, message, data_json, created_at)
    select (select portcullis.tenant()), id, "runId", agent_id, "eventType", level, message, "dataJson", to_timestamp("createdAtMs" / 1000)
      from found)
  select n, p, agent_id as "agentId" from found`,
}
