-- serves from 0016
-- Spans that came in (SPEC H13). Rows outlive the age up to which spans are taken, and go then.

-- The run that a trace became: one for each agent that reports it, so that nobody adds to the run of another.
create table portcullis.ingested_traces (
  tenant_id uuid not null,
  -- The agent, or all zeros for operators.
  owner uuid not null,
  trace_id bytea not null check (length(trace_id) = 16),
  -- Chosen when the trace is first seen; the run itself commits with its entry, later.
  run_id uuid not null,
  at timestamptz not null default now(),
  primary key (tenant_id, owner, trace_id)
);
create index on portcullis.ingested_traces (at);

-- What has been recorded: a span that is sent again makes nothing.
create table portcullis.ingested_spans (
  tenant_id uuid not null,
  owner uuid not null,
  trace_id bytea not null check (length(trace_id) = 16),
  span_id bytea not null check (length(span_id) = 8),
  at timestamptz not null default now(),
  primary key (tenant_id, owner, trace_id, span_id)
);
create index on portcullis.ingested_spans (at);

do $$
declare t text;
begin
  foreach t in array array['ingested_traces', 'ingested_spans'] loop
    execute format('alter table portcullis.%I enable row level security', t);
    execute format('alter table portcullis.%I force row level security', t);
    execute format('create policy tenant on portcullis.%I using (tenant_id = (select portcullis.tenant()))', t);
    execute format('create policy owner on portcullis.%I to portcullis_owner using (true)', t);
    execute format('grant select on portcullis.%I to portcullis_app, portcullis_reader', t);
    execute format('grant insert on portcullis.%I to portcullis_app', t);
  end loop;
end
$$;

create function portcullis.purge_ingested(p_older interval, p_at_most int) returns bigint
language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
  with spans as (
    delete from portcullis.ingested_spans s
     where s.ctid in (select o.ctid from portcullis.ingested_spans o where o.at < now() - p_older order by o.at limit p_at_most)
    returning 1),
  traces as (
    delete from portcullis.ingested_traces t
     where t.ctid in (select o.ctid from portcullis.ingested_traces o where o.at < now() - p_older order by o.at limit p_at_most)
    returning 1)
  select greatest((select count(*) from spans), (select count(*) from traces));
end;
revoke all on function portcullis.purge_ingested(interval, int) from public;
grant execute on function portcullis.purge_ingested(interval, int) to portcullis_app;
