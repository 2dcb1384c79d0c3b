-- Budgets, the windows in which they are used, and what is reserved. No older binary may serve this schema: it would spend unasked.
create table portcullis.budgets (
  tenant_id uuid not null references portcullis.tenants,
  id uuid not null,
  name text not null,
  -- The numbers of SubjectKind, BudgetUnit, WindowKind and BudgetAction.
  subject_kind smallint not null check (subject_kind between 1 and 7),
  -- Empty for the tenant; `*` for each one of the kind; a bare UUID of an agent, a key or a run; else a name.
  subject_id text not null,
  unit smallint not null check (unit between 1 and 3),
  limit_amount bigint not null check (limit_amount >= 0),
  window_kind smallint not null check (window_kind between 1 and 3),
  -- calendar: hour to year. rolling: as it was written; its length is duration_ms.
  duration text not null,
  duration_ms bigint not null,
  time_zone text not null,
  hard boolean not null,
  action smallint not null check (action in (1, 2)),
  active boolean not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  -- What was booked under it stays; nothing new is.
  deleted_at timestamptz,
  -- As in portcullis.keys.
  changed_xid xid8 not null default pg_current_xact_id(),
  primary key (tenant_id, id),
  check (not (active and deleted_at is not null))
);
create index on portcullis.budgets (changed_xid);
create index on portcullis.budgets (tenant_id, subject_kind, subject_id) where active;
create index on portcullis.budgets (tenant_id, id) where deleted_at is null;

-- What one subject has used of a budget in one window: settled for good, and held by reservations. Guarded by the lock of the budget.
create table portcullis.budget_windows (
  tenant_id uuid not null,
  budget_id uuid not null,
  subject text not null,
  start_at timestamptz not null,
  held bigint not null check (held >= 0),
  settled bigint not null,
  -- The highest threshold that was told: 0, 50, 80 or 100 percent.
  alerted smallint not null default 0,
  -- Of what was settled, the part whose reservations are gone, and whether one of them came in late or beyond what it held.
  purged_settled bigint not null default 0,
  purged_over boolean not null default false,
  -- In UTC. A day and no more: it is indexed, and a change of it costs more than one of the sums.
  touched_on date not null default (now() at time zone 'UTC')::date,
  primary key (tenant_id, budget_id, subject, start_at)
) with (fillfactor = 50);
create index on portcullis.budget_windows (tenant_id, budget_id, start_at);
create index on portcullis.budget_windows (touched_on);

-- What was held for a call, and what became of it. It leaves the state held once. An attempt that was charged at once has the row of a
-- reservation that began settled, under the id of the attempt.
create table portcullis.reservations (
  tenant_id uuid not null references portcullis.tenants,
  id uuid not null,
  run_id uuid,
  agent_id uuid,
  key_id uuid,
  provider_type text not null default '',
  provider text not null,
  model text not null,
  -- All names of the model: a kill switch of any of them holds for it.
  models text[] not null default '{}',
  tool text not null,
  -- The number of ReservationState.
  state smallint not null check (state between 1 and 4),
  -- Where it is booked: [{"b": budget, "s": subject, "w": start of the window in milliseconds, "u": unit}].
  legs jsonb not null,
  -- The one attempt that it has paid for.
  attempt_id uuid,
  held_nano_usd bigint not null check (held_nano_usd >= 0),
  held_tokens bigint not null check (held_tokens >= 0),
  -- Used so far, as the holder said: booked where nobody ever settles.
  seen_nano_usd bigint not null default 0,
  seen_tokens bigint not null default 0,
  settled_nano_usd bigint not null default 0,
  settled_tokens bigint not null default 0,
  settled_requests smallint not null default 0,
  price_version text not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  ended_at timestamptz,
  late boolean not null default false,
  killed boolean not null default false,
  primary key (tenant_id, id),
  check ((state = 1) = (ended_at is null))
);
-- Said otherwise than by the state, so that no list of what is held is read along it.
create index on portcullis.reservations (expires_at) where ended_at is null;
create index on portcullis.reservations (ended_at) where ended_at is not null;
create index on portcullis.reservations (tenant_id, id) where state = 1;
create index on portcullis.reservations (tenant_id, run_id, id) where run_id is not null;
create index on portcullis.reservations (tenant_id, agent_id, id) where agent_id is not null;

