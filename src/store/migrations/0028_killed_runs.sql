-- serves from 0026
-- The key that a run was begun with, so that a kill of the key ends it (SPEC K3). Null where it was begun without one, or before this.
alter table portcullis.runs add column key_id uuid;

-- As before, with the runs of a key.
create or replace function portcullis.cancel_killed(p_kill uuid, p_event_ids uuid[], p_at timestamptz, p_settled int) returns int
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
  if killed.scope > 4 then return 0; end if;
  -- Why everything of everybody stops is the platform's to know.
  why := case when killed.scope = 1 then 'killed: everything is stopped' else left('killed: ' || killed.reason, 2000) end;
  with due as (
    select u.id, row_number() over (order by u.id) as nth from (
      select r.id from portcullis.runs r
       where r.tenant_id = mine and r.status = 2 and r.finished_at is null
         and case killed.scope when 3 then r.agent_id::text = killed.subject when 4 then r.key_id::text = killed.subject else true end
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

-- What is left to be ended of a kill in one tenant: whether runs are, and the reservations that are held, at most so many.
create function portcullis.left_of_kill(p_scope smallint, p_subject text, p_tenant uuid, p_at_most int)
returns table (runs boolean, reservations uuid[])
language sql stable set search_path = pg_catalog, pg_temp
begin atomic
  select p_scope <= 4 and exists (select from portcullis.runs r where r.tenant_id = p_tenant and r.status = 2 and r.finished_at is null
           and case p_scope when 3 then r.agent_id::text = p_subject when 4 then r.key_id::text = p_subject else true end),
         array(select v.id from portcullis.reservations v where v.tenant_id = p_tenant and v.state = 1
           and case p_scope when 3 then v.agent_id::text = p_subject when 4 then v.key_id::text = p_subject
                 when 5 then p_subject = any (v.models) when 6 then v.tool = p_subject else true end
           order by v.id limit p_at_most);
end;

-- As before, with the runs of a key. It marks nothing: whoever finds nothing left asks `kills_through`.
create or replace function portcullis.kill_work(p_at_most int)
returns table (kill_id uuid, tenant_id uuid, tenant_name text, runs boolean, reservations uuid[])
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select k.id, t.id, t.name, w.runs, w.reservations
    from portcullis.kills k
    join portcullis.tenants t on k.scope = 1 or k.tenant_id = t.id
    cross join lateral portcullis.left_of_kill(k.scope, k.subject, t.id, p_at_most) w
   where k.cancelled_at is null and k.released_at is null and (k.expires_at is null or k.expires_at > clock_timestamp())
     and (w.runs or cardinality(w.reservations) > 0)
   order by 1, 2 limit 100;
end;

/*
 * Kills that are not marked as through and have nothing left to end: those that are over, and those in whose scope nothing is under way.
 * Nothing is begun in it once it is engaged, so that what is through stays so.
 */
create function portcullis.kills_through() returns table (kill_id uuid, tenant_id uuid, tenant_name text)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select k.id, h.id, h.name
    from portcullis.kills k
    join portcullis.tenants h on h.id = k.tenant_id
   where k.cancelled_at is null
     and (k.released_at is not null or k.expires_at <= clock_timestamp() or not exists (
       select from portcullis.tenants t
         cross join lateral portcullis.left_of_kill(k.scope, k.subject, t.id, 1) w
        where (k.scope = 1 or k.tenant_id = t.id) and (w.runs or cardinality(w.reservations) > 0)))
   order by k.id limit 100;
end;

-- Marks a kill of the tenant that is set as through, once: how much was ended for it, and no row where it is marked already.
create function portcullis.finish_kill(p_kill uuid) returns table (runs bigint, reservations bigint)
language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
  update portcullis.kills k set cancelled_at = clock_timestamp(), changed_xid = pg_current_xact_id()
   where k.tenant_id = portcullis.tenant() and k.id = p_kill and k.cancelled_at is null
  returning k.runs_cancelled, k.reservations_settled;
end;

revoke all on function portcullis.left_of_kill(smallint, text, uuid, int), portcullis.kills_through(), portcullis.finish_kill(uuid) from public;
grant execute on function portcullis.kills_through(), portcullis.finish_kill(uuid) to portcullis_app;
