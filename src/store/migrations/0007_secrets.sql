-- serves from 0004
-- Stored secrets as envelopes (SPEC S1): the master keys are elsewhere, and the database alone opens none of them.
create table portcullis.secrets (
  tenant_id uuid not null references portcullis.tenants,
  id uuid not null,
  kind text not null check (kind ~ '^[a-z][a-z0-9_.-]{0,62}$'),
  name text not null check (length(name) between 1 and 200),
  envelope bytea not null check (length(envelope) between 64 and 17825792),
  -- The master key that wraps it; a copy out of the envelope, for rotation.
  key_id text not null,
  created_at timestamptz not null default now(),
  rotated_at timestamptz,
  primary key (tenant_id, id),
  unique (tenant_id, kind, name)
);
create index on portcullis.secrets (key_id);

-- The keys of pseudonyms (SPEC L3). A destroyed one keeps its row: the version is never used again.
create table portcullis.pseudonym_keys (
  tenant_id uuid not null references portcullis.tenants,
  version int not null check (version > 0),
  envelope bytea check (length(envelope) between 64 and 4096),
  key_id text,
  created_at timestamptz not null default now(),
  destroyed_at timestamptz,
  -- The transaction that made or destroyed it; replicas read what changed since their last look.
  changed_xid xid8 not null default pg_current_xact_id(),
  primary key (tenant_id, version),
  check ((envelope is null) = (destroyed_at is not null) and (envelope is null) = (key_id is null))
);
create index on portcullis.pseudonym_keys (key_id);

-- How often each local master key has wrapped: AES-GCM with random nonces allows 2^32 (NIST SP 800-38D, 8.3).
create table portcullis.key_wraps (
  key_id text primary key,
  wraps bigint not null check (wraps >= 0)
);

do $$
declare t text;
begin
  foreach t in array array['secrets', 'pseudonym_keys', 'key_wraps'] loop
    execute format('alter table portcullis.%I enable row level security', t);
    execute format('alter table portcullis.%I force row level security', t);
    execute format('create policy owner on portcullis.%I to portcullis_owner using (true)', t);
  end loop;
end
$$;
create policy tenant on portcullis.secrets using (tenant_id = (select portcullis.tenant()));
create policy tenant on portcullis.pseudonym_keys using (tenant_id = (select portcullis.tenant()));
grant select, insert, delete on portcullis.secrets to portcullis_app;
grant update (name, envelope, key_id, rotated_at) on portcullis.secrets to portcullis_app;

-- A change is read by every replica, whatever its tenant, as in load_keys.
create function portcullis.load_pseudonym_keys(since xid8)
returns table (tenant_id uuid, tenant_name text, version int, envelope bytea, created_at timestamptz, destroyed_at timestamptz)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select k.tenant_id, t.name, k.version, k.envelope, k.created_at, k.destroyed_at
    from portcullis.pseudonym_keys k join portcullis.tenants t on t.id = k.tenant_id
   where k.changed_xid >= since
   order by k.tenant_id, k.version;
end;

-- False where that version is not the next one: another replica was first.
create function portcullis.create_pseudonym_key(p_tenant uuid, p_version int, p_envelope bytea, p_key_id text)
returns timestamptz
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare made timestamptz;
begin
  perform from portcullis.tenants t where t.id = p_tenant for no key update;
  if p_version <> (select coalesce(max(k.version), 0) + 1 from portcullis.pseudonym_keys k where k.tenant_id = p_tenant) then
    return null;
  end if;
  insert into portcullis.pseudonym_keys (tenant_id, version, envelope, key_id)
    values (p_tenant, p_version, p_envelope, p_key_id) returning created_at into made;
  perform pg_notify('portcullis_pseudonym_keys', '');
  return made;
end
$$;

-- Nothing of the key is left but that there was one. Null where there is none left to destroy.
create function portcullis.destroy_pseudonym_key(p_tenant uuid, p_version int) returns timestamptz
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare gone timestamptz;
begin
  update portcullis.pseudonym_keys k
     set envelope = null, key_id = null, destroyed_at = now(), changed_xid = pg_current_xact_id()
   where k.tenant_id = p_tenant and k.version = p_version and k.destroyed_at is null
  returning k.destroyed_at into gone;
  if gone is not null then
    perform pg_notify('portcullis_pseudonym_keys', '');
  end if;
  return gone;
end
$$;

