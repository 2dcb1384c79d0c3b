-- The kill switch. No older binary may serve this schema: it would not see what is engaged.
create table portcullis.kill_state (
  only_row boolean primary key default true check (only_row),
  -- Counts every engage and release. They exclude each other and all writes, so that their order is the order of their commits.
  epoch bigint not null default 0
);
insert into portcullis.kill_state default values;
grant select on portcullis.kill_state to portcullis_app, portcullis_reader;

/*
 * Every transaction that writes for a caller begins here (SPEC K2). It was decided under the kills of an epoch: another one in force by
 * now is told with the state PK001, and nothing is done. The lock is taken by a statement before the look, so that the look sees what
 * the holder before has committed. Shared by all writes; exclusive for the write that changes what is engaged.
 */
create function portcullis.enter_writes(p_epoch bigint, p_exclusive boolean) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  epoch_now bigint;
begin
  if p_exclusive then
    perform pg_advisory_xact_lock(hashtext('portcullis kill switch'));
  else
    perform pg_advisory_xact_lock_shared(hashtext('portcullis kill switch'));
  end if;
  select k.epoch into epoch_now from portcullis.kill_state k;
  if epoch_now <> p_epoch then
    raise exception 'the kill switch has changed' using errcode = 'PK001';
  end if;
end
$$;
revoke all on function portcullis.enter_writes(bigint, boolean) from public;
grant execute on function portcullis.enter_writes(bigint, boolean) to portcullis_app;

-- What is or was stopped. Everything of everybody stands with the tenant of the platform. Rows are changed by the functions below alone.
create table portcullis.kills (
  tenant_id uuid not null references portcullis.tenants,
  id uuid not null,
  -- The number of KillScopeKind.
  scope smallint not null check (scope between 1 and 7),
  -- A bare id of a tenant, an agent or a key; the name of a model, a tool or a job kind; empty for everything.
  subject text not null check (length(subject) <= 200),
  reason text not null check (reason <> ''),
  actor text not null,
  -- Who runs the platform engaged it: nobody else releases it.
  by_platform boolean not null,
  engaged_at timestamptz not null,
  expires_at timestamptz,
  released_at timestamptz,
  released_by text not null default '',
  release_reason text not null default '',
  -- Of kill_state, as its last change left it.
  epoch bigint not null,
  runs_cancelled bigint not null default 0,
  reservations_settled bigint not null default 0,
  -- When nothing was under way in its scope any more.
  cancelled_at timestamptz,
  -- As in portcullis.keys.
  changed_xid xid8 not null default pg_current_xact_id(),
  primary key (tenant_id, id)
);
create index on portcullis.kills (changed_xid);
create index on portcullis.kills (tenant_id, id) where released_at is null;
create index on portcullis.kills (tenant_id, id) where cancelled_at is null;

-- What drills have measured, in microseconds (SPEC K5).
create table portcullis.kill_drills (
  tenant_id uuid not null references portcullis.tenants,
  id uuid not null,
  kill_id uuid not null,
  deny_p50_us bigint not null,
  deny_p99_us bigint not null,
  cancel_p50_us bigint not null,
  cancel_p99_us bigint not null,
  probes int not null,
  replicas int not null,
  actor text not null,
  created_at timestamptz not null,
  primary key (tenant_id, id)
);

-- The processes that serve, and the epoch up to which each denies. A process writes its own row.
create table portcullis.replicas (
  id uuid primary key,
  started_at timestamptz not null default now(),
  seen_at timestamptz not null default now(),
  kill_epoch bigint not null
);

alter table portcullis.kills enable row level security;
alter table portcullis.kills force row level security;
create policy tenant on portcullis.kills using (tenant_id = (select portcullis.tenant()));
create policy owner on portcullis.kills to portcullis_owner using (true);
alter table portcullis.kill_drills enable row level security;
alter table portcullis.kill_drills force row level security;
create policy tenant on portcullis.kill_drills using (tenant_id = (select portcullis.tenant()));
create policy owner on portcullis.kill_drills to portcullis_owner using (true);
-- Nobody but the functions below sees it.
alter table portcullis.replicas enable row level security;
alter table portcullis.replicas force row level security;
create policy owner on portcullis.replicas to portcullis_owner using (true);
grant select on portcullis.kills, portcullis.kill_drills to portcullis_app, portcullis_reader;
grant insert on portcullis.kill_drills to portcullis_app;

