-- What attempts cost at which prices, by hour; and what providers charged beside it. No older binary may serve this schema: what it
-- records would be missing from the charges. docs/costs.md

-- Of the prices that the cost was made with; empty where it is what was reported.
alter table portcullis.prompt_attempts add column price_version text not null default '';

-- What a batch adds: appended, never updated, so that batches do not wait for each other.
create table portcullis.cost_deltas (
  tenant_id uuid not null,
  -- The hour (UTC) of the attempts' own time.
  hour timestamptz not null,
  agent_id uuid,
  workflow text not null,
  provider text not null,
  model text not null,
  -- One name for all names of a model.
  sku text not null,
  price_version text not null,
  -- USD for a million tokens of each class and for a request; empty where no price was known.
  unit_prices text not null,
  attempts numeric not null,
  input_tokens numeric not null,
  cached_read_tokens numeric not null,
  cache_write_tokens numeric not null,
  output_tokens numeric not null,
  reasoning_tokens numeric not null,
  cost_nano_usd numeric not null,
  reported_cost_nano_usd numeric not null
);
create index on portcullis.cost_deltas (tenant_id, sku, hour);

-- Never taken away with the attempts that it is about: what was charged is compared long after. Numeric: a sum that overflowed would
-- stop the charges of everybody.
create table portcullis.cost_hours (
  like portcullis.cost_deltas,
  -- Begins with the hour, as the ids of this product do, and goes on with a digest of what the row is about.
  id uuid not null,
  primary key (tenant_id, id)
) with (fillfactor = 70);
create index on portcullis.cost_hours (tenant_id, sku, hour);
create index on portcullis.cost_hours (tenant_id, hour);

-- What a provider said it charged for a day, and what that changes. Rows are only added: what was booked stays as it is.
create table portcullis.cost_corrections (
  tenant_id uuid not null,
  -- Begins with the day.
  id uuid not null,
  -- In the order of the imports.
  seq bigint not null generated always as identity,
  import_id uuid not null,
  source text not null,
  -- Of the line, so that the same one is taken once.
  digest bytea not null,
  day date not null,
  provider text not null,
  model text not null,
  sku text not null,
  provider_key text not null,
  known_nano_usd bigint not null,
  charged_nano_usd bigint not null,
  -- Charged, less known, less what was corrected before.
  correction_nano_usd bigint not null,
  drift_milli bigint not null,
  alert boolean not null,
  known_input_tokens bigint not null,
  known_cached_read_tokens bigint not null,
  known_cache_write_tokens bigint not null,
  known_output_tokens bigint not null,
  known_reasoning_tokens bigint not null,
  charged_input_tokens bigint not null,
  charged_cached_read_tokens bigint not null,
  charged_cache_write_tokens bigint not null,
  charged_output_tokens bigint not null,
  charged_reasoning_tokens bigint not null,
  requests bigint not null,
  imported_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, id),
  unique (tenant_id, digest)
);
create index on portcullis.cost_corrections (tenant_id, sku, day, provider_key);

-- Of those the newest for each day, model and key: what is listed. Its id begins with the day.
create table portcullis.cost_drift (
  like portcullis.cost_corrections including defaults,
  primary key (tenant_id, id)
);
alter table portcullis.cost_drift drop column seq, drop column digest;
create index on portcullis.cost_drift (tenant_id, provider, id);
create index on portcullis.cost_drift (tenant_id, id) where alert;

do $$
declare t text;
begin
  foreach t in array array['cost_deltas', 'cost_hours', 'cost_corrections', 'cost_drift'] loop
    execute format('alter table portcullis.%I enable row level security', t);
    execute format('alter table portcullis.%I force row level security', t);
    execute format('create policy tenant on portcullis.%I using (tenant_id = (select portcullis.tenant()))', t);
    execute format('create policy owner on portcullis.%I to portcullis_owner using (true)', t);
    execute format('grant select on portcullis.%I to portcullis_app, portcullis_reader', t);
  end loop;
end
$$;
grant insert on portcullis.cost_deltas, portcullis.cost_corrections, portcullis.cost_drift to portcullis_app;
grant update on portcullis.cost_drift to portcullis_app;