do $$
declare t text;
begin
  foreach t in array array['budgets', 'budget_windows', 'reservations'] loop
    execute format('alter table portcullis.%I enable row level security', t);
    execute format('alter table portcullis.%I force row level security', t);
    execute format('create policy tenant on portcullis.%I using (tenant_id = (select portcullis.tenant()))', t);
    execute format('create policy owner on portcullis.%I to portcullis_owner using (true)', t);
    execute format('grant select on portcullis.%I to portcullis_app, portcullis_reader', t);
    execute format('grant insert, update on portcullis.%I to portcullis_app', t);
  end loop;
end
$$;

/*
 * The window of a budget at a moment: where it starts, from where use counts, and when it resets. The calendar is that of the time zone,
 * whatever its clocks do; a rolling window is the sum of the buckets that overlap it, each a sixtieth of it and a second at the least.
 */
create function portcullis.budget_window(p_kind smallint, p_duration text, p_ms bigint, p_zone text, p_at timestamptz,
  out start_at timestamptz, out from_at timestamptz, out resets_at timestamptz)
language sql stable
begin atomic
  select case p_kind when 1 then date_trunc(p_duration, p_at, p_zone)
                     when 2 then to_timestamp(floor(x.at_ms / x.width) * x.width / 1000)
                     else to_timestamp(0) end,
         case p_kind when 1 then date_trunc(p_duration, p_at, p_zone)
                     when 2 then to_timestamp(floor((x.at_ms - p_ms) / x.width) * x.width / 1000)
                     else to_timestamp(0) end,
         case when p_kind <> 1 then null
              when p_duration = 'hour' then date_trunc('hour', p_at, p_zone) + interval '1 hour'
              when p_duration = 'quarter' then (date_trunc('quarter', p_at at time zone p_zone) + interval '3 months') at time zone p_zone
              else (date_trunc(p_duration, p_at at time zone p_zone) + ('1 ' || p_duration)::interval) at time zone p_zone end
    from (select extract(epoch from p_at)::float8 * 1000 as at_ms, greatest(1000, ceil(p_ms / 60.0))::float8 as width) x;
end;

/*
 * The use of each subject of a budget in the windows that count now, the fullest ten. Of a budget of each one of a kind the newest 2000
 * windows are looked at.
 */
create function portcullis.budget_use(p_id uuid, p_kind smallint, p_duration text, p_ms bigint, p_zone text) returns json
language sql stable set search_path = pg_catalog, pg_temp
begin atomic
  select coalesce(json_agg(json_build_object('subject', u.subject, 'held', u.held::text, 'settled', u.settled::text, 'resetsAtMs',
           round(extract(epoch from u.resets_at) * 1000)) order by u.held + u.settled desc), '[]')
    from (
      select w.subject, sum(w.held) as held, sum(w.settled) as settled,
             case when p_kind = 2
                    then min(w.start_at) filter (where w.held + w.settled > 0) + interval '1 ms'
                           * (greatest(1000, ceil(p_ms / 60.0)) + p_ms)::float8
                  else min(k.resets_at) end as resets_at
        from portcullis.budget_window(p_kind, p_duration, p_ms, p_zone, now()) k
        cross join lateral (
          select * from portcullis.budget_windows w
           where w.tenant_id = (select portcullis.tenant()) and w.budget_id = p_id and w.start_at >= k.from_at
           order by w.start_at desc limit 2000) w
       group by w.subject order by sum(w.held + w.settled) desc limit 10) u;
end;

-- Who spends: the subjects of one call. Kept from one look of the function below to the next.
create type portcullis.spender as (n int, p int, reservation_id uuid, asks boolean, run_id uuid, agent_id uuid, team text, key_id uuid,
  models text[], tool text, run json);

