-- serves from 0001
-- Signed checkpoints, the tiles that their proofs are read from, and what the outside has acknowledged (SPEC L8, L11). All of it is
-- written by the functions below alone; rows of checkpoints and tiles are never changed, those of anchors move forward only.

-- Full tiles of C2SP tlog-tiles. They outlive the entries: proofs of what retention has archived are read from them.
create table audits.tiles (
  log text collate "C" not null references audits.heads,
  tenant_id uuid,
  level int not null check (level between 0 and 6),
  index bigint not null check (index >= 0),
  hashes bytea not null check (length(hashes) = 8192),
  -- The root over these 256 hashes: the hash that the tile above holds for this one.
  root bytea not null check (length(root) = 32),
  primary key (log, level, index)
);
alter table audits.tiles alter column hashes set storage external;

create table audits.checkpoints (
  log text collate "C" not null references audits.heads,
  tenant_id uuid,
  size bigint not null check (size > 0),
  root bytea not null check (length(root) = 32),
  -- The exact text, with its signature lines.
  note text not null check (length(note) <= 65536),
  signed_at timestamptz not null default clock_timestamp(),
  primary key (log, size)
);

-- The size of the newest checkpoint that each sink has acknowledged.
create table audits.anchors (
  log text collate "C" not null references audits.heads,
  tenant_id uuid,
  sink text collate "C" not null check (length(sink) between 1 and 64),
  size bigint not null check (size > 0),
  at timestamptz not null default clock_timestamp(),
  primary key (log, sink)
) with (fillfactor = 50);

-- Logs that are not signed any more, and why: what was published of them is not what is here.
create table audits.checkpoint_stops (
  log text collate "C" primary key references audits.heads,
  tenant_id uuid,
  reason text not null check (length(reason) between 1 and 1000),
  since timestamptz not null default clock_timestamp()
);

create trigger tiles_refuse_statement before update or delete or truncate on audits.tiles
  for each statement execute function audits.refuse_change();
create trigger tiles_refuse_row before update or delete on audits.tiles
  for each row execute function audits.refuse_change();
create trigger checkpoints_refuse_statement before update or delete or truncate on audits.checkpoints
  for each statement execute function audits.refuse_change();
create trigger checkpoints_refuse_row before update or delete on audits.checkpoints
  for each row execute function audits.refuse_change();
create trigger anchors_refuse_statement before delete or truncate on audits.anchors
  for each statement execute function audits.refuse_change();
create trigger anchors_refuse_row before delete on audits.anchors
  for each row execute function audits.refuse_change();
create trigger anchors_only_forward before update on audits.anchors
  for each row when (new.size < old.size or new.log <> old.log or new.sink <> old.sink
                     or new.tenant_id is distinct from old.tenant_id)
  execute function audits.refuse_change();
alter table audits.tiles enable always trigger tiles_refuse_statement;
alter table audits.tiles enable always trigger tiles_refuse_row;
alter table audits.checkpoints enable always trigger checkpoints_refuse_statement;
alter table audits.checkpoints enable always trigger checkpoints_refuse_row;
alter table audits.anchors enable always trigger anchors_refuse_statement;
alter table audits.anchors enable always trigger anchors_refuse_row;
alter table audits.anchors enable always trigger anchors_only_forward;

do $$
declare t text;
begin
  foreach t in array array['tiles', 'checkpoints', 'anchors', 'checkpoint_stops'] loop
    execute format('alter table audits.%I enable row level security', t);
    execute format('alter table audits.%I force row level security', t);
    execute format('create policy %I on audits.%I to portcullis_owner using (true) with check (true)', t || '_owner', t);
    execute format('create policy %I on audits.%I for select to portcullis_maintenance using (true)', t || '_maintenance', t);
    execute format('create policy %I on audits.%I for select to portcullis_app, portcullis_reader using (
        tenant_id = (select portcullis.tenant()) or (tenant_id is null and (select portcullis.platform())))', t || '_read', t);
    execute format('revoke all on audits.%I from public', t);
    execute format('grant select on audits.%I to portcullis_app, portcullis_reader, portcullis_maintenance', t);
  end loop;
end
$$;

-- The Merkle root over a power of two of hashes.
create function audits.perfect_root(p_hashes bytea) returns bytea
language plpgsql immutable strict parallel safe set search_path = pg_catalog, pg_temp
as $$
declare nodes bytea := p_hashes;
begin
  while length(nodes) > 32 loop
    nodes := (select string_agg(sha256('\x01'::bytea || substr(nodes, i * 64 + 1, 64)), '' order by i)
                from generate_series(0, length(nodes) / 64 - 1) i);
  end loop;
  return nodes;
end
$$;

/*
 * Makes the tiles of a log that are complete and not there yet, in order and at most p_tiles of them; answers how many it made.
 * No hash comes from the caller: level 0 is copied from the entries, each level above from the tiles below.
 * Error LG020: an entry or a tile is missing.
 */
create function audits.extend_tiles(p_log text, p_tiles int) returns int
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  head audits.heads;
  below bigint;
  next bigint;
  made int := 0;
  content bytea;
