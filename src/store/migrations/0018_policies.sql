-- What runs and attempts of a tenant may use, at most. Replicas keep both tables in memory, as they keep keys. No older binary may serve
-- this schema: it would not hold anybody to the limits.
create table portcullis.policies (
  tenant_id uuid not null references portcullis.tenants,
  -- 0 is no limit.
  max_cost_per_run_nano_usd bigint not null default 0 check (max_cost_per_run_nano_usd >= 0),
  max_attempts_per_run bigint not null default 0 check (max_attempts_per_run >= 0),
  max_tokens_per_run bigint not null default 0 check (max_tokens_per_run >= 0),
  max_latency_per_attempt_ms bigint not null default 0 check (max_latency_per_attempt_ms >= 0),
  updated_at timestamptz not null,
  -- As in portcullis.keys.
  changed_xid xid8 not null default pg_current_xact_id(),
  primary key (tenant_id)
);
create index on portcullis.policies (changed_xid);

create table portcullis.policy_caps (
  tenant_id uuid not null references portcullis.tenants,
  id uuid not null,
  name text not null,
  -- Empty stands for every one.
  provider_type text not null,
  provider text not null,
  model text not null,
  max_cost_per_run_nano_usd bigint not null check (max_cost_per_run_nano_usd >= 0),
  max_attempts_per_run bigint not null check (max_attempts_per_run >= 0),
  max_tokens_per_run bigint not null check (max_tokens_per_run >= 0),
  max_latency_per_attempt_ms bigint not null check (max_latency_per_attempt_ms >= 0),
  max_cost_per_attempt_nano_usd bigint not null check (max_cost_per_attempt_nano_usd >= 0),
  max_tokens_per_attempt bigint not null check (max_tokens_per_attempt >= 0),
  priority int not null,
  dry_run boolean not null,
  active boolean not null,
  updated_at timestamptz not null,
  -- The row stays, so that every replica hears that the cap is gone.
  deleted_at timestamptz,
  changed_xid xid8 not null default pg_current_xact_id(),
  primary key (tenant_id, id)
);
create index on portcullis.policy_caps (changed_xid);
create index on portcullis.policy_caps (tenant_id, id) where deleted_at is null;

do $$
declare t text;
begin
  foreach t in array array['policies', 'policy_caps'] loop
    execute format('alter table portcullis.%I enable row level security', t);
    execute format('alter table portcullis.%I force row level security', t);
    execute format('create policy tenant on portcullis.%I using (tenant_id = (select portcullis.tenant()))', t);
    execute format('create policy owner on portcullis.%I to portcullis_owner using (true)', t);
    execute format('grant select on portcullis.%I to portcullis_app, portcullis_reader', t);
    execute format('grant insert, update on portcullis.%I to portcullis_app', t);
  end loop;
end
$$;

create function portcullis.load_policies(since xid8)
returns table (
  tenant_id uuid, max_cost_per_run_nano_usd bigint, max_attempts_per_run bigint, max_tokens_per_run bigint,
  max_latency_per_attempt_ms bigint
)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select p.tenant_id, p.max_cost_per_run_nano_usd, p.max_attempts_per_run, p.max_tokens_per_run, p.max_latency_per_attempt_ms
    from portcullis.policies p where p.changed_xid >= since;
end;

create function portcullis.load_policy_caps(since xid8)
returns table (
  tenant_id uuid, id uuid, name text, provider_type text, provider text, model text, max_cost_per_run_nano_usd bigint,
  max_attempts_per_run bigint, max_tokens_per_run bigint, max_latency_per_attempt_ms bigint, max_cost_per_attempt_nano_usd bigint,
  max_tokens_per_attempt bigint, priority int, dry_run boolean, in_force boolean
)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select c.tenant_id, c.id, c.name, c.provider_type, c.provider, c.model, c.max_cost_per_run_nano_usd, c.max_attempts_per_run,
         c.max_tokens_per_run, c.max_latency_per_attempt_ms, c.max_cost_per_attempt_nano_usd, c.max_tokens_per_attempt, c.priority,
         c.dry_run, c.active and c.deleted_at is null
    from portcullis.policy_caps c
   where c.changed_xid >= since and (since <> '0'::xid8 or (c.active and c.deleted_at is null));
end;

