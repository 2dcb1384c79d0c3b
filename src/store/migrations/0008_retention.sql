-- serves from 0001
-- Legal holds, and the one way in which entries ever leave (SPEC L12): whole months of a retention class that are expired, not held,
-- archived, and said to be gone by an entry that a published checkpoint covers. portcullis_maintenance runs it, through functions
-- that check all of that again.

create table audits.holds (
  id uuid primary key default gen_random_uuid(),
  -- Of a tenant, all its logs; or of one log.
  tenant_id uuid references portcullis.tenants,
  log text collate "C" references audits.heads,
  reason text not null check (length(reason) between 1 and 1000),
  placed_by text not null check (length(placed_by) between 1 and 200),
  placed_at timestamptz not null default clock_timestamp(),
  until timestamptz,
  released_by text check (length(released_by) between 1 and 200),
  released_at timestamptz,
  check (num_nonnulls(tenant_id, log) = 1),
  check (num_nonnulls(released_by, released_at) in (0, 2))
);

-- What was pruned, or is about to be: where dropped_at is null the entries are still here.
create table audits.prunes (
  log text collate "C" not null references audits.heads,
  tenant_id uuid,
  -- The first seq that stays; root, frontier and last_hash are those of the log at that size.
  below bigint not null check (below > 0),
  root bytea not null check (length(root) = 32),
  frontier bytea not null check (length(frontier) = 32 * bit_count(int8send(below))),
  last_hash bytea not null check (length(last_hash) = 32),
  -- The digest in the manifest of the archive.
  archive bytea not null check (length(archive) = 32),
  framework text not null,
  keep_days int not null,
  hot_days int not null,
  pruned_by text not null check (length(pruned_by) between 1 and 200),
  -- The `ledger.prune` entry in the same log.
  entry_seq bigint not null,
  recorded_at timestamptz not null default clock_timestamp(),
  dropped_at timestamptz,
  primary key (log, entry_seq)
);

-- Leaf hashes of pruned entries that no full tile holds: at most 255 for each prune. Proofs need them until the tile is full.
create table audits.kept_leaves (
  log text collate "C" not null references audits.heads,
  tenant_id uuid,
  seq bigint not null,
  leaf bytea not null check (length(leaf) = 32),
  primary key (log, seq)
);

create trigger holds_refuse_statement before delete or truncate on audits.holds
  for each statement execute function audits.refuse_change();
create trigger holds_refuse_row before delete on audits.holds
  for each row execute function audits.refuse_change();
create trigger holds_only_end before update on audits.holds
  for each row when (old.released_at is not null or (new.id, new.reason, new.placed_by, new.placed_at)
                       <> (old.id, old.reason, old.placed_by, old.placed_at)
                     or (new.tenant_id, new.log, new.until) is distinct from (old.tenant_id, old.log, old.until))
  execute function audits.refuse_change();
create trigger prunes_refuse_statement before delete or truncate on audits.prunes
  for each statement execute function audits.refuse_change();
create trigger prunes_refuse_row before delete on audits.prunes
  for each row execute function audits.refuse_change();
create trigger prunes_only_end before update on audits.prunes
  for each row when (old.dropped_at is not null
                     or (new.log, new.below, new.root, new.frontier, new.last_hash, new.archive, new.entry_seq, new.pruned_by)
                     <> (old.log, old.below, old.root, old.frontier, old.last_hash, old.archive, old.entry_seq, old.pruned_by))
  execute function audits.refuse_change();
create trigger kept_leaves_refuse_statement before update or delete or truncate on audits.kept_leaves
  for each statement execute function audits.refuse_change();
create trigger kept_leaves_refuse_row before update or delete on audits.kept_leaves
  for each row execute function audits.refuse_change();

do $$
declare t text; g text;
begin
  foreach t in array array['holds', 'prunes', 'kept_leaves'] loop
    for g in select tgname from pg_trigger where tgrelid = ('audits.' || t)::regclass and not tgisinternal loop
      execute format('alter table audits.%I enable always trigger %I', t, g);
    end loop;
    execute format('alter table audits.%I enable row level security', t);
    execute format('alter table audits.%I force row level security', t);
    execute format('create policy owner on audits.%I to portcullis_owner using (true) with check (true)', t);
    execute format('create policy maintenance on audits.%I for select to portcullis_maintenance using (true)', t);
    execute format('create policy read on audits.%I for select to portcullis_app, portcullis_reader using (
        tenant_id = (select portcullis.tenant()) or (tenant_id is null and (select portcullis.platform())))', t);
    execute format('revoke all on audits.%I from public', t);
    execute format('grant select on audits.%I to portcullis_app, portcullis_reader, portcullis_maintenance', t);
  end loop;
end
$$;

