-- The ledger (SPEC L1, L4, L6): one Merkle log per tenant and retention class; audits.append is the only way in.
-- Runs as portcullis_owner in one transaction. docs/ledger.md describes the bytes, src/ledger verifies them.

-- A check is parsed again for each statement that changes a row, and appending changes one for each call: what only create_log
-- and append write, they check.
create table audits.heads (
  log text collate "C" primary key,
  tenant_id uuid references portcullis.tenants (id),
  -- A class of audits.classes; `<tenant>` is the log of the class default, `<tenant>/<class>` that of another one.
  retention_class text collate "C" not null default 'default',
  size bigint not null default 0,
  -- RFC 6962 compact range: the roots of the perfect subtrees, largest first, 32 bytes for each one bit of size.
  frontier bytea not null default '' check (length(frontier) = 32 * bit_count(int8send(size))),
  last_hash bytea not null default decode(repeat('00', 32), 'hex'),
  last_ts timestamptz not null default '-infinity',
  -- The first seq that retention has left here; everything below it was archived and pruned (SPEC L12).
  min_index bigint not null default 0,
  unique (tenant_id, retention_class)
);

-- Where the entries of a log go from now on, once its tenant was put into a retention class of its own.
create table audits.routes (
  log text collate "C" primary key references audits.heads,
  target text collate "C" not null references audits.heads
);

-- entry is the truth; every other column is a copy for queries. No foreign key to heads: it would cost a look-up for
-- each row, and append has locked the head already.
-- Partitions: by retention class, then by month of ts, so that retention takes away whole months of a class and nothing else.
-- A primary key here would have to hold both partition keys, and then would not say that (log, seq) is unique. So each month has
-- a unique index (log, seq) of its own, which is smaller, too. Between months it is append that guarantees it: whoever holds the
-- lock on a head is the only one to take its next seq, and takes it once; heads_only_grow lets no size come back.
create table audits.entries (
  log text collate "C" not null,
  seq bigint not null check (seq >= 0),
  ts timestamptz not null,
  tenant_id uuid,
  caller text collate "C",
  actor text,
  action text,
  outcome text collate "C" not null check (outcome in ('allow', 'deny', 'error')),
  code text collate "C",
  request_id text collate "C",
  leaf bytea not null check (length(leaf) = 32),
  entry bytea not null check (length(entry) <= 61440),
  retention_class text collate "C" not null
) partition by list (retention_class);

-- Ascending on purpose: rows arrive in this order, so pages fill from the right; lists read the index backwards. Ids are
-- compared as bytes, and hardly any two rows of an index are equal, so looking for duplicates is off.
-- Times of a log only grow, so a block range index finds them at next to no cost per entry.
create index entries_by_ts on audits.entries using brin (ts);
create index entries_by_caller on audits.entries (log, caller, seq) with (deduplicate_items = off);
create index entries_by_request on audits.entries (log, request_id) with (deduplicate_items = off)
  where request_id is not null;
create index entries_by_code on audits.entries (log, code, seq) where code is not null;
create index entries_by_outcome on audits.entries (log, outcome, seq) where outcome <> 'allow';

-- Append-only, also for the owner and for superusers. ENABLE ALWAYS holds under session_replication_role = replica.
-- Statement triggers refuse what matches no row too; row triggers are what logical replication fires.
create function audits.refuse_change() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'the ledger is append-only: % on audits.% is refused', tg_op, tg_table_name
    using errcode = '42501', hint = 'Record a correction as a new entry. Retention prunes by policy, never row by row.';
end
$$;

-- A head grows by entries, or its beginning moves up after a prune; nothing else about it changes. Not as the condition of a
-- trigger: that would be parsed again for each statement.
create function audits.refuse_step_aside() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
  if (new.size > old.size and new.min_index between old.min_index and new.size and length(new.last_hash) = 32
      or new.size = old.size and new.min_index > old.min_index and new.min_index <= new.size
         and new.frontier = old.frontier and new.last_hash = old.last_hash and new.last_ts = old.last_ts)
     and new.log = old.log and new.retention_class = old.retention_class and new.tenant_id is not distinct from old.tenant_id then
    return new;
  end if;
  raise exception 'the ledger is append-only: % on audits.% is refused', tg_op, tg_table_name
    using errcode = '42501', hint = 'A head grows with the entries that append writes.';
end
$$;

create trigger entries_refuse_statement before update or delete or truncate on audits.entries
  for each statement execute function audits.refuse_change();
create trigger entries_refuse_row before update or delete on audits.entries
  for each row execute function audits.refuse_change();
create trigger heads_refuse_statement before delete or truncate on audits.heads
  for each statement execute function audits.refuse_change();