/*
 * Locks what the calls of a batch spend from, in one order on every replica (reservations by id, then budgets by id; runs were locked
 * before), and then says what stands there. Each look of it has a snapshot of its own, and so sees what the holder of a lock before it
 * has committed. Rows: `clock`, one `call` for each member that may work, `budget`, `window`.
 */
create function portcullis.open_spending(p_members json) returns table (tag text, n int, p int, data json)
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_tenant uuid := portcullis.tenant();
  v_reservations uuid[];
  v_budgets uuid[];
  v_spenders portcullis.spender[];
  v_now timestamptz;
begin
  v_reservations := array(select distinct m."reservationId" from json_to_recordset(p_members) as m("reservationId" uuid)
    where m."reservationId" is not null order by 1);
  if v_reservations <> '{}' then
    perform from portcullis.reservations r where r.tenant_id = v_tenant and r.id = any (v_reservations) order by r.id for no key update;
  end if;
  -- Members with an idempotency key: as in every operation.
  v_spenders := array(
    select row(m.n, m.p, m."reservationId", m.asks, r.id, case when m."runId" is null then m."agentId" else r.agent_id end, a.team,
               m."keyId", m.models, m.tool,
               case when r.id is not null then json_build_object('agentId', r.agent_id, 'workflow', r.workflow,
                 'promptVersion', r.prompt_version, 'finished', r.finished_at is not null, 'attempts', r.total_attempts::text,
                 'costNanoUsd', r.cost_nano_usd::text, 'tokens', (r.input_tokens::numeric + r.cached_read_tokens + r.cache_write_tokens
                   + r.output_tokens + r.reasoning_tokens)::text) end)::portcullis.spender
      from (select m.* from json_to_recordset(p_members) as m(n int, p int, idem bytea, lock1 int, lock2 int, asks boolean,
              "reservationId" uuid, "runId" uuid, "agentId" uuid, "keyId" uuid, models text[], tool text)
              left join lateral (select true as there from portcullis.idempotency i where i.key_digest = m.idem limit 1) old on true
             where m.idem is null or (old.there is null and pg_try_advisory_xact_lock(m.lock1, m.lock2))) m
      left join lateral (select * from portcullis.runs r where r.tenant_id = v_tenant and r.id = m."runId" limit 1) r on true
      left join lateral (select a.labels ->> 'team' as team from portcullis.agents a
        where a.tenant_id = v_tenant and a.id = case when m."runId" is null then m."agentId" else r.agent_id end limit 1) a on true);
  v_budgets := array(
    select b.id
      from (select distinct s.kind, i.id
              from unnest(v_spenders) x
              cross join lateral (values (1, ''), (2, x.team), (3, x.agent_id::text), (4, x.key_id::text), (5, x.run_id::text),
                (7, x.tool) union all select 6, m from unnest(x.models) m) s(kind, id)
              cross join lateral (values (s.id), ('*')) i(id)
             where x.asks and s.id is not null and (s.id <> '' or s.kind = 1)) s
      cross join lateral (select b.id from portcullis.budgets b
        where b.tenant_id = v_tenant and b.active and b.subject_kind = s.kind::smallint and b.subject_id = s.id limit 1000) b
    union
    select l.budget
      from portcullis.reservations r
      cross join lateral (select (leg ->> 'b')::uuid as budget from jsonb_array_elements(r.legs) leg) l
     where r.tenant_id = v_tenant and r.id = any (v_reservations)
     order by 1);
  perform from portcullis.budgets b where b.tenant_id = v_tenant and b.id = any (v_budgets) order by b.id for no key update;

  -- The clock is read under the locks: who comes later has the later time.
  v_now := clock_timestamp();
  return query select 'clock', null::int, null::int, json_build_object('nowMs', floor(extract(epoch from v_now) * 1000));
  return query
    select 'call', x.n, x.p, json_build_object('runId', x.run_id, 'agentId', x.agent_id, 'team', x.team, 'keyId', x.key_id, 'run', x.run,
             'reservation', r.data)
      from unnest(v_spenders) x
      left join lateral (
        select json_build_object('id', r.id, 'runId', r.run_id, 'agentId', r.agent_id, 'providerType', r.provider_type,
                 'provider', r.provider, 'model', r.model, 'tool', r.tool, 'state', r.state, 'legs', r.legs,
                 'attemptId', r.attempt_id, 'heldNanoUsd', r.held_nano_usd::text, 'heldTokens', r.held_tokens::text,
                 'seenNanoUsd', r.seen_nano_usd::text, 'seenTokens', r.seen_tokens::text, 'settledNanoUsd', r.settled_nano_usd::text,
                 'settledTokens', r.settled_tokens::text, 'settledRequests', r.settled_requests,
                 'createdAtMs', round(extract(epoch from r.created_at) * 1000), 'expiresAtMs', round(extract(epoch from r.expires_at) * 1000),
                 'endedAtMs', round(extract(epoch from r.ended_at) * 1000), 'late', r.late, 'killed', r.killed) as data
          from portcullis.reservations r where r.tenant_id = v_tenant and r.id = x.reservation_id limit 1) r on true;
  return query
    select 'budget', null::int, null::int, json_build_object('id', b.id, 'name', b.name, 'subjectKind', b.subject_kind,
             'subjectId', b.subject_id, 'unit', b.unit, 'limit', b.limit_amount::text, 'windowKind', b.window_kind,
             'durationMs', b.duration_ms, 'hard', b.hard, 'action', b.action, 'active', b.active,
             'startMs', round(extract(epoch from w.start_at) * 1000), 'fromMs', round(extract(epoch from w.from_at) * 1000),
             'resetsAtMs', round(extract(epoch from w.resets_at) * 1000))
      from portcullis.budgets b
      cross join lateral portcullis.budget_window(b.window_kind, b.duration, b.duration_ms, b.time_zone, v_now) w
     where b.tenant_id = v_tenant and b.id = any (v_budgets);
  return query
    select 'window', null::int, null::int, json_build_object('budgetId', q.budget, 'subject', q.subject,
             'startMs', round(extract(epoch from w.start_at) * 1000), 'held', w.held::text, 'settled', w.settled::text,
             'alerted', w.alerted)
      from (select b.id as budget, s.subject, k.from_at
              from portcullis.budgets b
              cross join lateral portcullis.budget_window(b.window_kind, b.duration, b.duration_ms, b.time_zone, v_now) k
              cross join lateral (
                select b.subject_id as subject where b.subject_id <> '*'
                union
                select case b.subject_kind when 2 then x.team when 3 then x.agent_id::text when 4 then x.key_id::text
                         when 5 then x.run_id::text when 6 then x.models[1] when 7 then x.tool end
                  from unnest(v_spenders) x where b.subject_id = '*') s
             where b.tenant_id = v_tenant and b.id = any (v_budgets) and s.subject is not null) q
      cross join lateral (select * from portcullis.budget_windows w
        where w.tenant_id = v_tenant and w.budget_id = q.budget and w.subject = q.subject and w.start_at >= q.from_at
        order by w.start_at desc limit 64) w;
  if v_reservations <> '{}' then
    return query
      select 'window', null::int, null::int, json_build_object('budgetId', l.budget, 'subject', l.subject,
               'startMs', round(extract(epoch from w.start_at) * 1000), 'held', w.held::text, 'settled', w.settled::text,
               'alerted', w.alerted)
        from (select distinct (leg ->> 'b')::uuid as budget, leg ->> 's' as subject,
                     to_timestamp((leg ->> 'w')::float8 / 1000) as start_at
                from portcullis.reservations r cross join lateral jsonb_array_elements(r.legs) leg
               where r.tenant_id = v_tenant and r.id = any (v_reservations)) l
        cross join lateral (select * from portcullis.budget_windows w
          where w.tenant_id = v_tenant and w.budget_id = l.budget and w.subject = l.subject and w.start_at = l.start_at limit 1) w;
  end if;