-- The least days that a framework keeps entries, and the least of them in this database; null where it sets none.
create function audits.retention_floor(p_framework text, out keep_days int, out hot_days int)
language sql immutable parallel safe
return case p_framework when 'hipaa' then row(2192, 1) when 'pci' then row(366, 92) when 'soc2' then row(366, 1)
                        when 'custom' then row(1, 1) end;

-- The months that there are.
create function audits.months() returns table (name text, class text, first timestamptz, next timestamptz, bytes bigint)
language sql stable set search_path = pg_catalog, pg_temp
begin atomic
  select c.relname::text, substr(p.relname, length('entries_') + 1), m.first, date_trunc('month', m.first + interval '32 days', 'UTC'),
         pg_total_relation_size(c.oid)
    from pg_inherits i
    join pg_class c on c.oid = i.inhrelid
    join pg_class p on p.oid = i.inhparent
    join pg_inherits r on r.inhrelid = p.oid and r.inhparent = 'audits.entries'::regclass
    cross join lateral (select make_timestamptz(substr(right(c.relname, 6), 1, 4)::int, right(c.relname, 2)::int, 1, 0, 0, 0, 'UTC') as first) m
   order by 2, 3;
end;

-- What each log of a class has before a time: its last entry there. Found by key, in the months before it alone.
create function audits.entries_before(p_class text, p_before timestamptz)
returns table (log text, tenant_id uuid, min_index bigint, last_seq bigint, last_leaf bytea)
language sql stable set search_path = pg_catalog, pg_temp
begin atomic
  select h.log, h.tenant_id, h.min_index, l.seq, l.leaf
    from audits.heads h
    cross join lateral (
      select e.seq, e.leaf from audits.entries e
       where e.retention_class = p_class and e.log = h.log and e.ts < p_before order by e.seq desc limit 1
    ) l
   where h.retention_class = p_class order by h.log;
end;

-- The holds that are in force, with each log that they keep.
create function audits.held_logs() returns table (log text, id uuid, reason text, until timestamptz)
language sql stable set search_path = pg_catalog, pg_temp
begin atomic
  select h.log, o.id, o.reason, o.until
    from audits.holds o join audits.heads h on h.log = o.log or h.tenant_id = o.tenant_id
   where o.released_at is null and (o.until is null or o.until > clock_timestamp()) order by h.log, o.placed_at;
end;

/*
 * Puts a hold on a tenant or on a log, with its entry in the log `system`. p_body is canonical JSON.
 * Errors: LG030 no such tenant or log, or a bad reason.
 */
create function audits.place_hold(p_tenant text, p_log text, p_reason text, p_until timestamptz, p_by text, p_body text) returns uuid
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  tenant constant uuid := (select t.id from portcullis.tenants t where t.name = p_tenant);
  made uuid;
begin
  if num_nonnulls(p_tenant, p_log) <> 1 or (p_tenant is not null and tenant is null)
     or (p_log is not null and not exists (select from audits.heads h where h.log = p_log)) then
    raise exception 'there is no such tenant or log to hold' using errcode = 'LG030',
      hint = 'Name one tenant or one log; `portcullis ledger retention list` shows them.';
  end if;
  -- A prune that is about to drop has looked at the holds: it ends first, or sees this one.
  perform pg_advisory_xact_lock(hashtext('portcullis ledger prune'));
  if p_until <= clock_timestamp() then
    raise exception 'a hold that is over already holds nothing' using errcode = 'LG030', hint = 'Give a time to come, or none.';
  end if;
  insert into audits.holds (tenant_id, log, reason, placed_by, until) values (tenant, p_log, p_reason, p_by, p_until)
    returning id into made;
  perform audits.append('system', '', '', p_by, 'retention.held', 'allow', '', '', p_body);
  return made;
end
$$;

-- Ends a hold, with its entry in the log `system`; false where it is not in force.
create function audits.release_hold(p_id uuid, p_by text, p_body text) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  update audits.holds o set released_by = p_by, released_at = clock_timestamp() where o.id = p_id and o.released_at is null;
  if not found then
    return false;
  end if;
  perform audits.append('system', '', '', p_by, 'retention.released', 'allow', '', '', p_body);
  return true;
end
$$;

/*
 * From now on the entries of a tenant go to the log of that class; what was written before stays where it is, under the class
 * that it was written in. Answers the log. Error LG030: no such tenant.
 */
create function audits.set_retention_class(p_tenant text, p_class text, p_by text, p_body text) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  tenant constant uuid := (select t.id from portcullis.tenants t where t.name = p_tenant);
  target constant text := case when p_class = 'default' then p_tenant else p_tenant || '/' || p_class end;
