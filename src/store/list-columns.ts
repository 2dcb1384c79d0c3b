import { ms } from './operations/statement.ts'

const tokens = `t.input_tokens as "inputTokens", t.cached_read_tokens as "cachedReadTokens",
  t.cache_write_tokens as "cacheWriteTokens", t.output_tokens as "outputTokens", t.reasoning_tokens as "reasoningTokens"`

/** The columns of a StoredAttempt. */
export const attemptColumns = `t.id, t.run_id as "runId", t.attempt_number as "attemptNumber", t.workflow, t.agent_id as "agentId",
  t.provider_type as "providerType", t.provider, t.model, t.prompt_version as "promptVersion", t.prompt_hash as "promptHash",
  t.outcome, t.error_type as "errorType", t.error_message as "errorMessage", ${tokens}, t.cost_nano_usd as "costNanoUsd",
  t.reported_cost_nano_usd as "reportedCostNanoUsd", t.price_version as "priceVersion", t.latency_ms as "latencyMs", t.quality_score_milli as "qualityScoreMilli",
  ${ms('t.created_at', 'createdAtMs')}`

/** The columns of a StoredEvent. */
export const eventColumns = `t.id, t.run_id as "runId", t.agent_id as "agentId", t.event_type as "eventType", t.level, t.message,
  t.data_json as "dataJson", ${ms('t.created_at', 'createdAtMs')}`

/** The columns of a BenchmarkRow. */
export const benchmarkColumns = `t.id, t.workflow, t.agent_id as "agentId", t.provider_type as "providerType", t.provider, t.model,
  ${tokens}, t.cost_nano_usd as "costNanoUsd", t.latency_ms as "latencyMs", t.quality_score_milli as "qualityScoreMilli", t.samples, t.notes,
  ${ms('t.created_at', 'createdAtMs')}`

/** The columns of a DrillRow. */
export const drillColumns = `t.id, t.kill_id as "killId", t.deny_p50_us::text as "denyP50Us", t.deny_p99_us::text as "denyP99Us",
  t.cancel_p50_us::text as "cancelP50Us", t.cancel_p99_us::text as "cancelP99Us", t.probes, t.replicas, t.actor,
  ${ms('t.created_at', 'createdAtMs')}`

/** A sum has no bound; the contract carries 64 bits of it. */
function capped(column: string, name: string): string {
  return `least(coalesce(sum(${column}), 0), ${2n ** 63n - 1n})::text as "${name}"`
}

// The folded total of the tenant, one row, and the few deltas that have not been folded yet: nothing here grows with use.
// Agents and open tasks are counted up to a bound.
export const totalsText = `with tenant as (select portcullis.tenant() as id),
  parts as (
    select runs, finished_runs, attempts, failed_attempts, input_tokens, cached_read_tokens, cache_write_tokens, output_tokens,
           reasoning_tokens, cost_nano_usd
      from portcullis.workflow_totals where tenant_id = (select id from tenant) and workflow = ''
    union all
    select runs, finished_runs, attempts, failed_attempts, input_tokens, cached_read_tokens, cache_write_tokens, output_tokens,
           reasoning_tokens, cost_nano_usd
      from portcullis.workflow_deltas where tenant_id = (select id from tenant))
  select ${[
    capped('runs', 'runs'),
    capped('finished_runs', 'finishedRuns'),
    capped('attempts', 'attempts'),
    capped('failed_attempts', 'failedAttempts'),
    capped('input_tokens', 'inputTokens'),
    capped('cached_read_tokens', 'cachedReadTokens'),
    capped('cache_write_tokens', 'cacheWriteTokens'),
    capped('output_tokens', 'outputTokens'),
    capped('reasoning_tokens', 'reasoningTokens'),
    capped('cost_nano_usd', 'costNanoUsd'),
  ].join(', ')},
         (select count(*) from (select from portcullis.agents
           where tenant_id = (select id from tenant) and disabled_at is null limit 10000) a)::text as agents,
         (select count(*) from (select from portcullis.tasks
           where tenant_id = (select id from tenant) and status in (1, 2, 6, 8) limit 10000) o)::text as "openTasks"
    from parts`