-- Adds the deltas to the hours, one replica at a time. What it has not folded yet is counted by an import all the same.
create function portcullis.fold_cost_deltas() returns void
language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
  with turn as (select pg_try_advisory_xact_lock(hashtext('portcullis fold cost deltas')) as mine),
  taken as (delete from portcullis.cost_deltas using turn where turn.mine returning cost_deltas.*),
  added as (
    select tenant_id, hour, agent_id, workflow, provider, model, sku, price_version, unit_prices, sum(attempts) as attempts,
           sum(input_tokens) as input_tokens, sum(cached_read_tokens) as cached_read_tokens, sum(cache_write_tokens) as cache_write_tokens,
           sum(output_tokens) as output_tokens, sum(reasoning_tokens) as reasoning_tokens, sum(cost_nano_usd) as cost_nano_usd,
           sum(reported_cost_nano_usd) as reported_cost_nano_usd
      from taken group by tenant_id, hour, agent_id, workflow, provider, model, sku, price_version, unit_prices),
  named as (
    select a.*, encode(sha256(convert_to(
             jsonb_build_array(agent_id, workflow, provider, model, sku, price_version, unit_prices)::text, 'UTF8')), 'hex') as digest
      from added a)
  insert into portcullis.cost_hours as t (tenant_id, hour, agent_id, workflow, provider, model, sku, price_version, unit_prices, attempts,
    input_tokens, cached_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nano_usd, reported_cost_nano_usd, id)
  select tenant_id, hour, agent_id, workflow, provider, model, sku, price_version, unit_prices, attempts, input_tokens, cached_read_tokens,
         cache_write_tokens, output_tokens, reasoning_tokens, cost_nano_usd, reported_cost_nano_usd,
         (lpad(to_hex((extract(epoch from hour) * 1000)::bigint), 12, '0') || '7' || left(digest, 3) || '8' || substr(digest, 4, 15))::uuid
    from named order by tenant_id, 18
  on conflict (tenant_id, id) do update set
    attempts = t.attempts + excluded.attempts, input_tokens = t.input_tokens + excluded.input_tokens,
    cached_read_tokens = t.cached_read_tokens + excluded.cached_read_tokens,
    cache_write_tokens = t.cache_write_tokens + excluded.cache_write_tokens, output_tokens = t.output_tokens + excluded.output_tokens,
    reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens, cost_nano_usd = t.cost_nano_usd + excluded.cost_nano_usd,
    reported_cost_nano_usd = t.reported_cost_nano_usd + excluded.reported_cost_nano_usd;
end;
revoke all on function portcullis.fold_cost_deltas() from public;
grant execute on function portcullis.fold_cost_deltas() to portcullis_app;

/*
 * Compares lines of a provider with what the hub knows, and writes the differences (SPEC H12). Imports of a tenant come one after the
 * other, so that the second of two sees what the first has corrected; the lock is a statement before the look. With the rights and
 * under the tenant of whoever calls.
 */
create function portcullis.import_usage(p_import uuid, p_source text, p_lines jsonb, p_alert_milli bigint, p_alert_nano_usd bigint)
returns jsonb language plpgsql
-- Whatever the planner believes about tables that have just begun to grow: what is joined is put together first, and once.
set enable_nestloop = off set jit = off set search_path = pg_catalog, pg_temp as $$
declare
  v_first timestamptz;
  v_last timestamptz;
  v_skus text[];
  v_providers text[];
  v_digests bytea[];
  found_lines jsonb;
  found_gaps jsonb;