end
$$;

/*
 * Writes one budget and answers what stood there before (SPEC B8). Every budget of the tenant is locked in order of the ids, as spending
 * locks those that it needs. What is counted, for whom and over which time stays as it was made: what was booked would mean something else.
 */
create function portcullis.put_budget(p_new portcullis.budgets, p_made boolean, p_at_most int, out verdict text, out before portcullis.budgets)
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if p_new.time_zone <> 'UTC' and not exists (select from pg_timezone_names z where z.name = p_new.time_zone) then
    verdict := 'time_zone';
    return;
  end if;
  perform from portcullis.budgets b where b.tenant_id = portcullis.tenant() and b.deleted_at is null order by b.id for no key update;
  verdict := 'done';
  if p_made then
    if (select count(*) from (select from portcullis.budgets b
          where b.tenant_id = portcullis.tenant() and b.deleted_at is null limit p_at_most) b) >= p_at_most then
      verdict := 'too_many';
      return;
    end if;
    p_new.tenant_id := portcullis.tenant();
    p_new.changed_xid := pg_current_xact_id();
    insert into portcullis.budgets select p_new.*;
  else
    select * into before from portcullis.budgets b
     where b.tenant_id = portcullis.tenant() and b.id = p_new.id and b.deleted_at is null;
    if not found then
      verdict := 'object.not_found';
      return;
    end if;
    if (before.subject_kind, before.subject_id, before.unit, before.window_kind, before.duration_ms, before.time_zone)
        <> (p_new.subject_kind, p_new.subject_id, p_new.unit, p_new.window_kind, p_new.duration_ms, p_new.time_zone)
       or (before.window_kind = 1 and before.duration <> p_new.duration) then
      verdict := 'object.state';
      return;
    end if;
    update portcullis.budgets b
       set name = p_new.name, limit_amount = p_new.limit_amount, hard = p_new.hard, action = p_new.action, active = p_new.active,
           updated_at = p_new.updated_at, changed_xid = pg_current_xact_id()
     where b.tenant_id = portcullis.tenant() and b.id = p_new.id;
  end if;
  perform pg_notify('portcullis_credentials', '');