begin
  if tenant is null then
    raise exception 'there is no tenant "%"', p_tenant using errcode = 'LG030', hint = '`portcullis tenant list` lists them.';
  end if;
  perform audits.append('system', '', '', p_by, 'retention.class_set', 'allow', '', '', p_body);
  perform audits.create_log(target, tenant, p_class);
  perform audits.make_partitions(2);
  insert into audits.routes as r (log, target) values (p_tenant, target) on conflict (log) do update set target = excluded.target;
  return target;
end
$$;

/*
 * What must hold before and after the archive is made. Errors: LG031 the framework keeps entries for longer, LG032 the months are
 * not expired, LG033 a hold keeps one of the logs.
 */
create function audits.check_prune(p_class text, p_before timestamptz, p_framework text, p_keep_days int, p_hot_days int) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
  least record;
  held record;
begin
  select f.* into least from audits.retention_floor(p_framework) f;
  if least.keep_days is null or p_keep_days is null or p_hot_days is null
     or p_keep_days < least.keep_days or p_hot_days < least.hot_days or p_hot_days > p_keep_days
     or p_class not in ('default', p_framework) then
    raise exception 'entries of class % are not pruned after % days, % of them here, under the framework %',
      p_class, p_keep_days, p_hot_days, p_framework using errcode = 'LG031',
      hint = format('%s keeps entries for at least %s days, %s of them in the database.', p_framework,
                    coalesce(least.keep_days::text, 'unlimited'), coalesce(least.hot_days::text, 'unlimited'));
  end if;
  if p_before is null or p_before <> date_trunc('month', p_before, 'UTC')
     or p_before > clock_timestamp() - make_interval(days => p_hot_days) then
    raise exception 'the months before % are not all older than % days', p_before, p_hot_days using errcode = 'LG032',
      hint = 'Wait until the last of them is.';
  end if;
  select k.log, k.reason into held from audits.held_logs() k
    join audits.entries_before(p_class, p_before) e on e.log = k.log limit 1;
  if held.log is not null then
    raise exception 'a legal hold keeps the entries of log "%": %', held.log, held.reason using errcode = 'LG033',
      hint = '`portcullis ledger hold list` says who placed it.';
  end if;
end
$$;

/*
 * Records a prune to come: a `ledger.prune` entry in each log that loses entries. p_members is a list of
 * {log, below, root, frontier, last_hash, archive, body}, hashes in hex. Errors: LG031 to LG033, LG034 the members are not
 * exactly what the months hold.
 */
create function audits.begin_prune(
  p_class text, p_before timestamptz, p_framework text, p_keep_days int, p_hot_days int, p_by text, p_members json
) returns int
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  wrong text;
  recorded int;
begin
  perform pg_advisory_xact_lock(hashtext('portcullis ledger prune'));
  perform audits.check_prune(p_class, p_before, p_framework, p_keep_days, p_hot_days);
  select coalesce(e.log, m.log) into wrong
    from audits.entries_before(p_class, p_before) e
    full join json_to_recordset(p_members) as m (log text, below bigint, last_hash text) on m.log = e.log
   where e.log is null or m.below is distinct from e.last_seq + 1 or m.last_hash is distinct from encode(e.last_leaf, 'hex') limit 1;
  if wrong is not null then
    raise exception 'the archive of log "%" does not end where its expired entries do', wrong using errcode = 'LG034',
      hint = 'Archive again.';
  end if;
  -- The entry belongs to the log that it speaks of, also where that goes on in another class.
  perform set_config('portcullis.unrouted', 'on', true);
  with members as materialized (
    select m.* from json_to_recordset(p_members)
      as m (log text, below bigint, root text, frontier text, last_hash text, archive text, body text) order by m.log
  ), appended as materialized (
    select a.log, a.first_seq from (
      select string_agg(m.log, E'\n') as logs, string_agg(coalesce(h.tenant_id::text, ''), E'\n') as tenants,
             string_agg('', E'\n') as none, string_agg(p_by, E'\n') as actors, string_agg('ledger.prune', E'\n') as actions,
             string_agg('allow', E'\n') as outcomes, string_agg(m.body, E'\n') as bodies
        from members m join audits.heads h on h.log = m.log
    ) c, audits.append(c.logs, c.tenants, c.none, c.actors, c.actions, c.outcomes, c.none, c.none, c.bodies) a
  )
  insert into audits.prunes (log, tenant_id, below, root, frontier, last_hash, archive, framework, keep_days, hot_days, pruned_by, entry_seq)
  select m.log, h.tenant_id, m.below, decode(m.root, 'hex'), decode(m.frontier, 'hex'), decode(m.last_hash, 'hex'),
         decode(m.archive, 'hex'), p_framework, p_keep_days, p_hot_days, p_by, a.first_seq
    from members m join audits.heads h on h.log = m.log join appended a on a.log = m.log;
  get diagnostics recorded = row_count;
  perform set_config('portcullis.unrouted', '', true);
  return recorded;
end
$$;

