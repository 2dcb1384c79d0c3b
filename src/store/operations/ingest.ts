import { members, type OperationStatement } from './statement.ts'

// The primary key stands behind the look before it: who records a span for the second time fails as a whole, and may come again.
export const claimSpans: OperationStatement = {
  name: 'spans.claim',
  text: `with ${members('owner uuid, spans json')},
  written as (
    insert into portcullis.ingested_spans (tenant_id, owner, trace_id, span_id)
    select (select portcullis.tenant()), m.owner, s.trace, s.span
      from m cross join lateral json_to_recordset(m.spans) as s(trace bytea, span bytea)
     order by m.owner, s.trace, s.span)
  select n, p from m`,
}

// One row a run, whoever of the batch brought which part of its trace. A run that has ended stays as it is.
export const traceRun: OperationStatement = {
  name: 'run.trace',
  text: `with ${members(`id uuid, workflow text, "agentId" uuid, "promptVersion" text, status smallint, "lastError" text,
      "startedAtMs" float8, "finishedAtMs" float8, "keyId" uuid`)},
  one as materialized (
    select m.id, (array_agg(m.workflow order by m.n))[1] as workflow, (array_agg(m."agentId"))[1] as agent_id,
           (array_agg(m."promptVersion" order by m.n))[1] as prompt_version, to_timestamp(min(m."startedAtMs") / 1000) as started_at,
           to_timestamp((array_agg(m."finishedAtMs" order by m."finishedAtMs" nulls last))[1] / 1000) as finished_at,
           (array_agg(m.status order by m."finishedAtMs" nulls last))[1] as status,
           (array_agg(m."lastError" order by m."finishedAtMs" nulls last))[1] as last_error,
           (array_agg(m."keyId" order by m.n))[1] as key_id
      from m group by m.id),
  made as (
    insert into portcullis.runs (tenant_id, id, task_id, workflow, agent_id, prompt_version, model_policy, status, max_retries, last_error,
      started_at, finished_at, key_id)
    select (select portcullis.tenant()), id, '', workflow, agent_id, prompt_version, '', status, 0, last_error, started_at, finished_at,
           key_id
      from one order by id
    on conflict do nothing
    returning id, workflow, finished_at),
  ended as (
    update portcullis.runs r set (status, last_error, started_at, finished_at) = (
      select one.status, one.last_error, least(r.started_at, one.started_at), one.finished_at from one where one.id = r.id)
     where r.tenant_id = (select portcullis.tenant()) and r.finished_at is null
       and r.id = any (array(select id from one where finished_at is not null))
    returning r.workflow),
  counted as (
    insert into portcullis.workflow_deltas (tenant_id, workflow, runs, finished_runs)
    select (select portcullis.tenant()), c.workflow, sum(c.made), sum(c.ended)
      from (select workflow, 1 as made, (finished_at is not null)::int as ended from made
            union all select workflow, 0, 1 from ended) c
     group by c.workflow)
  select n, p from m`,
}