/*
 * Writes one policy or cap and answers what stood there before, as it is shown in the ledger (SPEC B8). Functions, so that the row is
 * locked by a statement before it is read: of two writers at the same time the later one sees what the earlier one wrote.
 */
create function portcullis.set_policy(p_new portcullis.policies) returns portcullis.policies
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  before portcullis.policies;
begin
  insert into portcullis.policies (tenant_id, updated_at) values (portcullis.tenant(), p_new.updated_at) on conflict do nothing;
  select * into strict before from portcullis.policies p where p.tenant_id = portcullis.tenant() for no key update;
  update portcullis.policies p
     set max_cost_per_run_nano_usd = p_new.max_cost_per_run_nano_usd, max_attempts_per_run = p_new.max_attempts_per_run,
         max_tokens_per_run = p_new.max_tokens_per_run, max_latency_per_attempt_ms = p_new.max_latency_per_attempt_ms,
         updated_at = p_new.updated_at, changed_xid = pg_current_xact_id()
   where p.tenant_id = portcullis.tenant();
  perform pg_notify('portcullis_credentials', '');
  return before;
end
$$;

-- Null where the cap is not there. With `p_made` it is a new one: the answer is the row itself, or one without an id where there are
-- too many.
create function portcullis.put_policy_cap(p_new portcullis.policy_caps, p_made boolean, p_at_most int) returns portcullis.policy_caps
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  before portcullis.policy_caps;
begin
  if p_made then
    if (select count(*) from (select from portcullis.policy_caps c
          where c.tenant_id = portcullis.tenant() and c.deleted_at is null limit p_at_most) c) >= p_at_most then
      before.tenant_id := portcullis.tenant();
      return before;
    end if;
    p_new.tenant_id := portcullis.tenant();
    p_new.changed_xid := pg_current_xact_id();
    insert into portcullis.policy_caps select p_new.*;
    before := p_new;
  else
    select * into before from portcullis.policy_caps c
     where c.tenant_id = portcullis.tenant() and c.id = p_new.id and c.deleted_at is null for no key update;
    if not found then
      return null;
    end if;
    update portcullis.policy_caps c
       set name = p_new.name, provider_type = p_new.provider_type, provider = p_new.provider, model = p_new.model,
           max_cost_per_run_nano_usd = p_new.max_cost_per_run_nano_usd, max_attempts_per_run = p_new.max_attempts_per_run,
           max_tokens_per_run = p_new.max_tokens_per_run, max_latency_per_attempt_ms = p_new.max_latency_per_attempt_ms,
           max_cost_per_attempt_nano_usd = p_new.max_cost_per_attempt_nano_usd, max_tokens_per_attempt = p_new.max_tokens_per_attempt,
           priority = p_new.priority, dry_run = p_new.dry_run, active = p_new.active, updated_at = p_new.updated_at,
           changed_xid = pg_current_xact_id()
     where c.tenant_id = portcullis.tenant() and c.id = p_new.id;
  end if;
  perform pg_notify('portcullis_credentials', '');
  return before;
end
$$;

-- Null where the cap is not there.
create function portcullis.delete_policy_cap(p_id uuid, p_at timestamptz) returns portcullis.policy_caps
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  before portcullis.policy_caps;
begin
  select * into before from portcullis.policy_caps c
   where c.tenant_id = portcullis.tenant() and c.id = p_id and c.deleted_at is null for no key update;
  if not found then
    return null;
  end if;
  update portcullis.policy_caps c set deleted_at = p_at, changed_xid = pg_current_xact_id()
   where c.tenant_id = portcullis.tenant() and c.id = p_id;
  perform pg_notify('portcullis_credentials', '');
  return before;
end
$$;

revoke all on function portcullis.load_policies(xid8), portcullis.load_policy_caps(xid8), portcullis.set_policy(portcullis.policies),
  portcullis.put_policy_cap(portcullis.policy_caps, boolean, int), portcullis.delete_policy_cap(uuid, timestamptz) from public;
grant execute on function portcullis.load_policies(xid8), portcullis.load_policy_caps(xid8), portcullis.set_policy(portcullis.policies),
  portcullis.put_policy_cap(portcullis.policy_caps, boolean, int), portcullis.delete_policy_cap(uuid, timestamptz) to portcullis_app;