/*
 * Drops the months of a class before a time, once everything about it holds: begin_prune's conditions, a prune entry for exactly
 * what they hold, a published checkpoint that covers it (some sink has acknowledged it), and leaf hashes that stay behind. Answers
 * the names of the months. Errors: LG031 to LG034, LG035 no published checkpoint covers the prune entry yet, LG036 tiles are missing, LG037 a sink has not
 * taken the entries yet, and is not one of those that are given up.
 */
create function audits.finish_prune(
  p_class text, p_before timestamptz, p_framework text, p_keep_days int, p_hot_days int, p_without_sinks text[]
) returns text[]
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  one record;
  tiled bigint;
  behind text;
  -- Where no sink ever acknowledged anything there is none, and a signed checkpoint has to do.
  alone constant boolean := not exists (select from audits.anchors);
  dropped text[] := '{}';
begin
  perform pg_advisory_xact_lock(hashtext('portcullis ledger prune'));
  perform audits.check_prune(p_class, p_before, p_framework, p_keep_days, p_hot_days);
  -- Whoever waits for these locks holds up what comes after: rather give up and try again.
  perform set_config('lock_timeout', '250ms', true);
  -- Heads before the table, in log order, as append has it.
  perform from audits.heads h where h.retention_class = p_class order by h.log for update;
  for one in
    select e.log, e.tenant_id, e.min_index, e.last_seq, p.entry_seq, p.below from audits.entries_before(p_class, p_before) e
    left join lateral (
      select p.entry_seq, p.below from audits.prunes p
       where p.log = e.log and p.dropped_at is null and p.below = e.last_seq + 1 and p.last_hash = e.last_leaf
       order by p.entry_seq desc limit 1
    ) p on true order by e.log
  loop
    if one.entry_seq is null then
      raise exception 'no prune of log "%" below % is recorded', one.log, one.last_seq + 1 using errcode = 'LG034',
        hint = 'Archive and record it first.';
    end if;
    if not exists (select from audits.anchors a where a.log = one.log and a.size > one.entry_seq)
       and not (alone and exists (select from audits.checkpoints c where c.log = one.log and c.size > one.entry_seq)) then
      raise exception 'no published checkpoint of log "%" covers its prune entry %', one.log, one.entry_seq using errcode = 'LG035',
        hint = 'Wait for the next checkpoint, and look at the sinks where none comes.';
    end if;
    tiled := (select 256 * coalesce(max(t.index) + 1, 0) from audits.tiles t where t.log = one.log and t.level = 0);
    if tiled < one.below - one.below % 256 then
      raise exception 'the tiles of log "%" hold % of % hashes', one.log, tiled, one.below using errcode = 'LG036',
        hint = 'They are made with each checkpoint: wait for the next one.';
    end if;
    behind := (select min(c.sink) from audits.sink_cursors c
                where c.log = one.log and c.next_seq < one.below and not c.sink = any (p_without_sinks));
    if behind is not null then
      raise exception 'sink "%" has not taken all entries of log "%" below %', behind, one.log, one.below using errcode = 'LG037',
        hint = 'Wait until it has, or give up a sink that is not used any more with --without-sink.';
    end if;
    insert into audits.kept_leaves (log, tenant_id, seq, leaf)
      select e.log, one.tenant_id, e.seq, e.leaf from audits.entries e
       where e.retention_class = p_class and e.log = one.log and e.ts < p_before and e.seq >= tiled;
    update audits.heads h set min_index = one.below where h.log = one.log;
    update audits.prunes p set dropped_at = clock_timestamp() where p.log = one.log and p.entry_seq = one.entry_seq;
  end loop;
  for one in select m.name from audits.months() m where m.class = p_class and m.next <= p_before order by m.first loop
    execute format('alter table audits.%I detach partition audits.%I', 'entries_' || p_class, one.name);
    execute format('drop table audits.%I', one.name);
    dropped := dropped || one.name;
  end loop;
  return dropped;
end
$$;

revoke all on function audits.months(), audits.entries_before(text, timestamptz), audits.held_logs(),
  audits.retention_floor(text), audits.check_prune(text, timestamptz, text, int, int),
  audits.place_hold(text, text, text, timestamptz, text, text), audits.release_hold(uuid, text, text),
  audits.set_retention_class(text, text, text, text), audits.begin_prune(text, timestamptz, text, int, int, text, json),
  audits.finish_prune(text, timestamptz, text, int, int, text[]) from public;
grant execute on function audits.months(), audits.entries_before(text, timestamptz), audits.held_logs(),
  audits.place_hold(text, text, text, timestamptz, text, text), audits.release_hold(uuid, text, text),
  audits.set_retention_class(text, text, text, text), audits.begin_prune(text, timestamptz, text, int, int, text, json),
  audits.finish_prune(text, timestamptz, text, int, int, text[]) to portcullis_maintenance;