begin
  perform pg_advisory_xact_lock(hashtextextended('portcullis tiles ' || p_log, 0));
  select h.* into head from audits.heads h where h.log = p_log;
  if head.log is null then
    return 0;
  end if;
  below := head.size;
  for the_level in 0 .. 6 loop
    next := (select coalesce(max(t.index) + 1, 0) from audits.tiles t where t.log = p_log and t.level = the_level);
    while next < below / 256 and made < p_tiles loop
      if the_level = 0 then
        -- Of entries that retention has taken away, the leaves that no tile held stayed in kept_leaves.
        content := (select string_agg(l.leaf, '' order by l.seq) from (
                      select e.seq, e.leaf from audits.entries e
                       where e.log = p_log and e.seq >= next * 256 and e.seq < next * 256 + 256
                      union all
                      select k.seq, k.leaf from audits.kept_leaves k
                       where k.log = p_log and k.seq >= next * 256 and k.seq < next * 256 + 256) l);
      else
        content := (select string_agg(t.root, '' order by t.index) from audits.tiles t
                     where t.log = p_log and t.level = the_level - 1 and t.index >= next * 256 and t.index < next * 256 + 256);
      end if;
      if content is null or length(content) <> 8192 then
        raise exception 'ledger log "%": tile % of level % cannot be made, because an entry or a tile below it is missing',
          p_log, next, the_level using errcode = 'LG020', hint = 'Verify the log, and restore it from a backup.';
      end if;
      insert into audits.tiles (log, tenant_id, level, index, hashes, root)
      values (p_log, head.tenant_id, the_level, next, content, audits.perfect_root(content));
      next := next + 1;
      made := made + 1;
    end loop;
    exit when next = 0 or made >= p_tiles;
    below := next;
  end loop;
  return made;
end
$$;

-- Where the checkpoints of every log stand, or of one; a log that was moved to another retention class is the one it goes on in.
create function audits.checkpoint_state(p_log text default null)
returns table (log text, tenant_id uuid, size bigint, checkpoint_size bigint, root bytea, note text,
               anchors json, stopped text)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select h.log, h.tenant_id, h.size, coalesce(c.size, 0), c.root, c.note,
         (select json_object_agg(a.sink, a.size) from audits.anchors a where a.log = h.log), s.reason
    from audits.heads h
    left join lateral (select k.* from audits.checkpoints k where k.log = h.log order by k.size desc limit 1) c on true
    left join audits.checkpoint_stops s on s.log = h.log
   where p_log is null or h.log = coalesce((select r.target from audits.routes r where r.log = p_log), p_log)
   order by h.log;
end;

/*
 * Keeps a checkpoint; false where one of this size or of a larger one is there.
 * Error LG021: the log is not that long, or its tiles are not made.
 */
create function audits.add_checkpoint(p_log text, p_size bigint, p_root bytea, p_note text) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare head audits.heads;
begin
  perform pg_advisory_xact_lock(hashtextextended('portcullis tiles ' || p_log, 0));
  select h.* into head from audits.heads h where h.log = p_log;
  if head.log is null or head.size < p_size
     or (select coalesce(max(t.index) + 1, 0) from audits.tiles t where t.log = p_log and t.level = 0) < p_size / 256 then
    raise exception 'ledger log "%" has no tiles for a checkpoint of % entries', p_log, p_size
      using errcode = 'LG021', hint = 'Make the tiles first, with audits.extend_tiles.';
  end if;
  if exists (select from audits.checkpoints c where c.log = p_log and c.size >= p_size) then
    return false;
  end if;
  insert into audits.checkpoints (log, tenant_id, size, root, note) values (p_log, head.tenant_id, p_size, p_root, p_note);
  return true;
end
$$;

-- A sink has acknowledged a checkpoint. One that is not here, or an older one than before, changes nothing.
create function audits.note_anchor(p_log text, p_sink text, p_size bigint) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp
begin atomic
  insert into audits.anchors as a (log, tenant_id, sink, size)
  select c.log, c.tenant_id, p_sink, c.size from audits.checkpoints c where c.log = p_log and c.size = p_size
  on conflict (log, sink) do update set size = excluded.size, at = clock_timestamp() where a.size < excluded.size;
end;

-- True where the log was signed until now: whoever hears that records it.
create function audits.stop_checkpoints(p_log text, p_reason text) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  insert into audits.checkpoint_stops (log, tenant_id, reason)
  select h.log, h.tenant_id, p_reason from audits.heads h where h.log = p_log on conflict (log) do nothing;
  if found then
    return true;
  end if;
  update audits.checkpoint_stops s set reason = p_reason where s.log = p_log and s.reason <> p_reason;
  return false;
end
$$;

-- True where the log was not signed until now.
create function audits.resume_checkpoints(p_log text) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  delete from audits.checkpoint_stops s where s.log = p_log;
  return found;
end
$$;

revoke all on function audits.perfect_root(bytea), audits.extend_tiles(text, int), audits.checkpoint_state(text),
  audits.add_checkpoint(text, bigint, bytea, text), audits.note_anchor(text, text, bigint),
  audits.stop_checkpoints(text, text), audits.resume_checkpoints(text) from public;
grant execute on function audits.extend_tiles(text, int), audits.checkpoint_state(text),
  audits.add_checkpoint(text, bigint, bytea, text), audits.note_anchor(text, text, bigint),
  audits.stop_checkpoints(text, text), audits.resume_checkpoints(text) to portcullis_app;