create function portcullis.next_kill_epoch() returns bigint
language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
  update portcullis.kill_state set epoch = epoch + 1 returning epoch;
end;

/*
 * Engages. No row where the scope names nothing that is there for the caller. MUST run under the exclusive lock of enter_writes:
 * whoever writes afterwards looks at what is engaged first. With `p_once` it answers with what is there already, where that lasts at least
 * as long, or is the actor's own and both end by themselves; what the platform engaged is the platform's, and stands for nobody else's.
 */
create function portcullis.engage_kill(p_id uuid, p_scope smallint, p_subject text, p_reason text, p_actor text, p_engaged_at timestamptz,
  p_expires_at timestamptz, p_platform boolean, p_once boolean, p_at_most int, p_of_actor int, p_of_subject int)
returns table (verdict text, kill portcullis.kills)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  mine uuid := portcullis.tenant();
  home uuid;
  engaged portcullis.kills;
begin
  if p_scope = 1 then
    if p_platform then home := mine; end if;
  elsif p_scope = 2 then
    select t.id into home from portcullis.tenants t where t.id = p_subject::uuid and (p_platform or t.id = mine);
  elsif p_scope = 3 then
    select t.id into home from portcullis.tenants t
      cross join lateral (select from portcullis.agents a where a.tenant_id = t.id and a.id = p_subject::uuid limit 1) a
     where p_platform or t.id = mine;
  elsif p_scope = 4 then
    select t.id into home from portcullis.tenants t
      cross join lateral (select from portcullis.keys k where k.tenant_id = t.id and k.id = p_subject::uuid limit 1) k
     where p_platform or t.id = mine;
  else
    home := mine;
  end if;
  if home is null then return; end if;
  if p_once then
    select k.* into engaged from portcullis.kills k
     where k.tenant_id = home and k.released_at is null and k.scope = p_scope and k.subject = p_subject
       and k.by_platform = p_platform and (k.expires_at is null or k.expires_at > clock_timestamp())
       and (k.expires_at is null or k.expires_at >= p_expires_at or (k.actor = p_actor and p_expires_at is not null))
     order by k.id limit 1;
    if found then return query select 'done'::text, engaged; return; end if;
  end if;
  -- All of them are in the memory of every replica. Names are anybody's to make up, so that a tenant and an actor have so many of them; of
  -- what has an id an actor has so many for each, so that nobody uses up what others stop it with.
  if not p_platform and not p_once and (
    select case when p_scope > 4 then count(*) >= p_at_most or count(*) filter (where k.actor = p_actor) >= p_of_actor
                else count(*) filter (where k.actor = p_actor) >= p_of_subject end
      from portcullis.kills k
     where k.tenant_id = home and k.released_at is null and (k.expires_at is null or k.expires_at > clock_timestamp())
       and case when p_scope > 4 then k.scope > 4 and not k.by_platform else k.scope = p_scope and k.subject = p_subject end) then
    return query select 'object.state'::text, null::portcullis.kills;
    return;
  end if;
  insert into portcullis.kills (id, tenant_id, scope, subject, reason, actor, by_platform, engaged_at, expires_at, epoch, cancelled_at)
  values (p_id, home, p_scope, p_subject, p_reason, p_actor, p_platform, p_engaged_at, p_expires_at, portcullis.next_kill_epoch(),
    case when p_scope > 6 then p_engaged_at end)
  returning * into engaged;
  perform pg_notify('portcullis_credentials', '');
  return query select 'done'::text, engaged;
end
$$;

/*
 * Releases one, or (without p_id) all of the caller's tenant as a whole that are the caller's to release. Nobody releases what stops itself,
 * an agent or the key that asks, and the platform alone what it engaged.
 */
