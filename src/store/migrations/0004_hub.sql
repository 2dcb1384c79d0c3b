-- Tasks, notes, changelog, benchmarks; the indexes behind the lists of attempts and events; totals per workflow.
create table portcullis.tasks (
  tenant_id uuid not null,
  id uuid not null,
  -- The agent that made it; null for operators.
  agent_id uuid,
  title text not null,
  details text not null,
  status smallint not null,
  tags text[] not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id)
);
create index on portcullis.tasks (tenant_id, status, id);
create index on portcullis.tasks (tenant_id, agent_id, id);
create index on portcullis.tasks using gin (tags);

create table portcullis.notes (
  tenant_id uuid not null,
  id uuid not null,
  title text not null,
  body text not null,
  tags text[] not null,
  created_at timestamptz not null,
  primary key (tenant_id, id)
);
create index on portcullis.notes using gin (tags);

create table portcullis.changelog (
  tenant_id uuid not null,
  id uuid not null,
  category text not null,
  summary text not null,
  details text not null,
  actor text not null,
  created_at timestamptz not null,
  primary key (tenant_id, id)
);
create index on portcullis.changelog (tenant_id, category, id);

create table portcullis.benchmarks (
  tenant_id uuid not null,
  id uuid not null,
  workflow text not null,
  agent_id uuid,
  provider_type text not null,
  provider text not null,
  model text not null,
  input_tokens bigint not null,
  cached_read_tokens bigint not null,
  cache_write_tokens bigint not null,
  output_tokens bigint not null,
  reasoning_tokens bigint not null,
  cost_nano_usd bigint not null,
  latency_ms bigint not null,
  quality_score_milli int not null,
  notes text not null,
  created_at timestamptz not null,
  primary key (tenant_id, id)
);
create index on portcullis.benchmarks (tenant_id, workflow, id);
create index on portcullis.benchmarks (tenant_id, model, id);

-- A filter that most rows pass needs no index of its own: the newest page is found at the end of the primary key.
create index on portcullis.prompt_attempts (tenant_id, workflow, id);
create index on portcullis.prompt_attempts (tenant_id, agent_id, id);
create index on portcullis.prompt_attempts (tenant_id, model, id);
create index on portcullis.prompt_attempts (tenant_id, prompt_version, id);
create index on portcullis.prompt_attempts (tenant_id, id) where outcome = 2;
create index on portcullis.run_events (tenant_id, event_type, id);
create index on portcullis.run_events (tenant_id, level, id) where level >= 3;

create table portcullis.published_workflows (
  tenant_id uuid not null,
  workflow text not null,
  primary key (tenant_id, workflow)
);

-- What a batch adds to a workflow: appended, never updated, so that batches do not wait for each other's totals.
-- Numeric: a sum that overflowed would stop the totals of everybody.
create table portcullis.workflow_deltas (
  tenant_id uuid not null,
  workflow text not null,
  runs numeric not null default 0,
  finished_runs numeric not null default 0,
  attempts numeric not null default 0,
  failed_attempts numeric not null default 0,
  input_tokens numeric not null default 0,
  cached_read_tokens numeric not null default 0,
  cache_write_tokens numeric not null default 0,
  output_tokens numeric not null default 0,
  reasoning_tokens numeric not null default 0,
  cost_nano_usd numeric not null default 0,
  latency_ms numeric not null default 0
);
create index on portcullis.workflow_deltas (tenant_id);
-- The row with the empty workflow is the whole tenant.
create table portcullis.workflow_totals (
  like portcullis.workflow_deltas including defaults,
  primary key (tenant_id, workflow)
) with (fillfactor = 70);

do $$
declare t text;
begin
  foreach t in array array['tasks', 'notes', 'changelog', 'benchmarks', 'published_workflows', 'workflow_deltas', 'workflow_totals'] loop
    execute format('alter table portcullis.%I enable row level security', t);
    execute format('alter table portcullis.%I force row level security', t);
    execute format('create policy tenant on portcullis.%I using (tenant_id = (select portcullis.tenant()))', t);
    execute format('create policy owner on portcullis.%I to portcullis_owner using (true)', t);
    execute format('grant select on portcullis.%I to portcullis_app, portcullis_reader', t);
  end loop;
end
$$;
grant insert, update, delete on portcullis.tasks to portcullis_app;
grant insert on portcullis.notes, portcullis.changelog, portcullis.benchmarks, portcullis.workflow_deltas to portcullis_app;
grant insert, delete on portcullis.published_workflows to portcullis_app;

-- Adds the deltas to the totals, one replica at a time. What it has not folded yet is counted by readers all the same.
create function portcullis.fold_workflow_deltas() returns void
language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
  with turn as (select pg_try_advisory_xact_lock(hashtext('portcullis fold workflow deltas')) as mine),
  taken as (delete from portcullis.workflow_deltas using turn where turn.mine returning workflow_deltas.*),
  added as (
    select tenant_id, w.workflow, sum(runs) as runs, sum(finished_runs) as finished_runs, sum(attempts) as attempts,
           sum(failed_attempts) as failed_attempts, sum(input_tokens) as input_tokens, sum(cached_read_tokens) as cached_read_tokens,
           sum(cache_write_tokens) as cache_write_tokens, sum(output_tokens) as output_tokens,
           sum(reasoning_tokens) as reasoning_tokens, sum(cost_nano_usd) as cost_nano_usd, sum(latency_ms) as latency_ms
      from taken cross join lateral (values (taken.workflow), ('')) as w(workflow)
     group by tenant_id, w.workflow)
  insert into portcullis.workflow_totals as t (tenant_id, workflow, runs, finished_runs, attempts, failed_attempts, input_tokens,
    cached_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nano_usd, latency_ms)
  select * from added order by tenant_id, workflow
  on conflict (tenant_id, workflow) do update set
    runs = t.runs + excluded.runs, finished_runs = t.finished_runs + excluded.finished_runs,
    attempts = t.attempts + excluded.attempts, failed_attempts = t.failed_attempts + excluded.failed_attempts,
    input_tokens = t.input_tokens + excluded.input_tokens, cached_read_tokens = t.cached_read_tokens + excluded.cached_read_tokens,
    cache_write_tokens = t.cache_write_tokens + excluded.cache_write_tokens, output_tokens = t.output_tokens + excluded.output_tokens,
    reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens, cost_nano_usd = t.cost_nano_usd + excluded.cost_nano_usd,
    latency_ms = t.latency_ms + excluded.latency_ms;
end;

-- For everybody: published workflows with enough samples; no tenant, agent or model is named (SPEC H8).
create function portcullis.public_summary(minimum_samples int)
returns table (workflow text, attempts bigint, failed_attempts bigint, input_tokens bigint, output_tokens bigint, latency_ms bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select p.workflow, least(w.attempts, 9e18)::bigint, least(w.failed_attempts, 9e18)::bigint, least(w.input_tokens, 9e18)::bigint,
         least(w.output_tokens, 9e18)::bigint, least(w.latency_ms, 9e18)::bigint
    from portcullis.published_workflows p
    join portcullis.tenants t on t.id = p.tenant_id and t.disabled_at is null
    join portcullis.workflow_totals w on w.tenant_id = p.tenant_id and w.workflow = p.workflow
   -- The floor is each tenant's own: another one that publishes the same name must not lift it over it.
   where w.attempts >= minimum_samples
   order by w.attempts desc limit 100;
end;

revoke all on function portcullis.fold_workflow_deltas(), portcullis.public_summary(int) from public;
grant execute on function portcullis.fold_workflow_deltas(), portcullis.public_summary(int) to portcullis_app;