end
$$;

-- No row where it is not there. What was booked under it stays.
create function portcullis.delete_budget(p_id uuid, p_at timestamptz) returns setof portcullis.budgets
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  before portcullis.budgets;
begin
  perform from portcullis.budgets b where b.tenant_id = portcullis.tenant() and b.deleted_at is null order by b.id for no key update;
  select * into before from portcullis.budgets b where b.tenant_id = portcullis.tenant() and b.id = p_id and b.deleted_at is null;
  if not found then
    return;
  end if;
  update portcullis.budgets b set active = false, deleted_at = p_at, updated_at = p_at, changed_xid = pg_current_xact_id()
   where b.tenant_id = portcullis.tenant() and b.id = p_id;
  perform pg_notify('portcullis_credentials', '');
  return next before;
end
$$;

-- Which tenants have had budgets in force, for those who keep that in memory.
create function portcullis.load_budgets(since xid8) returns table (tenant_id uuid, id uuid, in_force boolean)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select b.tenant_id, b.id, b.active and b.deleted_at is null from portcullis.budgets b where b.changed_xid >= since;
end;

-- Reservations that nobody ended in time, of every tenant; whoever takes them submits their expiry, which looks again.
create function portcullis.due_reservations(p_at_most int) returns table (id uuid, tenant_id uuid, tenant_name text)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select r.id, r.tenant_id, t.name
    from (select d.id, d.tenant_id from portcullis.reservations d
           where d.ended_at is null and d.expires_at < now() order by d.expires_at limit p_at_most) r
    join portcullis.tenants t on t.id = r.tenant_id;
end;

/*
 * Adds up again what the windows say (SPEC B4): held is the sum of what is held, settled that of what was settled, purged reservations
 * among it, and a hard budget is not exceeded but by what came in late or beyond what was held. Looked at are the windows that were
 * touched since that day, and those that reservations name that are held or have ended since. Answers what is wrong, at most a hundred
 * lines.
 */
