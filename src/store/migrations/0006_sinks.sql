-- serves from 0001
-- Where each sink stands in each log (SPEC L9). Sinks read across tenants, so the app role reaches entries and cursors through the
-- functions below alone; none of them takes a tenant, and none shows more than the app role could see tenant by tenant.
create table audits.sink_cursors (
  sink text collate "C" not null check (sink ~ '^[a-z][a-z0-9-]{0,31}$'),
  log text collate "C" not null,
  -- The first entry that was kept when the sink was new: what is before it is not owed to it.
  begun_seq bigint not null default 0 check (begun_seq >= 0),
  -- Everything from there up to here has been acknowledged by the sink.
  next_seq bigint not null check (next_seq >= begun_seq),
  updated_at timestamptz not null default now(),
  primary key (sink, log)
) with (fillfactor = 50);

alter table audits.sink_cursors enable row level security;
alter table audits.sink_cursors force row level security;
create policy owner on audits.sink_cursors to portcullis_owner using (true) with check (true);
-- Retention asks whether a sink still needs what it is about to drop.
create policy read on audits.sink_cursors for select to portcullis_reader, portcullis_maintenance using (true);

create function audits.refuse_step_back() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'the cursor of sink "%" in log "%" moves forward only', old.sink, old.log using errcode = '42501',
    hint = 'To send a log again, give the sink another name: it begins at the first entry that is kept.';
end
$$;
create trigger sink_cursors_only_forward before update on audits.sink_cursors
  for each row when (new.next_seq < old.next_seq or new.begun_seq <> old.begun_seq or new.sink <> old.sink or new.log <> old.log)
  execute function audits.refuse_step_back();
alter table audits.sink_cursors enable always trigger sink_cursors_only_forward;

-- The logs that sinks have not had to their ends. first_seq is the first entry to send that is there; where it is beyond next_seq,
-- what is between is not kept any more. A sink that is new to a log has neither begun_seq nor next_seq.
create function audits.sinks_behind(p_sinks text[])
returns table (sink text, log text, begun_seq bigint, next_seq bigint, first_seq bigint, size bigint, waiting_seconds float8)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select s.sink, h.log, c.begun_seq, c.next_seq, first.seq, h.size,
         greatest(0, extract(epoch from clock_timestamp() - first.ts))::float8
    from unnest(p_sinks) as s (sink)
    cross join audits.heads h
    left join audits.sink_cursors c on c.sink = s.sink and c.log = h.log
    cross join lateral (
      select e.seq, e.ts from audits.entries e
       where e.log = h.log and e.seq >= coalesce(c.next_seq, 0) order by e.seq limit 1
    ) first
   where h.size > coalesce(c.next_seq, 0);
end;

-- Entries in order from p_from on: at least one where there is one, else no more than both bounds allow.
create function audits.entries_to_send(p_log text, p_from bigint, p_entries int, p_bytes bigint)
returns table (seq bigint, leaf bytea, entry bytea)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select m.seq, m.leaf, m.entry
    from (select e.seq, e.leaf, e.entry, row_number() over w as place, sum(length(e.entry)) over w as bytes
            from (select i.seq, i.leaf, i.entry from audits.entries i
                   where i.log = p_log and i.seq >= p_from order by i.seq limit p_entries) e
          window w as (order by e.seq)) m
   where m.place = 1 or m.bytes <= p_bytes
   order by m.seq;
end;

-- From now on a sink is owed the entries of these logs from p_firsts on: retention waits for it.
create function audits.begin_sink(p_sink text, p_logs text[], p_firsts bigint[]) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp
begin atomic
  insert into audits.sink_cursors (sink, log, begun_seq, next_seq)
  select p_sink, m.log, m.first_seq, m.first_seq from unnest(p_logs, p_firsts) as m (log, first_seq)
    join audits.heads h on h.log = m.log and m.first_seq <= h.size
  on conflict (sink, log) do nothing;
end;

-- A sink has acknowledged everything before p_next, which is not beyond the end of the log.
create function audits.advance_sink(p_sink text, p_log text, p_next bigint) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp
begin atomic
  update audits.sink_cursors c set next_seq = p_next, updated_at = now() from audits.heads h
   where c.sink = p_sink and c.log = p_log and c.next_seq < p_next and h.log = p_log and p_next <= h.size;
end;

revoke all on audits.sink_cursors from public;
revoke all on function audits.refuse_step_back(), audits.sinks_behind(text[]), audits.entries_to_send(text, bigint, int, bigint),
  audits.begin_sink(text, text[], bigint[]), audits.advance_sink(text, text, bigint) from public;
grant select on audits.sink_cursors to portcullis_reader, portcullis_maintenance;
grant execute on function audits.sinks_behind(text[]), audits.entries_to_send(text, bigint, int, bigint),
  audits.begin_sink(text, text[], bigint[]), audits.advance_sink(text, text, bigint) to portcullis_app;
