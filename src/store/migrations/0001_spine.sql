-- Tenants, identities, runs and idempotency. Every table with a tenant is under forced row-level security; the app role has
-- no DDL and deletes nothing but expired idempotency rows, through a function.
create schema portcullis;
create schema audits;
grant usage on schema portcullis to portcullis_app, portcullis_reader, portcullis_maintenance;

-- The tenant of the transaction, set by set_config(..., true) at its start; null outside of one.
create function portcullis.tenant() returns uuid language sql stable parallel safe
  return nullif(current_setting('portcullis.tenant', true), '')::uuid;
-- 'on' for operators of the platform: they see tenants and the system log.
create function portcullis.platform() returns boolean language sql stable parallel safe
  return coalesce(current_setting('portcullis.platform', true), '') = 'on';

create table portcullis.tenants (
  id uuid primary key,
  name text not null unique check (name ~ '^[a-z0-9][a-z0-9-]{0,62}$' and name <> 'system'),
  created_at timestamptz not null default now(),
  disabled_at timestamptz
);

create table portcullis.agents (
  tenant_id uuid not null references portcullis.tenants,
  id uuid not null,
  name text not null,
  owner text not null,
  labels jsonb not null,
  allowed_models text[] not null,
  allowed_tools text[] not null,
  created_at timestamptz not null default now(),
  disabled_at timestamptz,
  primary key (tenant_id, id),
  unique (tenant_id, name)
);

create table portcullis.operators (
  tenant_id uuid not null references portcullis.tenants,
  id uuid not null,
  name text not null,
  created_at timestamptz not null default now(),
  disabled_at timestamptz,
  primary key (tenant_id, id),
  unique (tenant_id, name)
);

create table portcullis.keys (
  tenant_id uuid not null references portcullis.tenants,
  id uuid not null,
  agent_id uuid,
  operator_id uuid,
  digest bytea not null check (length(digest) = 32),
  scopes text[] not null,
  allowed_models text[] not null default '{}',
  allowed_tools text[] not null default '{}',
  allowed_cidrs text[] not null default '{}',
  rate_per_second int,
  rate_burst int,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  -- The transaction that last changed who may use the key; replicas read what changed since their last look.
  changed_xid xid8 not null default pg_current_xact_id(),
  primary key (tenant_id, id),
  check (num_nonnulls(agent_id, operator_id) = 1),
  foreign key (tenant_id, agent_id) references portcullis.agents,
  foreign key (tenant_id, operator_id) references portcullis.operators
);
create unique index on portcullis.keys (id);
create index on portcullis.keys (changed_xid);
create index on portcullis.keys (tenant_id, agent_id, id);

create table portcullis.runs (
  tenant_id uuid not null,
  id uuid not null,
  task_id text not null,
  workflow text not null,
  agent_id uuid,
  prompt_version text not null,
  model_policy text not null,
  status smallint not null,
  max_retries int not null,
  total_attempts bigint not null default 0,
  success_attempts bigint not null default 0,
  failed_attempts bigint not null default 0,
  input_tokens bigint not null default 0,
  cached_read_tokens bigint not null default 0,
  cache_write_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  reasoning_tokens bigint not null default 0,
  cost_nano_usd bigint not null default 0,
  last_error text not null default '',
  started_at timestamptz not null,
  finished_at timestamptz,
  primary key (tenant_id, id)
) with (fillfactor = 70);
create index on portcullis.runs (tenant_id, workflow, id);
create index on portcullis.runs (tenant_id, agent_id, id);
create index on portcullis.runs (tenant_id, status, id);
create index on portcullis.runs (tenant_id, task_id, id) where task_id <> '';
create index on portcullis.runs (tenant_id, prompt_version, id);

-- Attempts and events carry no foreign key: they are written by a statement that joins the run, and runs are never deleted.
create table portcullis.prompt_attempts (
  tenant_id uuid not null,
  id uuid not null,
  run_id uuid not null,
  attempt_number int not null,
  workflow text not null,
  agent_id uuid,
  provider_type text not null,
  provider text not null,
  model text not null,
  prompt_version text not null,
  prompt_hash text not null,
  outcome smallint not null,
  error_type text not null,
  error_message text not null,
  input_tokens bigint not null,
  cached_read_tokens bigint not null,
  cache_write_tokens bigint not null,
  output_tokens bigint not null,
  reasoning_tokens bigint not null,
  cost_nano_usd bigint not null,
  reported_cost_nano_usd bigint not null,
  latency_ms bigint not null,
  quality_score_milli int not null,
  created_at timestamptz not null,
  primary key (tenant_id, id)
);
create index on portcullis.prompt_attempts (tenant_id, run_id, id);

create table portcullis.run_events (
  tenant_id uuid not null,
  id uuid not null,
  run_id uuid not null,
  agent_id uuid,
  event_type text not null,
  level smallint not null,
  message text not null,
  data_json text not null,
  created_at timestamptz not null,
  primary key (tenant_id, id)
);
create index on portcullis.run_events (tenant_id, run_id, id);

create table portcullis.idempotency (
  tenant_id uuid not null,
  -- SHA-256 of caller, method and key. The caller belongs to one tenant, so the digest alone is unique.
  key_digest bytea primary key,
  -- SHA-256 of the decoded message without its key field.
  payload_digest bytea not null,
  reply bytea not null,
  created_at timestamptz not null default now()
);
create index on portcullis.idempotency using brin (created_at);

