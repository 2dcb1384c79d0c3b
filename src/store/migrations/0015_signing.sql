-- serves from 0004
-- What may be used once: proofs, nonces of signatures, assertions. Only digests are stored; a row outlives what it stands for (SPEC A7, G16).
create table portcullis.single_use (
  digest bytea primary key check (length(digest) = 32),
  kind text not null,
  expires_at timestamptz not null
);
create index on portcullis.single_use (expires_at);

-- Nobody but the functions below, which run as the owner, sees this table.
alter table portcullis.single_use enable row level security;
alter table portcullis.single_use force row level security;
create policy owner on portcullis.single_use to portcullis_owner using (true);

-- The digests that nobody has taken before. In one order everywhere: two replicas that take the same wait for each other, not in a circle.
create function portcullis.take_single_use(p_digests bytea[], p_kinds text[], p_expires timestamptz[]) returns setof bytea
language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
  insert into portcullis.single_use (digest, kind, expires_at)
    select m.digest, m.kind, m.expires_at from unnest(p_digests, p_kinds, p_expires) as m(digest, kind, expires_at) order by m.digest
    on conflict (digest) do nothing
    returning digest;
end;

-- Later than its expiry by more than the clocks of replicas may differ: one that is behind must not take what was taken.
create function portcullis.purge_single_use(p_at_most int) returns bigint
language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
  with gone as (
    delete from portcullis.single_use u
     where u.digest in (select o.digest from portcullis.single_use o where o.expires_at < now() - interval '10 minutes'
                         order by o.expires_at limit p_at_most)
    returning 1)
  select count(*) from gone;
end;

-- Rotation (SPEC G5) and keys that demand signed requests (G16).
alter table portcullis.keys add column require_signature boolean not null default false;
alter table portcullis.keys add column replaced_by uuid;

-- Keys that sign requests. The secret of an HMAC key is an envelope in portcullis.secrets, of kind signing_key, under the id of the key.
create table portcullis.signing_keys (
  tenant_id uuid not null references portcullis.tenants,
  id uuid not null,
  agent_id uuid,
  operator_id uuid,
  algorithm text not null check (algorithm in ('ed25519', 'hmac-sha256')),
  -- SubjectPublicKeyInfo, DER.
  public_key bytea check (length(public_key) between 32 and 256),
  created_at timestamptz not null default now(),
  revoked_at timestamptz,
  -- As in portcullis.keys.
  changed_xid xid8 not null default pg_current_xact_id(),
  primary key (tenant_id, id),
  check (num_nonnulls(agent_id, operator_id) = 1),
  check ((algorithm = 'ed25519') = (public_key is not null)),
  foreign key (tenant_id, agent_id) references portcullis.agents,
  foreign key (tenant_id, operator_id) references portcullis.operators
);
create index on portcullis.signing_keys (changed_xid);
create index on portcullis.signing_keys (tenant_id, agent_id, id);

alter table portcullis.signing_keys enable row level security;
alter table portcullis.signing_keys force row level security;
create policy tenant on portcullis.signing_keys using (tenant_id = (select portcullis.tenant()));
create policy owner on portcullis.signing_keys to portcullis_owner using (true);
grant select on portcullis.signing_keys to portcullis_app, portcullis_reader;
grant insert, update on portcullis.signing_keys to portcullis_app;

-- As load_keys, which binaries of before go on using: what a prepared statement answers must not change under it.
create function portcullis.load_api_keys(since xid8)
returns table (
  id uuid, digest bytea, agent_id uuid, operator_id uuid, tenant_id uuid, tenant_name text, scopes text[], allowed_cidrs text[],
  rate_per_second int, rate_burst int, expires_at timestamptz, revoked_at timestamptz, owner_disabled boolean, tenant_disabled boolean,
  require_signature boolean
)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select k.id, k.digest, k.agent_id, k.operator_id, k.tenant_id, t.name, k.scopes, k.allowed_cidrs,
         k.rate_per_second, k.rate_burst, k.expires_at, k.revoked_at,
         coalesce(a.disabled_at, o.disabled_at) is not null, t.disabled_at is not null, k.require_signature
    from portcullis.keys k
    join portcullis.tenants t on t.id = k.tenant_id
    left join portcullis.agents a on a.tenant_id = k.tenant_id and a.id = k.agent_id
    left join portcullis.operators o on o.tenant_id = k.tenant_id and o.id = k.operator_id
   where k.changed_xid >= since;
end;

-- Of every tenant, as load_api_keys.
create function portcullis.load_signing_keys(since xid8)
returns table (
  id uuid, tenant_id uuid, agent_id uuid, operator_id uuid, algorithm text, public_key bytea, envelope bytea, revoked_at timestamptz
)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select k.id, k.tenant_id, k.agent_id, k.operator_id, k.algorithm, k.public_key, s.envelope, k.revoked_at
    from portcullis.signing_keys k
    left join portcullis.secrets s on s.tenant_id = k.tenant_id and s.id = k.id and s.kind = 'signing_key'
   where k.changed_xid >= since;
end;

-- As before, and the keys that sign requests.
create or replace function portcullis.credential_counts() returns table (kind text, many bigint)
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
  union all select 'stored secrets', count(*) from portcullis.secrets
  union all select 'signing keys in use', count(*) from portcullis.signing_keys g where g.revoked_at is null
  union all select 'signing keys of hmac', count(*) from portcullis.signing_keys g
   where g.revoked_at is null and g.algorithm = 'hmac-sha256'
  union all select 'token signing keys', count(*) from portcullis.oauth_keys o where o.retires_at is null or o.retires_at > now();
end;

revoke all on function portcullis.take_single_use(bytea[], text[], timestamptz[]), portcullis.purge_single_use(int),
  portcullis.load_api_keys(xid8), portcullis.load_signing_keys(xid8) from public;
grant execute on function portcullis.take_single_use(bytea[], text[], timestamptz[]), portcullis.purge_single_use(int),
  portcullis.load_api_keys(xid8), portcullis.load_signing_keys(xid8) to portcullis_app;