-- Which master keys the stored secrets need, across tenants.
create function portcullis.envelope_keys() returns table (kind text, key_id text, envelopes bigint, tenants bigint, wraps bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select e.kind, e.key_id, count(*), count(distinct e.tenant_id), max(w.wraps)
    from (select s.kind, s.key_id, s.tenant_id from portcullis.secrets s
          union all
          select 'pseudonym key', k.key_id, k.tenant_id from portcullis.pseudonym_keys k where k.envelope is not null) e
    left join portcullis.key_wraps w on w.key_id = e.key_id
   group by 1, 2 order by 1, 2;
end;

-- For the inventory of keys: how many there are of each kind, and nothing else of them.
create function portcullis.credential_counts() returns table (kind text, many bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select 'api keys in use', count(*) from portcullis.keys k
   where k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
  union all select 'api keys ended', count(*) from portcullis.keys k
   where not (k.revoked_at is null and (k.expires_at is null or k.expires_at > now()))
  union all select 'sessions', count(*) from portcullis.sessions s where s.expires_at > now()
  union all select 'pseudonym keys', count(*) from portcullis.pseudonym_keys p where p.destroyed_at is null
  union all select 'pseudonym keys destroyed', count(*) from portcullis.pseudonym_keys p where p.destroyed_at is not null
  union all select 'tenants with pseudonym keys', count(distinct p.tenant_id)
    from portcullis.pseudonym_keys p where p.destroyed_at is null
  union all select 'stored secrets', count(*) from portcullis.secrets;
end;

-- The next envelopes behind a place that another key than the newest wraps; a rotation goes through them in this order.
create function portcullis.stale_envelopes(p_newest text, p_table text, p_tenant uuid, p_row text, p_limit int)
returns table (source text, tenant_id uuid, row_id text, envelope bytea)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select e.source, e.tenant_id, e.row_id, e.envelope
    from (select 'pseudonym_keys' as source, k.tenant_id, k.version::text as row_id, k.envelope
            from portcullis.pseudonym_keys k where k.key_id <> p_newest
          union all
          select 'secrets', s.tenant_id, s.id::text, s.envelope from portcullis.secrets s where s.key_id <> p_newest) e
   where (e.source, e.tenant_id, e.row_id) > (p_table, p_tenant, p_row)
   order by e.source, e.tenant_id, e.row_id
   limit p_limit;
end;

-- The same secret under another key; false where it changed meanwhile, so that the rotation reads it again.
create function portcullis.rewrap_envelope(p_table text, p_tenant uuid, p_row text, p_old bytea, p_new bytea, p_key_id text)
returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if p_table = 'secrets' then
    update portcullis.secrets s set envelope = p_new, key_id = p_key_id, rotated_at = now()
     where s.tenant_id = p_tenant and s.id = p_row::uuid and s.envelope = p_old;
  else
    -- Replicas hold the key already: it is the same one.
    update portcullis.pseudonym_keys k set envelope = p_new, key_id = p_key_id
     where k.tenant_id = p_tenant and k.version = p_row::int and k.envelope = p_old;
  end if;
  return found;
end
$$;

-- Counts wraps ahead of their use: what a crash leaves unused stays counted.
create function portcullis.reserve_wraps(p_key_id text, p_count bigint) returns bigint
language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
  insert into portcullis.key_wraps as w (key_id, wraps) values (p_key_id, p_count)
    on conflict (key_id) do update set wraps = w.wraps + excluded.wraps returning wraps;
end;

revoke all on function portcullis.load_pseudonym_keys(xid8), portcullis.create_pseudonym_key(uuid, int, bytea, text),
  portcullis.destroy_pseudonym_key(uuid, int), portcullis.envelope_keys(), portcullis.credential_counts(),
  portcullis.reserve_wraps(text, bigint),
  portcullis.stale_envelopes(text, text, uuid, text, int), portcullis.rewrap_envelope(text, uuid, text, bytea, bytea, text) from public;
grant execute on function portcullis.load_pseudonym_keys(xid8), portcullis.create_pseudonym_key(uuid, int, bytea, text),
  portcullis.destroy_pseudonym_key(uuid, int), portcullis.envelope_keys(), portcullis.credential_counts(),
  portcullis.reserve_wraps(text, bigint),
  portcullis.stale_envelopes(text, text, uuid, text, int), portcullis.rewrap_envelope(text, uuid, text, bytea, bytea, text)
  to portcullis_app;