create trigger heads_refuse_row before delete on audits.heads
  for each row execute function audits.refuse_change();
create trigger heads_only_grow before update on audits.heads
  for each row execute function audits.refuse_step_aside();
create trigger routes_refuse_statement before delete or truncate on audits.routes
  for each statement execute function audits.refuse_change();
create trigger routes_refuse_row before delete on audits.routes
  for each row execute function audits.refuse_change();
alter table audits.entries enable always trigger entries_refuse_statement;
alter table audits.entries enable always trigger entries_refuse_row;
alter table audits.heads enable always trigger heads_refuse_statement;
alter table audits.heads enable always trigger heads_refuse_row;
alter table audits.heads enable always trigger heads_only_grow;
alter table audits.routes enable always trigger routes_refuse_statement;
alter table audits.routes enable always trigger routes_refuse_row;

-- The owner policies are for append and create_log, which run as the owner; readers see one tenant, or the platform's.
alter table audits.heads enable row level security;
alter table audits.heads force row level security;
alter table audits.entries enable row level security;
alter table audits.entries force row level security;
create policy heads_owner on audits.heads to portcullis_owner using (true) with check (true);
create policy entries_owner on audits.entries to portcullis_owner using (true) with check (true);
create policy heads_read on audits.heads for select to portcullis_app, portcullis_reader using (
  tenant_id = (select portcullis.tenant()) or (tenant_id is null and (select portcullis.platform()))
);
create policy entries_read on audits.entries for select to portcullis_app, portcullis_reader using (
  tenant_id = (select portcullis.tenant()) or (tenant_id is null and (select portcullis.platform()))
);
-- Retention archives every log. It reads; what it may do besides is in functions that check.
create policy heads_maintenance on audits.heads for select to portcullis_maintenance using (true);
create policy entries_maintenance on audits.entries for select to portcullis_maintenance using (true);

-- The retention classes, each with a partition of its own that has one partition for each month.
create function audits.classes() returns text[] language sql immutable parallel safe
  return array['default', 'hipaa', 'pci', 'soc2', 'custom'];

