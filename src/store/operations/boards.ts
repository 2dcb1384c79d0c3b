import { members, ms, type OperationStatement } from './statement.ts'

export const taskColumns = `t.id, t.agent_id as "agentId", t.title, t.details, t.status, t.tags,
  ${ms('t.created_at', 'createdAtMs')}, ${ms('t.updated_at', 'updatedAtMs')}`

// The members that may touch their task: each is checked for itself, whoever else is in the batch.
const ownTask = `select m.* from m cross join lateral (
    select agent_id from portcullis.tasks t where t.tenant_id = (select portcullis.tenant()) and t.id = m.id limit 1) t
   where m."ownerAgentId" is null or m."ownerAgentId" = t.agent_id`

export const createTask: OperationStatement = {
  name: 'task.create',
  text: `with ${members(`id uuid, "agentId" uuid, title text, details text, status smallint, tags text[], "createdAtMs" float8,
      "updatedAtMs" float8`)},
  written as (
    insert into portcullis.tasks (tenant_id, id, agent_id, title, details, status, tags, created_at, updated_at)
    select (select portcullis.tenant()), id, "agentId", title, details, status, tags, to_timestamp("createdAtMs" / 1000),
           to_timestamp("updatedAtMs" / 1000) from m order by id)
  select n from m`,
}

// Of two updates of one task in a batch the later one is done; the other is told the same row.
export const updateTask: OperationStatement = {
  name: 'task.update',
  text: `with ${members(`id uuid, "ownerAgentId" uuid, title text, details text, status smallint, tags text[], "updatedAtMs" float8`)},
  mine as materialized (${ownTask}),
  last as (select distinct on (id) * from mine order by id, n desc),
  t as (
    update portcullis.tasks t set (title, details, status, tags, updated_at) = (
      select coalesce(last.title, t.title), coalesce(last.details, t.details), coalesce(last.status, t.status),
             coalesce(last.tags, t.tags), to_timestamp(last."updatedAtMs" / 1000)
        from last where last.id = t.id)
     where t.tenant_id = (select portcullis.tenant()) and t.id = any (array(select id from last))
    returning ${taskColumns})
  select mine.n, t.* from mine join t using (id)`,
}

export const deleteTask: OperationStatement = {
  name: 'task.delete',
  text: `with ${members('id uuid, "ownerAgentId" uuid')},
  mine as materialized (${ownTask}),
  gone as (
    delete from portcullis.tasks t
     where t.tenant_id = (select portcullis.tenant()) and t.id = any (array(select id from mine))
    returning t.id)
  select mine.n from mine join gone using (id)`,
}

export const createNote: OperationStatement = {
  name: 'note.create',
  text: `with ${members('id uuid, title text, body text, tags text[], "createdAtMs" float8')},
  written as (
    insert into portcullis.notes (tenant_id, id, title, body, tags, created_at)
    select (select portcullis.tenant()), id, title, body, tags, to_timestamp("createdAtMs" / 1000) from m order by id)
  select n from m`,
}

export const appendChangelog: OperationStatement = {
  name: 'changelog.append',
  text: `with ${members('id uuid, category text, summary text, details text, actor text, "createdAtMs" float8')},
  written as (
    insert into portcullis.changelog (tenant_id, id, category, summary, details, actor, created_at)
    select (select portcullis.tenant()), id, category, summary, details, actor, to_timestamp("createdAtMs" / 1000) from m order by id)
  select n from m`,
}

export const recordBenchmark: OperationStatement = {
  name: 'benchmark.record',
  text: `with ${members(`id uuid, workflow text, "agentId" uuid, "providerType" text, provider text, model text, "inputTokens" bigint,
      "cachedReadTokens" bigint, "cacheWriteTokens" bigint, "outputTokens" bigint, "reasoningTokens" bigint, "costNanoUsd" bigint,
      "latencyMs" bigint, "qualityScoreMilli" int, samples bigint, notes text, "createdAtMs" float8`)},
  written as (
    insert into portcullis.benchmarks (tenant_id, id, workflow, agent_id, provider_type, provider, model, input_tokens,
      cached_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nano_usd, latency_ms, quality_score_milli, samples,
      notes, created_at)
    select (select portcullis.tenant()), id, workflow, "agentId", "providerType", provider, model, "inputTokens", "cachedReadTokens",
      "cacheWriteTokens", "outputTokens", "reasoningTokens", "costNanoUsd", "latencyMs", "qualityScoreMilli", samples,
      notes, to_timestamp("createdAtMs" / 1000) from m order by id)
  select n, p from m`,
}

export const publishWorkflow: OperationStatement = {
  name: 'workflow.publish',
  text: `with ${members('workflow text, published boolean')},
  hidden as (
    delete from portcullis.published_workflows w
     where w.tenant_id = (select portcullis.tenant()) and w.workflow = any (array(select workflow from m where not published))),
  shown as (
    insert into portcullis.published_workflows (tenant_id, workflow)
    select distinct (select portcullis.tenant()), workflow from m where published on conflict do nothing)
  select n from m`,
}