create function portcullis.check_budgets(p_since timestamptz default '-infinity')
returns table (tenant_id uuid, budget_id uuid, subject text, start_at timestamptz, problem text)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_from timestamptz;
begin
  -- What is booked in a window was made after its start, and so it ended after it.
  select least(p_since, min(w.start_at)) into v_from
    from portcullis.budget_windows w where w.touched_on >= (p_since at time zone 'UTC')::date;
  select least(v_from, min(to_timestamp((leg ->> 'w')::float8 / 1000))) into v_from
    from portcullis.reservations r cross join lateral jsonb_array_elements(r.legs) leg
   where r.ended_at is null or r.ended_at >= p_since;
  return query
  with booked as (
    select l.tenant_id, l.budget_id, l.subject, l.start_at, bool_or(l.changed) as changed, sum(l.held) as held,
           sum(l.settled) as settled, bool_or(l.beyond) as beyond
      from (
        select r.tenant_id, (leg ->> 'b')::uuid as budget_id, leg ->> 's' as subject,
               to_timestamp((leg ->> 'w')::float8 / 1000) as start_at,
               r.ended_at is null or r.ended_at >= p_since as changed,
               case when r.state <> 1 then 0
                    else case (leg ->> 'u')::int when 1 then r.held_nano_usd when 2 then r.held_tokens else 1 end end as held,
               case when r.state = 1 then 0
                    else case (leg ->> 'u')::int when 1 then r.settled_nano_usd when 2 then r.settled_tokens
                           else r.settled_requests end end as settled,
               r.late or r.settled_nano_usd > r.held_nano_usd or r.settled_tokens > r.held_tokens as beyond
          from portcullis.reservations r cross join lateral jsonb_array_elements(r.legs) leg
         where r.ended_at is null or r.ended_at >= v_from) l
     group by 1, 2, 3, 4)
  select coalesce(w.tenant_id, b.tenant_id), coalesce(w.budget_id, b.budget_id), coalesce(w.subject, b.subject),
         coalesce(w.start_at, b.start_at),
         case when coalesce(w.held, 0) <> coalesce(b.held, 0)
                then format('held is %s, and the reservations hold %s', coalesce(w.held, 0), coalesce(b.held, 0))
              when coalesce(w.settled, 0) <> coalesce(w.purged_settled, 0) + coalesce(b.settled, 0)
                then format('settled is %s, and %s was settled', coalesce(w.settled, 0),
                            coalesce(w.purged_settled, 0) + coalesce(b.settled, 0))
              else format('%s of %s is used without an overage', w.held + w.settled, g.limit_amount) end
    from portcullis.budget_windows w
    full join booked b on b.tenant_id = w.tenant_id and b.budget_id = w.budget_id and b.subject = w.subject and b.start_at = w.start_at
    left join portcullis.budgets g on g.tenant_id = w.tenant_id and g.id = w.budget_id
   where (w.touched_on >= (p_since at time zone 'UTC')::date or b.changed)
     and (coalesce(w.held, 0) <> coalesce(b.held, 0)
          or coalesce(w.settled, 0) <> coalesce(w.purged_settled, 0) + coalesce(b.settled, 0)
          or (g.hard and g.action = 1 and w.held + w.settled > g.limit_amount and not w.purged_over and not coalesce(b.beyond, false)
              and g.created_at = g.updated_at))
   limit 100;
end
$$;

/*
 * Removes reservations that ended more than 30 days ago, at most so many, and keeps in their windows what was settled of them; then windows
 * that are over and were not touched for 400 days, and those of runs that never are over. Answers how many rows went. One process at a
 * time. Tenant by tenant as the writers go, and of each the reservations before the budgets.
 */
create function portcullis.purge_budgets(p_at_most int) returns int
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_tenant uuid;
  v_old uuid[];
  v_ids uuid[];
  v_found int := 0;
  v_purged int := 0;
  v_gone int;