create function portcullis.release_kill(p_id uuid, p_actor text, p_reason text, p_at timestamptz, p_platform boolean, p_own text[])
returns table (verdict text, kill portcullis.kills)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  mine uuid := portcullis.tenant();
  engaged portcullis.kills;
begin
  for engaged in
    select k.* from portcullis.tenants t
      cross join lateral (select o.* from portcullis.kills o where o.tenant_id = t.id and o.id = p_id limit 1) k
     where p_platform or t.id = mine
    union all
    select k.* from portcullis.kills k where p_id is null and k.tenant_id = mine and k.scope = 2 and k.released_at is null
       and (k.expires_at is null or k.expires_at > clock_timestamp()) and (p_platform or not k.by_platform)
  loop
    if engaged.scope in (3, 4) and engaged.subject = any (p_own) then
      return query select 'kill.engaged'::text, engaged;
      return;
    end if;
    if engaged.by_platform and not p_platform then
      return query select 'auth.scope_missing'::text, engaged;
      return;
    end if;
    if engaged.released_at is not null then
      return query select 'object.state'::text, engaged;
      return;
    end if;
    update portcullis.kills k set released_at = p_at, released_by = p_actor, release_reason = p_reason,
           epoch = portcullis.next_kill_epoch(), changed_xid = pg_current_xact_id()
     where k.id = engaged.id returning k.* into engaged;
    perform pg_notify('portcullis_credentials', '');
    return query select 'done'::text, engaged;
  end loop;
end
$$;

-- The epoch now, in each row, and what changed: one row at the least, and all of one snapshot.
create function portcullis.load_kills(since xid8) returns table (
  epoch_now bigint, id uuid, tenant_id uuid, scope smallint, subject text, reason text, actor text, engaged_at timestamptz,
  expires_at timestamptz, released_at timestamptz, epoch bigint, cancelled boolean, by_platform boolean
)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select s.epoch, k.id, case when k.scope <> 1 then k.tenant_id end, k.scope, k.subject, k.reason, k.actor, k.engaged_at, k.expires_at, k.released_at, k.epoch,
         k.cancelled_at is not null, k.by_platform
    from portcullis.kill_state s
    left join portcullis.kills k on k.changed_xid >= since and (since <> '0'::xid8 or k.released_at is null);
end;

-- Says that this process denies what is engaged up to that epoch.
create function portcullis.see_replica(p_id uuid, p_epoch bigint) returns void
language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
  delete from portcullis.replicas where seen_at < now() - interval '1 hour';
  insert into portcullis.replicas as r (id, kill_epoch) values (p_id, p_epoch)
  on conflict (id) do update set seen_at = now(), kill_epoch = greatest(r.kill_epoch, excluded.kill_epoch);
end;

create function portcullis.leave_replica(p_id uuid) returns void
language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
  delete from portcullis.replicas where id = p_id;
end;

create function portcullis.kill_acks(p_epoch bigint) returns table (replicas int, acknowledged int)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select count(*)::int, (count(*) filter (where r.kill_epoch >= p_epoch))::int
    from portcullis.replicas r where r.seen_at > now() - interval '30 seconds';
end;

/*
 * Ends runs under way in the scope of a kill, of the tenant that is set, as many as there are ids for events, and adds up what was settled
 * elsewhere. MUST run under the exclusive lock of enter_writes, so that no run is locked by two transactions in two orders.
 */
create function portcullis.cancel_killed(p_kill uuid, p_event_ids uuid[], p_at timestamptz, p_settled int) returns int
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  mine uuid := portcullis.tenant();
  killed portcullis.kills;
  ended int;
  why text;
