-- serves from 0004
-- How many entries each replica may have answered calls for and not committed yet (SPEC L7): what a crash loses of them is told by
-- whoever finds the row and nobody behind it. A replica without any has no row.
create table portcullis.entries_in_hand (
  replica uuid primary key,
  at_most int not null check (at_most > 0),
  since timestamptz not null default now(),
  seen_at timestamptz not null default now()
);

-- Batches with such entries, by the id that their writer gave them: it is asked for where the answer to a commit was lost.
create table portcullis.commits (
  id uuid primary key,
  -- Taken by who asked: the batch can not commit any more.
  barred boolean not null default false,
  at timestamptz not null default now()
);
create index on portcullis.commits (at);

do $$
declare t text;
begin
  foreach t in array array['entries_in_hand', 'commits'] loop
    execute format('alter table portcullis.%I enable row level security', t);
    execute format('alter table portcullis.%I force row level security', t);
    execute format('create policy owner on portcullis.%I to portcullis_owner using (true)', t);
  end loop;
end
$$;
create policy writes on portcullis.commits for insert to portcullis_app with check (true);
grant insert (id) on portcullis.commits to portcullis_app;

-- The lock that a replica holds as long as its connection lives.
create function portcullis.hand_lock(p_replica uuid) returns bigint
language sql immutable set search_path = pg_catalog, pg_temp
return hashtextextended('portcullis entries in hand ' || p_replica, 0);

-- Says how many at most, and that the replica lives; with 0 that there are none.
create function portcullis.hold_entries(p_replica uuid, p_at_most int) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if p_at_most = 0 then
    delete from portcullis.entries_in_hand where replica = p_replica;
  else
    insert into portcullis.entries_in_hand as h (replica, at_most) values (p_replica, p_at_most)
      on conflict (replica) do update set at_most = excluded.at_most, seen_at = now();
  end if;
end
$$;

-- Takes the rows of replicas that have not been seen for that long and hold no lock any more. The caller appends their entry in the
-- same transaction.
create function portcullis.take_dead_hands(p_unseen interval)
returns table (replica uuid, at_most int, since timestamptz, seen_at timestamptz)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  return query
    with dead as materialized (
      select h.replica from portcullis.entries_in_hand h
       where h.seen_at < now() - p_unseen
         -- After a restart of PostgreSQL every replica is unseen for a while.
         and pg_postmaster_start_time() < now() - p_unseen
       order by h.replica for update skip locked)
    delete from portcullis.entries_in_hand h using dead
     where h.replica = dead.replica and pg_try_advisory_xact_lock(portcullis.hand_lock(h.replica))
    returning h.replica, h.at_most, h.since, h.seen_at;
end
$$;

-- Whether a batch has committed. Where it has not, it never will: its id is taken now. Waits for a commit that is under way.
create function portcullis.has_committed(p_id uuid) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into portcullis.commits (id, barred) values (p_id, true) on conflict do nothing;
  return (select not c.barred from portcullis.commits c where c.id = p_id);
end
$$;

create function portcullis.purge_commits(p_older interval, p_at_most int) returns bigint
language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
  with gone as (
    delete from portcullis.commits c
     where c.id in (select o.id from portcullis.commits o where o.at < now() - p_older order by o.at limit p_at_most)
    returning 1)
  select count(*) from gone;
end;

revoke all on function portcullis.hand_lock(uuid), portcullis.hold_entries(uuid, int), portcullis.take_dead_hands(interval),
  portcullis.has_committed(uuid), portcullis.purge_commits(interval, int) from public;
grant execute on function portcullis.hand_lock(uuid), portcullis.hold_entries(uuid, int), portcullis.take_dead_hands(interval),
  portcullis.has_committed(uuid), portcullis.purge_commits(interval, int) to portcullis_app;