begin
  if not pg_try_advisory_xact_lock(hashtext('portcullis purge budgets')) then
    return 0;
  end if;
  for v_tenant, v_old in
    select o.tenant_id, array_agg(o.id)
      from (select r.tenant_id, r.id from portcullis.reservations r
             where r.ended_at < now() - interval '30 days' order by r.ended_at limit p_at_most) o
     group by o.tenant_id order by o.tenant_id
  loop
    v_found := v_found + cardinality(v_old);
    -- One that somebody has at hand, or that was settled late meanwhile, waits for another turn.
    v_ids := array(select r.id from portcullis.reservations r
      where r.tenant_id = v_tenant and r.id = any (v_old) and r.ended_at < now() - interval '30 days'
      order by r.id for update skip locked);
    -- Whoever has the lock of a budget finds its windows as they were.
    perform from portcullis.budgets b
     where b.tenant_id = v_tenant and b.id = any (array(
       select (leg ->> 'b')::uuid from portcullis.reservations r cross join lateral jsonb_array_elements(r.legs) leg
        where r.tenant_id = v_tenant and r.id = any (v_ids)))
     order by b.id for no key update;
    with gone as (
      delete from portcullis.reservations r where r.tenant_id = v_tenant and r.id = any (v_ids) returning r.*),
    booked as (
      select (leg ->> 'b')::uuid as budget_id, leg ->> 's' as subject, to_timestamp((leg ->> 'w')::float8 / 1000) as start_at,
             sum(case (leg ->> 'u')::int when 1 then r.settled_nano_usd when 2 then r.settled_tokens else r.settled_requests end) as settled,
             bool_or(r.late or r.settled_nano_usd > r.held_nano_usd or r.settled_tokens > r.held_tokens) as beyond
        from gone r cross join lateral jsonb_array_elements(r.legs) leg
       group by 1, 2, 3)
    update portcullis.budget_windows w
       set purged_settled = w.purged_settled + b.settled::bigint, purged_over = w.purged_over or b.beyond
      from booked b
     where w.tenant_id = v_tenant and w.budget_id = b.budget_id and w.subject = b.subject and w.start_at = b.start_at;
    v_purged := v_purged + cardinality(v_ids);
  end loop;
  -- Reservations go first: a window stays for as long as one of its own does.
  if v_found >= p_at_most then
    return v_purged;
  end if;
  delete from portcullis.budget_windows w
   where w.ctid = any (array(
     select o.ctid
       from portcullis.budget_windows o
       join portcullis.budgets b on b.tenant_id = o.tenant_id and b.id = o.budget_id
      where o.touched_on < (now() at time zone 'UTC')::date - 400 and o.held = 0
        and case b.window_kind
              when 1 then o.start_at + case b.duration when 'quarter' then '3 months' else '1 ' || b.duration end::interval < now()
              when 2 then o.start_at + interval '1 ms' * (b.duration_ms * 2 + 1000) < now()
              -- Of a run, or of a budget that has ended.
              else b.subject_kind = 5 or b.deleted_at < now() - interval '400 days' end
      order by o.touched_on limit p_at_most
      for update of o skip locked for no key update of b skip locked));
  get diagnostics v_gone = row_count;
  return v_purged + v_gone;
end
$$;

revoke all on function portcullis.budget_use(uuid, smallint, text, bigint, text), portcullis.budget_window(smallint, text, bigint, text, timestamptz), portcullis.open_spending(json),
  portcullis.due_reservations(int), portcullis.check_budgets(timestamptz), portcullis.purge_budgets(int), portcullis.put_budget(portcullis.budgets, boolean, int),
  portcullis.delete_budget(uuid, timestamptz), portcullis.load_budgets(xid8) from public;
grant execute on function portcullis.budget_window(smallint, text, bigint, text, timestamptz), portcullis.budget_use(uuid, smallint, text, bigint, text) to portcullis_app, portcullis_reader;
grant execute on function portcullis.open_spending(json), portcullis.due_reservations(int), portcullis.purge_budgets(int),
  portcullis.put_budget(portcullis.budgets, boolean, int), portcullis.delete_budget(uuid, timestamptz), portcullis.load_budgets(xid8)
  to portcullis_app;
grant execute on function portcullis.check_budgets(timestamptz) to portcullis_app, portcullis_reader;
revoke all on type portcullis.spender from public;
grant usage on type portcullis.spender to portcullis_app;