do $$
declare t text;
begin
  foreach t in array array['agents', 'operators', 'keys', 'runs', 'prompt_attempts', 'run_events', 'idempotency'] loop
    execute format('alter table portcullis.%I enable row level security', t);
    execute format('alter table portcullis.%I force row level security', t);
    execute format('create policy tenant on portcullis.%I using (tenant_id = (select portcullis.tenant()))', t);
    execute format('create policy owner on portcullis.%I to portcullis_owner using (true)', t);
    execute format('grant select on portcullis.%I to portcullis_app, portcullis_reader', t);
  end loop;
end
$$;
alter table portcullis.tenants enable row level security;
alter table portcullis.tenants force row level security;
create policy tenant on portcullis.tenants using (id = (select portcullis.tenant()) or (select portcullis.platform()));
create policy owner on portcullis.tenants to portcullis_owner using (true);
grant select on portcullis.tenants to portcullis_app, portcullis_reader;
grant insert, update on portcullis.agents, portcullis.keys, portcullis.runs to portcullis_app;
grant insert on portcullis.prompt_attempts, portcullis.run_events, portcullis.idempotency to portcullis_app;

-- What a replica keeps in memory to verify keys: all of them, or those changed since a transaction id.
create function portcullis.load_keys(since xid8)
returns table (
  id uuid, digest bytea, agent_id uuid, operator_id uuid, tenant_id uuid, tenant_name text, scopes text[], allowed_cidrs text[],
  rate_per_second int, rate_burst int, expires_at timestamptz, revoked_at timestamptz, owner_disabled boolean, tenant_disabled boolean
)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select k.id, k.digest, k.agent_id, k.operator_id, k.tenant_id, t.name, k.scopes, k.allowed_cidrs,
         k.rate_per_second, k.rate_burst, k.expires_at, k.revoked_at,
         coalesce(a.disabled_at, o.disabled_at) is not null, t.disabled_at is not null
    from portcullis.keys k
    join portcullis.tenants t on t.id = k.tenant_id
    left join portcullis.agents a on a.tenant_id = k.tenant_id and a.id = k.agent_id
    left join portcullis.operators o on o.tenant_id = k.tenant_id and o.id = k.operator_id
   where k.changed_xid >= since;
end;

-- Coalesced bookkeeping of key use, across tenants.
create function portcullis.touch_keys(ids uuid[], times timestamptz[]) returns void
language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
  update portcullis.keys k set last_used_at = greatest(k.last_used_at, m.at)
    from unnest(ids, times) as m(id, at) where k.id = m.id;
end;

create function portcullis.purge_idempotency(older_than interval, at_most int) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare purged bigint;
begin
  if older_than < interval '24 hours' then
    raise exception 'idempotency rows are kept for 24 hours';
  end if;
  delete from portcullis.idempotency where ctid = any (array(
    select ctid from portcullis.idempotency where created_at < now() - older_than limit at_most));
  get diagnostics purged = row_count;
  return purged;
end
$$;

-- A tenant with its first operator and that operator's key. The ledger log of the tenant is made by the same call.
create function portcullis.create_tenant(tenant_id uuid, tenant_name text, operator_id uuid, key_id uuid, key_digest bytea, key_scopes text[])
returns timestamptz
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare made timestamptz;
begin
  insert into portcullis.tenants (id, name) values (tenant_id, tenant_name) on conflict (name) do nothing returning created_at into made;
  if made is null then
    return null;
  end if;
  insert into portcullis.operators (tenant_id, id, name) values (tenant_id, operator_id, 'admin');
  insert into portcullis.keys (tenant_id, id, operator_id, digest, scopes) values (tenant_id, key_id, operator_id, key_digest, key_scopes);
  perform audits.create_log(tenant_name, tenant_id);
  perform pg_notify('portcullis_credentials', '');
  return made;
end
$$;

-- Marks the keys of agents as changed. A key that another transaction is making waits for this one, or is waited for, because
-- its foreign key holds a lock on the agent: a replica that loaded it too early would never hear that its owner is disabled.
create function portcullis.touch_keys_of(agent_ids uuid[]) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform from portcullis.agents a where a.tenant_id = (select portcullis.tenant()) and a.id = any (agent_ids) order by a.id for update;
  update portcullis.keys k set changed_xid = pg_current_xact_id()
   where k.tenant_id = (select portcullis.tenant()) and k.agent_id = any (agent_ids);
end
$$;

create function portcullis.disable_tenant(tenant_id uuid)
returns table (id uuid, name text, created_at timestamptz, disabled_at timestamptz)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  -- As in touch_keys_of.
  perform from portcullis.tenants t where t.id = disable_tenant.tenant_id for update;
  update portcullis.keys k set changed_xid = pg_current_xact_id() where k.tenant_id = disable_tenant.tenant_id;
  perform pg_notify('portcullis_credentials', '');
  return query update portcullis.tenants t set disabled_at = coalesce(t.disabled_at, now())
    where t.id = disable_tenant.tenant_id and t.name <> 'main'
    returning t.id, t.name, t.created_at, t.disabled_at;
end
$$;

revoke all on all functions in schema portcullis from public;
grant execute on function portcullis.tenant(), portcullis.platform() to public;
grant execute on function portcullis.load_keys(xid8), portcullis.touch_keys(uuid[], timestamptz[]), portcullis.touch_keys_of(uuid[]),
  portcullis.purge_idempotency(interval, int),
  portcullis.create_tenant(uuid, text, uuid, uuid, bytea, text[]), portcullis.disable_tenant(uuid) to portcullis_app;
