-- Telemetry by day (SPEC H7): attempts, events and benchmarks in partitions by range of their ids, roll-ups by hour and day, retention
-- by dropping partitions. No older binary may serve this schema: it would not fold what is counted here. docs/telemetry-storage.md

-- Ids are UUIDv7: they begin with their milliseconds, so that a day is a range of ids. The least of a time, and the time of an id.
create function portcullis.least_id(p_at timestamptz) returns uuid
language sql stable parallel safe
return (lpad(to_hex(floor(extract(epoch from p_at) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid;
create function portcullis.time_of(p_id uuid) returns timestamptz
language sql immutable parallel safe
return to_timestamp(('x' || left(replace(p_id::text, '-', ''), 12))::bit(48)::bigint / 1000.0);

-- Latencies in buckets that grow by a tenth: what is read from one is within 5 % of what was measured. Bucket 0 is 0 ms, bucket n
-- goes from 1.1^(n-1) to 1.1^n ms, and 200 has everything from two days up.
create function portcullis.latency_bucket(p_ms bigint) returns smallint
language sql immutable parallel safe
return case when p_ms <= 0 then 0 else least(200, 1 + floor(ln(p_ms::float8) / 0.09531017980432493))::smallint end;
create function portcullis.latency_of(p_bucket int) returns float8
language sql immutable parallel safe
return case when p_bucket <= 0 then 0 else power(1.1::float8, p_bucket - 1) * 2.2 / 2.1 end;

-- Of how many attempts each bucket has, the first element for bucket 0: the latency in ms that a share of them does not exceed
-- (0.5, 0.95), by nearest rank. Null of none.
create function portcullis.latency_quantile(p_histogram bigint[], p_share float8) returns float8
language sql immutable parallel safe
return (
  select portcullis.latency_of(r.bucket::int - 1)
    from (select u.bucket, sum(u.n) over (order by u.bucket) as upto, sum(u.n) over () as total
            from unnest(p_histogram) with ordinality as u(n, bucket)) r
   where r.total > 0 and r.upto >= greatest(1, ceil(p_share * r.total)) order by r.bucket limit 1);

create function portcullis.add_histograms(p_sum bigint[], p_more bigint[]) returns bigint[]
language sql immutable parallel safe
return array(select coalesce(u.a, 0) + coalesce(u.b, 0) from unnest(p_sum, p_more) with ordinality as u(a, b, at) order by u.at);
create aggregate portcullis.sum_histograms(bigint[]) (sfunc = portcullis.add_histograms, stype = bigint[], initcond = '{}');

-- Buckets and their counts as one dense array.
create function portcullis.histogram(p_buckets smallint[], p_counts bigint[]) returns bigint[]
language sql immutable parallel safe
return array(
  select coalesce(u.n, 0) from generate_series(0, (select max(b) from unnest(p_buckets) b)) as at
    left join unnest(p_buckets, p_counts) as u(bucket, n) on u.bucket = at order by at);

-- What a batch adds: appended in the transaction that records the attempts, so that each is counted exactly once, whenever it
-- commits and whatever crashes; never updated, so that batches do not wait for each other.
create table portcullis.telemetry_deltas (
  tenant_id uuid not null,
  -- The hour (UTC) of the attempts' own time.
  bucket timestamptz not null,
  workflow text not null,
  prompt_version text not null,
  provider text not null,
  model text not null,
  agent_id uuid,
  attempts bigint not null,
  successes bigint not null,
  failures bigint not null,
  retries bigint not null,
  input_tokens numeric not null,
  cached_read_tokens numeric not null,
  cache_write_tokens numeric not null,
  output_tokens numeric not null,
  reasoning_tokens numeric not null,
  cost_nano_usd numeric not null,
  latency_ms numeric not null,
  -- The bucket of each attempt.
  latencies smallint[] not null
);

-- Numeric: a sum that overflowed would stop the roll-ups of everybody.
create table portcullis.telemetry_rollups_hour (
  tenant_id uuid not null,
  -- Its beginning (UTC).
  bucket timestamptz not null,
  -- What stands for workflow to agent in the key: texts are too long for one.
  series uuid not null,
  workflow text not null,
  prompt_version text not null,
  provider text not null,
  model text not null,
  -- Null where the run had none.
  agent_id uuid,
  attempts bigint not null,
  successes bigint not null,
  failures bigint not null,
  -- Attempts that were not the first of their run.
  retries bigint not null,
  input_tokens numeric not null,
  cached_read_tokens numeric not null,
  cache_write_tokens numeric not null,
  output_tokens numeric not null,
  reasoning_tokens numeric not null,
  cost_nano_usd numeric not null,
  -- The sum, and how many attempts each latency bucket has: latency_quantile(sum_histograms(latency_histogram), 0.95).
  latency_ms numeric not null,
  latency_histogram bigint[] not null,
  primary key (tenant_id, bucket, series)
) partition by range (bucket);
create index on portcullis.telemetry_rollups_hour (tenant_id, workflow, bucket);

create table portcullis.telemetry_rollups_day (
  like portcullis.telemetry_rollups_hour,
  primary key (tenant_id, bucket, series)
) with (fillfactor = 70);
create index on portcullis.telemetry_rollups_day (tenant_id, workflow, bucket);

-- What stands in the bound of a partition: an id, a time, or MINVALUE.
create function portcullis.bound_of(p_text text) returns timestamptz
language sql stable parallel safe
return case when p_text = 'MINVALUE' then null
            when p_text ~ '^[0-9a-f]{8}-[0-9a-f-]{27}$' then portcullis.time_of(p_text::uuid)
            else p_text::timestamptz end;

-- The partitions of one table, oldest first; `since` is null for the one that has all there was before the first bound.
create function portcullis.telemetry_partitions(p_table text)
returns table (name text, since timestamptz, until timestamptz, bytes bigint, rows_about bigint)
language sql stable set search_path = pg_catalog, pg_temp
begin atomic
  select c.relname::text, portcullis.bound_of(b.ends[1]), portcullis.bound_of(b.ends[2]),
         pg_total_relation_size(c.oid), greatest(c.reltuples, 0)::bigint
    from pg_inherits i
    join pg_class c on c.oid = i.inhrelid
    cross join lateral (
      select regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''?(.*?)''?\) TO \(''(.*?)''\)') as ends) b
   where i.inhparent = to_regclass('portcullis.' || quote_ident(p_table)) order by 3;
end;

-- Row-level security is not inherited. No policy and no grant: nobody reads a partition past its table.
create function portcullis.protect_partition(p_name text) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
begin
  execute format('alter table portcullis.%I enable row level security', p_name);
  execute format('alter table portcullis.%I force row level security', p_name);
end
$$;

/*
 * Makes one partition; the same call again is fine. The table is made first and then attached: attaching lets inserts go on, where
 * `create table ... partition of` would wait for all of them, and they for it. The lock is one of the table, that whoever waited for
 * it sees what was made meanwhile.
 */
create function portcullis.make_telemetry_partition(p_table text, p_name text, p_from timestamptz, p_to timestamptz) returns boolean
language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
declare
  by_id constant boolean := p_table <> 'telemetry_rollups_hour';
begin
  execute format('lock table only portcullis.%I in share update exclusive mode', p_table);
  -- Also where the partition of all that was before reaches into it.
  if exists (select from portcullis.telemetry_partitions(p_table) p
              where p.name = p_name or (coalesce(p.since, '-infinity') < p_to and p.until > p_from)) then
    return false;
  end if;
  execute format('create table portcullis.%I (like portcullis.%I including defaults including constraints including storage)',
                 p_name, p_table);
  execute format('alter table portcullis.%I attach partition portcullis.%I for values from (%L) to (%L)', p_table, p_name,
                 case when by_id then portcullis.least_id(p_from)::text else p_from::text end,
                 case when by_id then portcullis.least_id(p_to)::text else p_to::text end);
  perform portcullis.protect_partition(p_name);
  return true;
end
$$;

/*
 * Makes the partitions of today and of some days ahead, and of the roll-ups for the months that these are in. Called at start, by
 * housekeeping, and by whoever finds one missing.
 */
create function portcullis.make_telemetry_partitions(p_days_ahead int) returns int
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  made int := 0;
  one record;
begin
  if p_days_ahead is null or p_days_ahead not between 0 and 31 then
    raise exception 'partitions of telemetry are made for 0 to 31 days ahead, not %', p_days_ahead using errcode = 'PT001',
      hint = 'Ask for 7.';
  end if;
  for one in
    with days as (
      select date_trunc('day', now(), 'UTC') + make_interval(hours => 24 * d) as day from generate_series(0, p_days_ahead) d),
    wanted as (
      select t.name as parent, t.name || to_char(d.day at time zone 'UTC', '_YYYYMMDD') as name, d.day as "from",
             d.day + interval '24 hours' as "to"
        from days d, (values ('prompt_attempts'), ('run_events'), ('benchmarks')) as t(name)
      union
      select 'telemetry_rollups_hour', 'telemetry_rollups_hour' || to_char(m.first at time zone 'UTC', '_YYYYMM'), m.first,
             date_trunc('month', m.first + interval '32 days', 'UTC')
        -- Attempts may be of a time some minutes ahead of the clock here.
        from (select day from days union select max(day) + interval '24 hours' from days) d
        cross join lateral (select date_trunc('month', d.day, 'UTC') as first) m)
    select w.* from wanted w where to_regclass(format('portcullis.%I', w.name)) is null
       and not exists (select from portcullis.telemetry_partitions(w.parent) p where coalesce(p.since, '-infinity') < w."to" and p.until > w."from")
     order by w.parent, w."from"
  loop
    if portcullis.make_telemetry_partition(one.parent, one.name, one."from", one."to") then
      made := made + 1;
    end if;
  end loop;
  return made;
end
$$;

/*
 * Adds the deltas to the roll-ups, one replica at a time and so many at most; answers how many there were. They are taken away and
 * added in one transaction. Hours that retention has taken are counted in their day only.
 */
create function portcullis.fold_telemetry(p_at_most int) returns int
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  taken int;
  oldest timestamptz;
begin
  if not exists (select from portcullis.telemetry_deltas) or not pg_try_advisory_xact_lock(hashtext('portcullis fold telemetry')) then
    return 0;
  end if;
  oldest := (select min(coalesce(p.since, '-infinity')) from portcullis.telemetry_partitions('telemetry_rollups_hour') p);
  with gone as (
    delete from portcullis.telemetry_deltas d
     where d.ctid = any (array(select o.ctid from portcullis.telemetry_deltas o limit p_at_most)) returning d.*),
  spread as materialized (
    select s.span, s.start, g.*,
           substr(encode(sha256(convert_to(json_build_array(g.workflow, g.prompt_version, g.provider, g.model, g.agent_id)::text, 'UTF8')),
                         'hex'), 1, 32)::uuid as series
      from gone g
      cross join lateral (values ('hour', g.bucket), ('day', date_trunc('day', g.bucket, 'UTC'))) as s(span, start)
     where s.span = 'day' or s.start >= oldest),
  counted as (
    select c.span, c.tenant_id, c.start, c.series, portcullis.histogram(array_agg(c.latency), array_agg(c.n)) as histogram
      from (select s.span, s.tenant_id, s.start, s.series, l.latency, count(*) as n
              from spread s cross join lateral unnest(s.latencies) as l(latency) group by 1, 2, 3, 4, 5) c
     group by 1, 2, 3, 4),
  summed as materialized (
    select span, tenant_id, start, series, min(workflow) as workflow, min(prompt_version) as prompt_version, min(provider) as provider,
           min(model) as model, min(agent_id::text)::uuid as agent_id, sum(attempts) as attempts, sum(successes) as successes,
           sum(failures) as failures, sum(retries) as retries, sum(input_tokens) as input_tokens,
           sum(cached_read_tokens) as cached_read_tokens, sum(cache_write_tokens) as cache_write_tokens,
           sum(output_tokens) as output_tokens, sum(reasoning_tokens) as reasoning_tokens, sum(cost_nano_usd) as cost_nano_usd,
           sum(latency_ms) as latency_ms
      from spread group by 1, 2, 3, 4),
  added as materialized (
    select s.*, c.histogram from summed s join counted c using (span, tenant_id, start, series)),
  hours as (
    insert into portcullis.telemetry_rollups_hour as t (tenant_id, bucket, series, workflow, prompt_version, provider, model, agent_id,
      attempts, successes, failures, retries, input_tokens, cached_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
      cost_nano_usd, latency_ms, latency_histogram)
    select tenant_id, start, series, workflow, prompt_version, provider, model, agent_id, attempts, successes, failures, retries,
           input_tokens, cached_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nano_usd, latency_ms, histogram
      from added where span = 'hour' order by 1, 2, 3
    on conflict (tenant_id, bucket, series) do update set
      attempts = t.attempts + excluded.attempts, successes = t.successes + excluded.successes, failures = t.failures + excluded.failures,
      retries = t.retries + excluded.retries, input_tokens = t.input_tokens + excluded.input_tokens,
      cached_read_tokens = t.cached_read_tokens + excluded.cached_read_tokens,
      cache_write_tokens = t.cache_write_tokens + excluded.cache_write_tokens, output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens, cost_nano_usd = t.cost_nano_usd + excluded.cost_nano_usd,
      latency_ms = t.latency_ms + excluded.latency_ms,
      latency_histogram = portcullis.add_histograms(t.latency_histogram, excluded.latency_histogram)),
  days as (
    insert into portcullis.telemetry_rollups_day as t (tenant_id, bucket, series, workflow, prompt_version, provider, model, agent_id,
      attempts, successes, failures, retries, input_tokens, cached_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
      cost_nano_usd, latency_ms, latency_histogram)
    select tenant_id, start, series, workflow, prompt_version, provider, model, agent_id, attempts, successes, failures, retries,
           input_tokens, cached_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nano_usd, latency_ms, histogram
      from added where span = 'day' order by 1, 2, 3
    on conflict (tenant_id, bucket, series) do update set
      attempts = t.attempts + excluded.attempts, successes = t.successes + excluded.successes, failures = t.failures + excluded.failures,
      retries = t.retries + excluded.retries, input_tokens = t.input_tokens + excluded.input_tokens,
      cached_read_tokens = t.cached_read_tokens + excluded.cached_read_tokens,
      cache_write_tokens = t.cache_write_tokens + excluded.cache_write_tokens, output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens, cost_nano_usd = t.cost_nano_usd + excluded.cost_nano_usd,
      latency_ms = t.latency_ms + excluded.latency_ms,
      latency_histogram = portcullis.add_histograms(t.latency_histogram, excluded.latency_histogram))
  select count(*) into taken from gone;
  return taken;
end
$$;

/*
 * Drops one partition whose every row is older than a time, and says so in the ledger, in one transaction. Answers false where another
 * process has dropped it, or is about to. Nothing is deleted row by row, and no row is read. Errors: PT002 the time is not a day in the
 * past, the partition ends after it, or the entry says something else; 55P03 its table is in use: try again.
 */
create function portcullis.drop_telemetry_partition(p_table text, p_name text, p_before timestamptz, p_by text, p_body text)
returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  one record;
  said constant jsonb := p_body::jsonb;
begin
  if not coalesce(p_table = any (array['prompt_attempts', 'run_events', 'benchmarks', 'telemetry_rollups_hour']), false) then
    raise exception 'telemetry has no partitions of "%"', p_table using errcode = 'PT002',
      hint = 'There are those of prompt_attempts, run_events, benchmarks and telemetry_rollups_hour.';
  end if;
  if p_before is null or p_before > now() - interval '24 hours' then
    raise exception 'telemetry is kept for a day at least, not until %', p_before using errcode = 'PT002',
      hint = 'Name a time that is at least 24 hours ago.';
  end if;
  if not pg_try_advisory_xact_lock(hashtext('portcullis telemetry retention')) then
    return false;
  end if;
  select p.* into one from portcullis.telemetry_partitions(p_table) p where p.name = p_name;
  if one.name is null then
    return false;
  end if;
  if one.until > p_before then
    raise exception 'the partition % has rows until %', p_name, one.until using errcode = 'PT002', hint = 'Drop those that end before.';
  end if;
  -- The caller writes the entry, and it says what happens here or nothing does.
  if (said ->> 'kind', said ->> 'outcome', said ->> 'access', said -> 'caller', said -> 'args' ->> 'table', said -> 'args' ->> 'partition',
      (said -> 'args' ->> 'until')::timestamptz)
     is distinct from ('telemetry.retention', 'allow', 'system', null::jsonb, p_table, p_name, one.until) then
    raise exception 'the entry does not say that the partition % is dropped', p_name using errcode = 'PT002',
      hint = 'Name its table, its partition and where that ends.';
  end if;
  -- Whoever waits for this lock holds up what comes after: rather give up and try again. Before the head of the log, as batches have it.
  perform set_config('lock_timeout', '250ms', true);
  execute format('lock table only portcullis.%I in access exclusive mode', p_table);
  execute format('drop table portcullis.%I', p_name);
  perform audits.append('system', '', '', p_by, 'telemetry.retention', 'allow', '', '', p_body);
  return true;
end
$$;

-- What was one table becomes the partition of all there is until the end of tomorrow: its rows stay where they are. Columns, indexes
-- and grants are taken from it as they are.
do $$
declare
  edge constant timestamptz := date_trunc('day', now(), 'UTC') + interval '48 hours';
  parent text;
  old text;
  index record;
  acl record;
begin
  foreach parent in array array['prompt_attempts', 'run_events', 'benchmarks'] loop
    old := parent || '_first';
    -- Whatever knows the table by its oid would follow the partition.
    if exists (select from pg_depend d where d.refclassid = 'pg_class'::regclass and d.refobjid = ('portcullis.' || parent)::regclass
                                         and d.classid in ('pg_proc'::regclass, 'pg_rewrite'::regclass, 'pg_trigger'::regclass)) then
      raise exception 'something depends on portcullis.%: it must be made after its partitions', parent;
    end if;
    execute format('alter table portcullis.%I rename to %I', parent, old);
    for index in select i.indexrelid::regclass::text as name, c.relname from pg_index i join pg_class c on c.oid = i.indexrelid
                  where i.indrelid = ('portcullis.' || old)::regclass loop
      execute format('alter index %s rename to %I', index.name, left(replace(index.relname, parent, old), 63));
    end loop;
    execute format('create table portcullis.%I (like portcullis.%I including all) partition by range (id)', parent, old);
    -- The callers' own time follows the ids roughly, which is all that ranges of blocks need.
    execute format('create index on portcullis.%I using brin (created_at) with (autosummarize = on)', parent);
    for acl in select a.grantee::regrole::text as grantee, a.privilege_type from pg_class c, aclexplode(c.relacl) a
                where c.oid = ('portcullis.' || old)::regclass and a.grantee <> c.relowner loop
      execute format('grant %s on portcullis.%I to %s', acl.privilege_type, parent, acl.grantee);
      execute format('revoke %s on portcullis.%I from %s', acl.privilege_type, old, acl.grantee);
    end loop;
    execute format('drop policy tenant on portcullis.%I', old);
    execute format('drop policy owner on portcullis.%I', old);
    execute format('alter table portcullis.%I attach partition portcullis.%I for values from (minvalue) to (%L)', parent, old,
                   portcullis.least_id(edge));
  end loop;

  execute format('create table portcullis.telemetry_rollups_hour_first partition of portcullis.telemetry_rollups_hour
    for values from (minvalue) to (%L) with (fillfactor = 70)', date_trunc('month', edge, 'UTC'));
  perform portcullis.protect_partition('telemetry_rollups_hour_first');

  foreach parent in array array['prompt_attempts', 'run_events', 'benchmarks', 'telemetry_deltas', 'telemetry_rollups_hour',
                                'telemetry_rollups_day'] loop
    execute format('alter table portcullis.%I enable row level security', parent);
    execute format('alter table portcullis.%I force row level security', parent);
    execute format('create policy tenant on portcullis.%I using (tenant_id = (select portcullis.tenant()))', parent);
    execute format('create policy owner on portcullis.%I to portcullis_owner using (true)', parent);
  end loop;
end
$$;
grant select on portcullis.telemetry_rollups_hour, portcullis.telemetry_rollups_day to portcullis_app, portcullis_reader;
grant insert on portcullis.telemetry_deltas to portcullis_app;

-- What was recorded before is counted once, here.
insert into portcullis.telemetry_deltas
  select a.tenant_id, date_trunc('hour', a.created_at, 'UTC'), a.workflow, a.prompt_version, a.provider, a.model, a.agent_id,
         count(*), count(*) filter (where a.outcome = 1), count(*) filter (where a.outcome = 2), count(*) filter (where a.attempt_number > 1),
         sum(a.input_tokens), sum(a.cached_read_tokens), sum(a.cache_write_tokens), sum(a.output_tokens), sum(a.reasoning_tokens),
         sum(a.cost_nano_usd), sum(a.latency_ms), array_agg(portcullis.latency_bucket(a.latency_ms))
    from portcullis.prompt_attempts a group by 1, 2, 3, 4, 5, 6, 7;
select portcullis.make_telemetry_partitions(1);
do $$
begin
  while portcullis.fold_telemetry(10000) > 0 loop
  end loop;
end
$$;

revoke all on function portcullis.least_id(timestamptz), portcullis.bound_of(text), portcullis.protect_partition(text),
  portcullis.make_telemetry_partition(text, text, timestamptz, timestamptz), portcullis.make_telemetry_partitions(int),
  portcullis.fold_telemetry(int), portcullis.telemetry_partitions(text),
  portcullis.drop_telemetry_partition(text, text, timestamptz, text, text) from public;
grant execute on function portcullis.telemetry_partitions(text), portcullis.bound_of(text), portcullis.make_telemetry_partitions(int),
  portcullis.fold_telemetry(int), portcullis.drop_telemetry_partition(text, text, timestamptz, text, text) to portcullis_app;
