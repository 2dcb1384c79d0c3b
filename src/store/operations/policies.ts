import { members, ms, type OperationStatement } from './statement.ts'

/** The columns of a PolicyRow of the table `p`. */
export const policyColumns = `p.max_cost_per_run_nano_usd as "maxCostPerRunNanoUsd", p.max_attempts_per_run as "maxAttemptsPerRun",
  p.max_tokens_per_run as "maxTokensPerRun", p.max_latency_per_attempt_ms as "maxLatencyPerAttemptMs", ${ms('p.updated_at', 'updatedAtMs')}`

/** The columns of a CapRow of the table `c`. */
export const capColumns = `c.id, c.name, c.provider_type as "providerType", c.provider, c.model,
  c.max_cost_per_run_nano_usd as "maxCostPerRunNanoUsd", c.max_attempts_per_run as "maxAttemptsPerRun",
  c.max_tokens_per_run as "maxTokensPerRun", c.max_latency_per_attempt_ms as "maxLatencyPerAttemptMs",
  c.max_cost_per_attempt_nano_usd as "maxCostPerAttemptNanoUsd", c.max_tokens_per_attempt as "maxTokensPerAttempt", c.priority,
  c.dry_run as "dryRun", c.active, ${ms('c.updated_at', 'updatedAtMs')}`

const limits = `"maxCostPerRunNanoUsd" bigint, "maxAttemptsPerRun" bigint, "maxTokensPerRun" bigint, "maxLatencyPerAttemptMs" bigint`

// Each member is a call of its own, so that of two changes in a batch the later one is told what the earlier one wrote.
export const setPolicy: OperationStatement = {
  name: 'policy.set',
  text: `with ${members(`${limits}, "updatedAtMs" float8`)}
  select m.n, m.p, ${policyColumns}
    from m cross join lateral portcullis.set_policy(row((select portcullis.tenant()), m."maxCostPerRunNanoUsd", m."maxAttemptsPerRun",
      m."maxTokensPerRun", m."maxLatencyPerAttemptMs", to_timestamp(m."updatedAtMs" / 1000), null)::portcullis.policies) p`,
}

export const putCap: OperationStatement = {
  name: 'policy_cap.put',
  text: `with ${members(`made boolean, "atMost" int, id uuid, name text, "providerType" text, provider text, model text, ${limits},
      "maxCostPerAttemptNanoUsd" bigint, "maxTokensPerAttempt" bigint, priority int, "dryRun" boolean, active boolean,
      "updatedAtMs" float8`)}
  select m.n, m.p, ${capColumns}, case when c.id is null then 'object.state' else 'done' end as verdict
    from m cross join lateral portcullis.put_policy_cap(row((select portcullis.tenant()), m.id, m.name, m."providerType", m.provider,
      m.model, m."maxCostPerRunNanoUsd", m."maxAttemptsPerRun", m."maxTokensPerRun", m."maxLatencyPerAttemptMs",
      m."maxCostPerAttemptNanoUsd", m."maxTokensPerAttempt", m.priority, m."dryRun", m.active, to_timestamp(m."updatedAtMs" / 1000),
      null, null)::portcullis.policy_caps, m.made, m."atMost") c
   where c.tenant_id is not null`,
}

export const deleteCap: OperationStatement = {
  name: 'policy_cap.delete',
  text: `with ${members('id uuid, "atMs" float8')}
  select m.n, m.p, ${capColumns}
    from m cross join lateral portcullis.delete_policy_cap(m.id, to_timestamp(m."atMs" / 1000)) c
   where c.tenant_id is not null`,
}