-- Triggers for statements are not inherited, and row-level security is not either. No policy: nobody reads a partition past
-- the table itself.
create function audits.protect_partition(p_name text) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
begin
  execute format('create trigger entries_refuse_statement before update or delete or truncate on audits.%I
    for each statement execute function audits.refuse_change()', p_name);
  execute format('alter table audits.%I enable always trigger entries_refuse_statement', p_name);
  execute format('alter table audits.%I enable always trigger entries_refuse_row', p_name);
  execute format('alter table audits.%I enable row level security', p_name);
  execute format('alter table audits.%I force row level security', p_name);
end
$$;

do $$
declare class text;
begin
  foreach class in array audits.classes() loop
    execute format('create table audits.%I partition of audits.entries for values in (%L) partition by range (ts)',
                   'entries_' || class, class);
    perform audits.protect_partition('entries_' || class);
  end loop;
end
$$;

create function audits.partition_name(p_class text, p_ts timestamptz) returns text language sql stable parallel safe
  return 'entries_' || p_class || '_' || to_char(p_ts at time zone 'UTC', 'YYYYMM');

/*
 * Makes the partition of a class for the month (UTC) of a time; the same call again is fine. The table is made first and then
 * attached: attaching lets appends go on, where `create table ... partition of` would wait for all of them, and they for it.
 */
create function audits.make_partition(p_class text, p_ts timestamptz) returns boolean
language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
declare
  name constant text := audits.partition_name(p_class, p_ts);
  first constant timestamptz := date_trunc('month', p_ts, 'UTC');
  next constant timestamptz := date_trunc('month', first + interval '32 days', 'UTC');
begin
  if to_regclass(format('audits.%I', name)) is not null then
    return false;
  end if;
  -- The lock that attaching takes, and a lock of a table rather than an advisory one: with it this session hears of what others
  -- have made meanwhile.
  execute format('lock table only audits.%I in share update exclusive mode', 'entries_' || p_class);
  if to_regclass(format('audits.%I', name)) is not null then
    return false;
  end if;
  execute format('create table audits.%I (like audits.entries including constraints)', name);
  execute format('create unique index %I on audits.%I (log, seq)', name || '_seq', name);
  execute format('alter table audits.%I attach partition audits.%I for values from (%L) to (%L)',
                 'entries_' || p_class, name, to_char(first at time zone 'UTC', 'YYYY-MM-DD 00:00:00"+00"'),
                 to_char(next at time zone 'UTC', 'YYYY-MM-DD 00:00:00"+00"'));
  perform audits.protect_partition(name);
  return true;
end
$$;

/*
 * Makes the partitions of this month and of some months ahead for each class that has a log. Called at start and by
 * housekeeping; append makes what is missing all the same, so that no entry is ever refused for want of a partition.
 */
create function audits.make_partitions(p_months_ahead int) returns int
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  made int := 0;
  one record;
begin
  if p_months_ahead is null or p_months_ahead not between 0 and 12 then
    raise exception 'ledger partitions are made for 0 to 12 months ahead, not %', p_months_ahead using errcode = 'LG008',
      hint = 'Ask for 2.';
  end if;
  for one in
    select c.class, date_trunc('month', now(), 'UTC') + make_interval(months => m) as month
      from (select distinct h.retention_class as class from audits.heads h) c, generate_series(0, p_months_ahead) m order by 1, 2
  loop
    if audits.make_partition(one.class, one.month) then
      made := made + 1;
    end if;
  end loop;
  return made;
end
$$;

-- Makes an empty log; the same call again is fine. A null tenant makes a log of the platform, such as 'system'.
create function audits.create_log(p_log text, p_tenant uuid, p_class text default 'default') returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  if p_log is null or p_log !~ '^[a-z0-9][a-z0-9._/-]{0,127}$' then
    raise exception 'ledger log name "%" is not valid', p_log
      using errcode = 'LG001', hint = 'Use 1 to 128 of a-z 0-9 . _ / - and begin with a letter or digit.';
  end if;
  if not p_class = any (audits.classes()) or (p_class <> 'default' and right(p_log, length(p_class) + 1) <> '/' || p_class) then
    raise exception 'ledger log "%" cannot be of a retention class "%"', p_log, p_class using errcode = 'LG009',
      hint = 'Use one of default, hipaa, pci, soc2 and custom, and end the name of the log with it.';
  end if;
  insert into audits.heads (log, tenant_id, retention_class) values (p_log, p_tenant, p_class) on conflict (log) do nothing;
  if not exists (select from audits.heads h where h.log = p_log and h.tenant_id is not distinct from p_tenant
                                              and h.retention_class = p_class) then
    raise exception 'ledger log "%" belongs to another tenant, or is of another retention class', p_log
      using errcode = 'LG002', hint = 'Choose another name for the log.';
  end if;
  perform audits.make_partition(p_class, now());
end
$$;

-- N values joined by newlines; an empty value is null. One empty value is a list of one.
create function audits.split_lines(p_text text) returns text[]
language sql immutable parallel safe
return case when p_text = '' then array[null]::text[] else string_to_array(p_text, E'\n', '') end;

/*
 * Appends N entries, to one log or to several, in the order given. Each parameter holds N values joined by newlines,
 * '' for null; p_bodies holds canonical JSON (which has no raw newline). Text, because splitting it is much cheaper than
 * parsing array literals, and a loop, because each entry holds the hash of the one before.
 *
 * Heads are locked in log order, so that two writers cannot deadlock. Nothing is written unless all of it is.
 * Errors: LG003 no such log, LG004 counts differ, LG005 body not an object or entry over 60 KiB, LG006 unknown outcome,
 * LG007 an entry of another tenant than its log.
 */
create function audits.append(
  p_logs text, p_tenants text, p_callers text, p_actors text, p_actions text,
  p_outcomes text, p_codes text, p_requests text, p_bodies text
) returns table (log text, first_seq bigint, appended int)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
-- A plan for the number of entries at hand would be made anew for each call, and be the same.
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_variable
<<v>>
declare
  logs constant text[] := audits.split_lines(p_logs);
  tenants constant uuid[] := audits.split_lines(p_tenants)::uuid[];
  callers constant text[] := audits.split_lines(p_callers);
  actors constant text[] := audits.split_lines(p_actors);
  actions constant text[] := audits.split_lines(p_actions);
  outcomes constant text[] := audits.split_lines(p_outcomes);
  codes constant text[] := audits.split_lines(p_codes);
  requests constant text[] := audits.split_lines(p_requests);
  bodies constant text[] := audits.split_lines(p_bodies);
  -- Off while retention records what it does in the very log that it speaks of.
  routed constant boolean := coalesce(current_setting('portcullis.unrouted', true), '') <> 'on';
  total constant int := coalesce(cardinality(bodies), 0);
  rows audits.entries[] := array_fill(null::audits.entries, array[total]);
  heads audits.heads[] := '{}';
  missing audits.heads[] := '{}';
  done int := 0;
  head record;
  stamp timestamptz;
  middle text;
  tail text;
  seq bigint;
  entry bytea;
  leaf bytea;
  frontier bytea;
  node bytea;
  bits bigint;
  depth int;
  i int;
begin
  if array[cardinality(logs), cardinality(tenants), cardinality(callers), cardinality(actors), cardinality(actions),
           cardinality(outcomes), cardinality(codes), cardinality(requests)] <> array_fill(total, array[8]) then
    raise exception 'ledger append: % bodies, but another parameter holds another number of values', total
      using errcode = 'LG004', hint = 'Send the same number of values in each parameter, and no newline inside a value.';
  end if;
  if not outcomes <@ array['allow', 'deny', 'error'] then
    raise exception 'ledger append: an outcome is not one of allow, deny, error' using errcode = 'LG006',
      hint = 'Send one outcome for each entry.';
  end if;
  -- An asynchronous commit would let a crash lose what was acknowledged. A SET clause of the function would end with
  -- the function, before the commit that it is meant for.
  if current_setting('synchronous_commit') in ('off', 'local') then
    set local synchronous_commit = on;
  end if;

  for head in
    select h.*, m.members from audits.heads h
    join (select coalesce(r.target, u.l) as l, array_agg(u.o::int order by u.o) as members
          from unnest(logs) with ordinality as u (l, o) left join audits.routes r on r.log = u.l and routed
          group by 1) m on m.l = h.log
    order by h.log for update of h
  loop
    stamp := greatest(clock_timestamp(), head.last_ts);
    if to_regclass('audits.' || audits.partition_name(head.retention_class, stamp)) is null then
      missing := missing || row(head.log, null, head.retention_class, null, null, null, stamp, null)::audits.heads;
    end if;
    middle := ',"log":"' || head.log || '","prev":"';
    tail := ',"ts":"' || to_char(stamp at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '","v":1}';
    seq := head.size;
    leaf := head.last_hash;
    frontier := head.frontier;
    foreach i in array head.members loop
      entry := convert_to('{"body":' || bodies[i] || middle || encode(leaf, 'hex') || '","seq":' || seq || tail, 'UTF8');
      if length(entry) > 61440 or not starts_with(bodies[i], '{') or bodies[i] is null then
        raise exception 'ledger append: body % is not a JSON object, or its entry is over 61440 bytes', i
          using errcode = 'LG005', hint = 'Make bodies with encodeBody, which caps and truncates.';
      end if;
      if head.tenant_id is not null and tenants[i] is distinct from head.tenant_id then
        raise exception 'ledger append: entry % is of another tenant than its log "%"', i, head.log
          using errcode = 'LG007', hint = 'Send the tenant that owns the log.';
      end if;
      leaf := sha256('\x00'::bytea || entry);
      done := done + 1;
      -- The cast matters: without it each row goes through text and back.
      rows[done] := row(head.log, seq, stamp, tenants[i], callers[i], actors[i], actions[i], outcomes[i], codes[i],
                        requests[i], leaf, entry, head.retention_class)::audits.entries;
      -- Each trailing one bit of seq is a perfect subtree that this leaf completes.
      node := leaf;
      bits := seq;
      depth := length(frontier);
      while bits & 1 = 1 loop
        node := sha256('\x01'::bytea || substr(frontier, depth - 31, 32) || node);
        depth := depth - 32;
        bits := bits >> 1;
      end loop;
      frontier := substr(frontier, 1, depth) || node;
      seq := seq + 1;
    end loop;
    heads := heads || row(head.log, null, null, seq, frontier, leaf, stamp, null)::audits.heads;
    log := head.log;
    first_seq := head.size;
    appended := seq - head.size;
    return next;
  end loop;

  if done <> total then
    raise exception 'ledger append: log "%" does not exist',
      (select l from unnest(logs) l where not exists (select from audits.heads h where h.log = l) limit 1)
      using errcode = 'LG003', hint = 'Make the log first, with audits.create_log.';
  end if;
  -- Only once every head is held: who makes a partition must not wait for a head that one who waits for it has.
  if cardinality(missing) > 0 then
    perform audits.make_partition(n.retention_class, n.last_ts) from unnest(missing) n;
  end if;
  insert into audits.entries select * from unnest(rows);
  update audits.heads h set size = n.size, frontier = n.frontier, last_hash = n.last_hash, last_ts = n.last_ts
  from unnest(heads) n where h.log = n.log;
end v
$$;

revoke all on all tables in schema audits from public;
revoke all on all functions in schema audits from public;
grant usage on schema audits to portcullis_app, portcullis_reader, portcullis_maintenance;
grant select on audits.routes to portcullis_maintenance;
grant select on audits.heads, audits.entries to portcullis_app, portcullis_reader, portcullis_maintenance;
grant execute on function audits.create_log(text, uuid, text), audits.make_partitions(int) to portcullis_app;
grant execute on function audits.append(text, text, text, text, text, text, text, text, text) to portcullis_app;