begin
  perform pg_advisory_xact_lock(hashtext('portcullis cost import'), hashtext(portcullis.tenant()::text));
  select min(g.day)::timestamp at time zone 'UTC', (max(g.day) + 1)::timestamp at time zone 'UTC', array_agg(distinct g.sku),
         array_agg(distinct split_part(g.sku, '/', 1)), array_agg(decode(g.digest, 'hex'))
    into v_first, v_last, v_skus, v_providers, v_digests
    from jsonb_to_recordset(p_lines) as g(day date, sku text, digest text);

  with g as materialized (
    select * from jsonb_to_recordset(p_lines) as g(line int, id uuid, digest text, day date, provider text, model text, sku text,
      "providerKey" text, agents uuid[], others uuid[], "chargedNanoUsd" bigint, input bigint, "cachedRead" bigint, "cacheWrite" bigint,
      output bigint, reasoning bigint, requests bigint)),
  used as materialized (
    select sku, (hour at time zone 'UTC')::date as day, agent_id, sum(attempts) as attempts, sum(cost_nano_usd) as cost_nano_usd,
           sum(input_tokens) as input_tokens, sum(cached_read_tokens) as cached_read_tokens, sum(cache_write_tokens) as cache_write_tokens,
           sum(output_tokens) as output_tokens, sum(reasoning_tokens) as reasoning_tokens
      from (
        select sku, hour, agent_id, attempts, cost_nano_usd, input_tokens, cached_read_tokens, cache_write_tokens, output_tokens,
               reasoning_tokens
          from portcullis.cost_hours
         where tenant_id = (select portcullis.tenant()) and sku = any (v_skus) and hour >= v_first and hour < v_last
        union all
        select sku, hour, agent_id, attempts, cost_nano_usd, input_tokens, cached_read_tokens, cache_write_tokens, output_tokens,
               reasoning_tokens
          from portcullis.cost_deltas
         where tenant_id = (select portcullis.tenant()) and sku = any (v_skus) and hour >= v_first and hour < v_last) h
     group by 1, 2, 3),
  known as materialized (
    select g.line, sum(attempts) as k_attempts, least(sum(cost_nano_usd), 4e18)::bigint as k_cost,
           least(sum(input_tokens), 4e18)::bigint as k_input, least(sum(cached_read_tokens), 4e18)::bigint as k_cached_read,
           least(sum(cache_write_tokens), 4e18)::bigint as k_cache_write, least(sum(output_tokens), 4e18)::bigint as k_output,
           least(sum(reasoning_tokens), 4e18)::bigint as k_reasoning
      from g join used u on u.sku = g.sku and u.day = g.day
     where (g.agents is null or u.agent_id = any (g.agents))
       and (g.others is null or u.agent_id is null or u.agent_id <> all (g.others))
     group by g.line),
  before as materialized (
    select sku, day, provider_key, sum(correction_nano_usd)::bigint as corrected from portcullis.cost_corrections
     where tenant_id = (select portcullis.tenant()) and sku = any (v_skus)
       and day >= (v_first at time zone 'UTC')::date and day < (v_last at time zone 'UTC')::date
     group by 1, 2, 3),
  taken as materialized (
    select digest from portcullis.cost_corrections where tenant_id = (select portcullis.tenant()) and digest = any (v_digests)),
  compared as materialized (
    select g.*, coalesce(k_attempts, 0) as k_attempts, coalesce(k_cost, 0) as k_cost, coalesce(k_input, 0) as k_input,
           coalesce(k_cached_read, 0) as k_cached_read, coalesce(k_cache_write, 0) as k_cache_write, coalesce(k_output, 0) as k_output,
           coalesce(k_reasoning, 0) as k_reasoning, coalesce(b.corrected, 0) as corrected, t.digest is not null as duplicate
      from g
      left join known k on k.line = g.line
      left join before b on b.sku = g.sku and b.day = g.day and b.provider_key = g."providerKey"
      left join taken t on t.digest = decode(g.digest, 'hex')),
  judged as materialized (
    select c.*, "chargedNanoUsd" - k_cost as drift, "chargedNanoUsd" - k_cost - corrected as correction,
           case when "chargedNanoUsd" = k_cost then 0
                when k_cost = 0 then 1000000000
                else least(trunc(abs("chargedNanoUsd" - k_cost)::numeric * 1000 / k_cost), 1000000000)::bigint end as milli
      from compared c),
  alerted as materialized (
    select j.*, abs(drift) > p_alert_nano_usd and milli > p_alert_milli as alert from judged j),
  written as (
    insert into portcullis.cost_corrections (tenant_id, id, import_id, source, digest, day, provider, model, sku, provider_key,
      known_nano_usd, charged_nano_usd, correction_nano_usd, drift_milli, alert, known_input_tokens, known_cached_read_tokens,
      known_cache_write_tokens, known_output_tokens, known_reasoning_tokens, charged_input_tokens, charged_cached_read_tokens,
      charged_cache_write_tokens, charged_output_tokens, charged_reasoning_tokens, requests)
    select (select portcullis.tenant()), id, p_import, p_source, decode(digest, 'hex'), day, provider, model, sku, "providerKey",
           k_cost, "chargedNanoUsd", correction, milli, alert, k_input, k_cached_read, k_cache_write, k_output, k_reasoning,
           input, "cachedRead", "cacheWrite", output, reasoning, requests
      from alerted where not duplicate order by sku, day, "providerKey"),
  listed as (
    insert into portcullis.cost_drift as d (tenant_id, id, import_id, source, day, provider, model, sku, provider_key, known_nano_usd,
      charged_nano_usd, correction_nano_usd, drift_milli, alert, known_input_tokens, known_cached_read_tokens, known_cache_write_tokens,
      known_output_tokens, known_reasoning_tokens, charged_input_tokens, charged_cached_read_tokens, charged_cache_write_tokens,
      charged_output_tokens, charged_reasoning_tokens, requests)
    select (select portcullis.tenant()),
           (lpad(to_hex((extract(epoch from day::timestamp at time zone 'UTC') * 1000)::bigint), 12, '0')
             || '7' || left(about, 3) || '8' || substr(about, 4, 15))::uuid,
           p_import, p_source, day, provider, model, sku, "providerKey", k_cost, "chargedNanoUsd", correction, milli, alert,
           k_input, k_cached_read, k_cache_write, k_output, k_reasoning, input, "cachedRead", "cacheWrite", output, reasoning, requests
      from alerted cross join lateral (
        select encode(sha256(convert_to(jsonb_build_array(sku, "providerKey")::text, 'UTF8')), 'hex') as about) a
     where not duplicate order by 2
    on conflict (tenant_id, id) do update set
      import_id = excluded.import_id, source = excluded.source, provider = excluded.provider, model = excluded.model,
      known_nano_usd = excluded.known_nano_usd, charged_nano_usd = excluded.charged_nano_usd,
      correction_nano_usd = excluded.correction_nano_usd, drift_milli = excluded.drift_milli, alert = excluded.alert,
      known_input_tokens = excluded.known_input_tokens, known_cached_read_tokens = excluded.known_cached_read_tokens,
      known_cache_write_tokens = excluded.known_cache_write_tokens, known_output_tokens = excluded.known_output_tokens,
      known_reasoning_tokens = excluded.known_reasoning_tokens, charged_input_tokens = excluded.charged_input_tokens,
      charged_cached_read_tokens = excluded.charged_cached_read_tokens,
      charged_cache_write_tokens = excluded.charged_cache_write_tokens, charged_output_tokens = excluded.charged_output_tokens,
      charged_reasoning_tokens = excluded.charged_reasoning_tokens, requests = excluded.requests, imported_at = excluded.imported_at)
  select coalesce(jsonb_agg(jsonb_build_object('line', line, 'duplicate', duplicate, 'unknown', k_attempts = 0, 'knownNanoUsd', k_cost::text,
           'correctionNanoUsd', case when duplicate then '0' else correction::text end, 'driftMilli', milli::text, 'alert', alert)
           order by line), '[]')
    into found_lines from alerted;

  -- What the hub knows of, of these providers and between these days, and no line has ever named.
  with g as materialized (
    select distinct day, sku from jsonb_to_recordset(p_lines) as g(day date, sku text)),
  used as materialized (
    select distinct (h.hour at time zone 'UTC')::date as day, h.sku from portcullis.cost_hours h
     where h.tenant_id = (select portcullis.tenant()) and h.hour >= v_first and h.hour < v_last
       and split_part(h.sku, '/', 1) = any (v_providers))
  select coalesce(jsonb_agg(gap order by gap), '[]') into found_gaps from (
    select to_char(u.day, 'YYYY-MM-DD') || ' ' || u.sku as gap from used u
     where not exists (select from g where g.day = u.day and g.sku = u.sku)
       and not exists (select from portcullis.cost_corrections c
                        where c.tenant_id = (select portcullis.tenant()) and c.sku = u.sku and c.day = u.day)
     order by 1 limit 200) x;
  return jsonb_build_object('lines', found_lines, 'gaps', found_gaps);
end
$$;
revoke all on function portcullis.import_usage(uuid, text, jsonb, bigint, bigint) from public;
grant execute on function portcullis.import_usage(uuid, text, jsonb, bigint, bigint) to portcullis_app;
