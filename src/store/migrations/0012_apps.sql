-- serves from 0004
-- Programs that ask for tokens, and tokens that ended before their time. Replicas keep both in memory, as they keep keys.
create table portcullis.apps (
  tenant_id uuid not null references portcullis.tenants,
  id uuid not null,
  name text not null,
  agent_id uuid,
  scopes text[] not null,
  redirect_uris text[] not null,
  grant_types text[] not null,
  auth_method text not null check (auth_method in ('client_secret_basic', 'client_secret_post', 'private_key_jwt', 'tls_client_auth',
    'self_signed_tls_client_auth', 'none')),
  jwks text,
  tls_subject_dn text,
  dpop_bound boolean not null,
  certificate_bound boolean not null,
  -- SHA-256 of the secret, and of the one before it as long as both are good: never more than two.
  secret_digest bytea check (length(secret_digest) = 32),
  secret_created_at timestamptz,
  old_secret_digest bytea check (length(old_secret_digest) = 32),
  old_secret_expires_at timestamptz,
  created_at timestamptz not null default now(),
  disabled_at timestamptz,
  -- As in portcullis.keys.
  changed_xid xid8 not null default pg_current_xact_id(),
  primary key (tenant_id, id),
  unique (tenant_id, name),
  foreign key (tenant_id, agent_id) references portcullis.agents,
  check ((auth_method in ('client_secret_basic', 'client_secret_post')) = (secret_digest is not null)),
  check ((secret_digest is null) = (secret_created_at is null)),
  check ((old_secret_digest is null) = (old_secret_expires_at is null))
);
create index on portcullis.apps (changed_xid);
create index on portcullis.apps (tenant_id, agent_id) where agent_id is not null;

-- A token by its `jti`, or all tokens of a grant; kept until the last of them has expired.
create table portcullis.token_denials (
  tenant_id uuid not null references portcullis.tenants,
  -- SHA-256 of `token:` and the jti, or of `grant:` and the grant.
  digest bytea not null check (length(digest) = 32),
  reason text not null,
  denied_at timestamptz not null default now(),
  expires_at timestamptz not null,
  changed_xid xid8 not null default pg_current_xact_id(),
  primary key (tenant_id, digest)
);
create index on portcullis.token_denials (changed_xid);
create index on portcullis.token_denials (expires_at);

do $$
declare t text;
begin
  foreach t in array array['apps', 'token_denials'] loop
    execute format('alter table portcullis.%I enable row level security', t);
    execute format('alter table portcullis.%I force row level security', t);
    execute format('create policy tenant on portcullis.%I using (tenant_id = (select portcullis.tenant()))', t);
    execute format('create policy owner on portcullis.%I to portcullis_owner using (true)', t);
    execute format('grant select on portcullis.%I to portcullis_app, portcullis_reader', t);
    execute format('grant insert, update on portcullis.%I to portcullis_app', t);
  end loop;
end
$$;

create function portcullis.load_apps(since xid8)
returns table (
  id uuid, name text, tenant_id uuid, tenant_name text, agent_id uuid, agent_disabled boolean, scopes text[], redirect_uris text[],
  grant_types text[], auth_method text, jwks text, tls_subject_dn text, dpop_bound boolean, certificate_bound boolean,
  secret_digest bytea, secret_created_at timestamptz, old_secret_digest bytea, old_secret_expires_at timestamptz, disabled boolean, tenant_disabled boolean
)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select p.id, p.name, p.tenant_id, t.name, p.agent_id, a.disabled_at is not null, p.scopes, p.redirect_uris,
         p.grant_types, p.auth_method, p.jwks, p.tls_subject_dn, p.dpop_bound, p.certificate_bound,
         p.secret_digest, p.secret_created_at, p.old_secret_digest, p.old_secret_expires_at, p.disabled_at is not null, t.disabled_at is not null
    from portcullis.apps p
    join portcullis.tenants t on t.id = p.tenant_id
    left join portcullis.agents a on a.tenant_id = p.tenant_id and a.id = p.agent_id
   where p.changed_xid >= since;
end;

create function portcullis.load_token_denials(since xid8) returns table (digest bytea, expires_at timestamptz)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select d.digest, d.expires_at from portcullis.token_denials d where d.changed_xid >= since;
end;

-- An hour longer than they are needed: clocks differ.
create function portcullis.purge_token_denials(p_at_most int) returns bigint
language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
  with gone as (
    delete from portcullis.token_denials d
     where (d.tenant_id, d.digest) in (
       select o.tenant_id, o.digest from portcullis.token_denials o
        where o.expires_at < now() - interval '1 hour' order by o.expires_at limit p_at_most)
    returning 1)
  select count(*) from gone;
end;

-- An app follows its agent and its tenant. The lock is the one of touch_keys_of, and for its reason: an app that another
-- transaction is making holds a lock on both through its foreign keys.
create function portcullis.touch_apps_of_agent() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform from portcullis.agents a where a.tenant_id = new.tenant_id and a.id = new.id for update;
  update portcullis.apps p set changed_xid = pg_current_xact_id() where p.tenant_id = new.tenant_id and p.agent_id = new.id;
  return null;
end
$$;
create trigger apps_follow after update of disabled_at on portcullis.agents
  for each row when (old.disabled_at is distinct from new.disabled_at) execute function portcullis.touch_apps_of_agent();

create function portcullis.touch_apps_of_tenant() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform from portcullis.tenants t where t.id = new.id for update;
  update portcullis.apps p set changed_xid = pg_current_xact_id() where p.tenant_id = new.id;
  return null;
end
$$;
create trigger apps_follow after update of disabled_at on portcullis.tenants
  for each row when (old.disabled_at is distinct from new.disabled_at) execute function portcullis.touch_apps_of_tenant();

revoke all on function portcullis.load_apps(xid8), portcullis.load_token_denials(xid8), portcullis.purge_token_denials(int),
  portcullis.touch_apps_of_agent(), portcullis.touch_apps_of_tenant() from public;
grant execute on function portcullis.load_apps(xid8), portcullis.load_token_denials(xid8), portcullis.purge_token_denials(int)
  to portcullis_app;