begin
  select k.* into killed from portcullis.kills k
   where k.id = p_kill and k.cancelled_at is null and k.released_at is null and (k.expires_at is null or k.expires_at > clock_timestamp())
     and (k.scope = 1 or k.tenant_id = mine);
  if not found then return 0; end if;
  update portcullis.kills k set reservations_settled = k.reservations_settled + p_settled
   where k.id = p_kill and k.cancelled_at is null and p_settled > 0;
  if killed.scope > 3 then return 0; end if;
  -- Why everything of everybody stops is the platform's to know.
  why := case when killed.scope = 1 then 'killed: everything is stopped' else left('killed: ' || killed.reason, 2000) end;
  with due as (
    select u.id, row_number() over (order by u.id) as nth from (
      select r.id from portcullis.runs r
       where r.tenant_id = mine and r.status = 2 and r.finished_at is null and (killed.scope <> 3 or r.agent_id::text = killed.subject)
       order by r.id limit cardinality(p_event_ids) for update) u),
  closed as (
    update portcullis.runs r set status = 5, last_error = why, finished_at = p_at
      from due where r.tenant_id = mine and r.id = due.id
    returning r.id, r.workflow, r.agent_id, due.nth),
  told as (
    insert into portcullis.run_events (tenant_id, id, run_id, agent_id, event_type, level, message, data_json, created_at)
    select mine, p_event_ids[nth], id, agent_id, 'kill.cancelled', 3, 'the run was cancelled: a kill switch is engaged',
           json_build_object('killId', 'kil_' || killed.id)::text, p_at from closed),
  counted as (
    insert into portcullis.workflow_deltas (tenant_id, workflow, finished_runs)
    select mine, workflow, count(*) from closed group by workflow)
  select count(*) into ended from closed;
  update portcullis.kills k set runs_cancelled = k.runs_cancelled + ended where k.id = p_kill and k.cancelled_at is null and ended > 0;
  return ended;
end
$$;

/*
 * What is left to be ended because of kills, by tenant: whether runs are, and the reservations that are held, at most so many. Kills that
 * are through are marked. Reservations are of a later migration: this body is read when it runs.
 */
create function portcullis.kill_work(p_at_most int)
returns table (kill_id uuid, tenant_id uuid, tenant_name text, runs boolean, reservations uuid[])
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  -- What is engaged while this looks has not been looked at.
  looked bigint := (select s.epoch from portcullis.kill_state s);
begin
  return query
    select * from (
      select k.id, t.id, t.name,
             k.scope <= 3 and exists (select from portcullis.runs r where r.tenant_id = t.id and r.status = 2 and r.finished_at is null
               and (k.scope <> 3 or r.agent_id::text = k.subject)) as runs,
             array(select v.id from portcullis.reservations v where v.tenant_id = t.id and v.state = 1
               and case k.scope when 3 then v.agent_id::text = k.subject when 4 then v.key_id::text = k.subject
                     when 5 then k.subject = any (v.models) when 6 then v.tool = k.subject else true end
               order by v.id limit p_at_most) as held
        from portcullis.kills k
        join portcullis.tenants t on k.scope = 1 or k.tenant_id = t.id
       where k.cancelled_at is null and k.released_at is null and (k.expires_at is null or k.expires_at > clock_timestamp())) w
     where w.runs or cardinality(w.held) > 0
     order by 1, 2 limit 100;
  if not found then
    update portcullis.kills k set cancelled_at = now(), changed_xid = pg_current_xact_id()
     where k.cancelled_at is null and k.epoch <= looked;
  end if;
end
$$;

do $$
declare f text;
begin
  foreach f in array array[
    'next_kill_epoch()', 'engage_kill(uuid, smallint, text, text, text, timestamptz, timestamptz, boolean, boolean, int, int, int)',
    'release_kill(uuid, text, text, timestamptz, boolean, text[])', 'load_kills(xid8)', 'see_replica(uuid, bigint)',
    'leave_replica(uuid)', 'kill_acks(bigint)', 'cancel_killed(uuid, uuid[], timestamptz, int)', 'kill_work(int)'
  ] loop
    execute format('revoke all on function portcullis.%s from public', f);
    execute format('grant execute on function portcullis.%s to portcullis_app', f);
  end loop;
  -- Only the functions above count.
  revoke execute on function portcullis.next_kill_epoch() from portcullis_app;
end
$$;
