-- serves from 0004
-- People who run tenants: their roles and passwords, and the sessions that they have in browsers and with apps.
alter table portcullis.operators
  add column role text not null default 'admin' check (role in ('viewer', 'operator', 'admin')),
  -- The first admin of `main`, who has power over tenants.
  add column platform boolean not null default false,
  -- Who this is at the issuer that people sign in at.
  add column upstream_subject text unique,
  add column password_set_at timestamptz,
  -- As in portcullis.keys.
  add column changed_xid xid8 not null default pg_current_xact_id();
alter table portcullis.operators alter column role set default 'viewer';
update portcullis.operators o set platform = true
  from portcullis.tenants t where t.id = o.tenant_id and t.name = 'main' and o.name = 'admin';
create index on portcullis.operators (changed_xid);
create index on portcullis.operators (tenant_id, role, id);
create index on portcullis.keys (tenant_id, operator_id, id) where operator_id is not null;
grant insert (tenant_id, id, name, role, upstream_subject, created_at) on portcullis.operators to portcullis_app;
grant update (disabled_at, changed_xid) on portcullis.operators to portcullis_app;

-- Apart from the operators, so that no role can select them: the functions below hand one out by the name of its operator.
create table portcullis.operator_passwords (
  tenant_id uuid not null,
  operator_id uuid not null,
  -- argon2id as a PHC string.
  hash text not null check (hash like '$argon2id$%'),
  -- Changes with the password: what was verified against an older one opens no session.
  version bigint not null default 1,
  set_at timestamptz not null default now(),
  primary key (tenant_id, operator_id),
  foreign key (tenant_id, operator_id) references portcullis.operators
);
alter table portcullis.operator_passwords enable row level security;
alter table portcullis.operator_passwords force row level security;
create policy owner on portcullis.operator_passwords to portcullis_owner using (true);

-- A UUIDv7 (RFC 9562) for rows that are made here, as the server makes its own.
create function portcullis.new_id() returns uuid
language sql volatile set search_path = pg_catalog, pg_temp
return encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
    placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6), 52, 1), 53, 1), 'hex')::uuid;

-- A session in a browser has the digest of its cookie, one with an app the grant that its tokens belong to.
alter table portcullis.sessions drop constraint sessions_pkey;
alter table portcullis.sessions
  alter column digest drop not null,
  add column id uuid not null default portcullis.new_id(),
  -- The client id: `app_...`, or that of the command line.
  add column app_id text,
  add column grant_id text,
  -- As in portcullis.token_denials.
  add column grant_digest bytea,
  add column last_used_at timestamptz not null default now(),
  add column revoked_at timestamptz,
  add primary key (tenant_id, id),
  add unique (digest),
  add unique (grant_digest),
  add check (num_nonnulls(digest, grant_id) = 1),
  add check ((grant_id is null) = (grant_digest is null)),
  add check ((app_id is null) = (grant_id is null));
create index on portcullis.sessions (tenant_id, operator_id, id);
create index on portcullis.sessions (expires_at);
create policy tenant on portcullis.sessions for select to portcullis_app using (tenant_id = (select portcullis.tenant()));
-- All but the digest.
grant select (tenant_id, id, operator_id, app_id, created_at, expires_at, revoked_at) on portcullis.sessions to portcullis_app;

-- What a code is for: to sign in at once, or to choose a password first.
alter table portcullis.sign_in_codes add column purpose text not null default 'sign_in' check (purpose in ('sign_in', 'password'));
create index on portcullis.sign_in_codes (tenant_id, operator_id);
create index on portcullis.sign_in_codes (expires_at);

-- What a replica keeps in memory to know who a token stands for.
create function portcullis.load_operators(since xid8)
returns table (id uuid, name text, tenant_id uuid, tenant_name text, role text, platform boolean, disabled boolean, tenant_disabled boolean)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select o.id, o.name, o.tenant_id, t.name, o.role, o.platform, o.disabled_at is not null, t.disabled_at is not null
    from portcullis.operators o join portcullis.tenants t on t.id = o.tenant_id
   where o.changed_xid >= since;
end;

-- An operator follows its tenant. The lock is the one of touch_keys_of, and for its reason.
create function portcullis.touch_operators_of_tenant() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform from portcullis.tenants t where t.id = new.id for update;
  update portcullis.operators o set changed_xid = pg_current_xact_id() where o.tenant_id = new.id;
  return null;
end
$$;
create trigger operators_follow after update of disabled_at on portcullis.tenants
  for each row when (old.disabled_at is distinct from new.disabled_at) execute function portcullis.touch_operators_of_tenant();

create or replace function portcullis.create_tenant(tenant_id uuid, tenant_name text, operator_id uuid, key_id uuid, key_digest bytea, key_scopes text[])
returns timestamptz
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare made timestamptz;
begin
  insert into portcullis.tenants (id, name) values (tenant_id, tenant_name) on conflict (name) do nothing returning created_at into made;
  if made is null then
    return null;
  end if;
  insert into portcullis.operators (tenant_id, id, name, role, platform)
    values (tenant_id, operator_id, 'admin', 'admin', tenant_name = 'main');
  insert into portcullis.keys (tenant_id, id, operator_id, digest, scopes) values (tenant_id, key_id, operator_id, key_digest, key_scopes);
  perform audits.create_log(tenant_name, tenant_id);
  perform pg_notify('portcullis_credentials', '');
  return made;
end
$$;

-- Ends the sessions of operators with all tokens that were given under them. Locks the operators, as touch_keys_of does with agents.
create function portcullis.end_sessions_of(p_tenant uuid, p_operators uuid[], p_reason text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform from portcullis.operators o where o.tenant_id = p_tenant and o.id = any (p_operators) order by o.id for update;
  with ended as (
    update portcullis.sessions s set revoked_at = now()
     where s.tenant_id = p_tenant and s.operator_id = any (p_operators) and s.revoked_at is null and s.expires_at > now()
    returning s.grant_digest, s.expires_at)
  insert into portcullis.token_denials (tenant_id, digest, reason, expires_at)
    select p_tenant, e.grant_digest, p_reason, e.expires_at from ended e where e.grant_digest is not null
    on conflict (tenant_id, digest) do nothing;
end
$$;

-- What else ends with an operator: its sessions, its codes, and its keys, which replicas read again.
create function portcullis.end_operators(p_ids uuid[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform portcullis.end_sessions_of((select portcullis.tenant()), p_ids, 'operator disabled');
  update portcullis.keys k set changed_xid = pg_current_xact_id()
   where k.tenant_id = (select portcullis.tenant()) and k.operator_id = any (p_ids);
  update portcullis.sign_in_codes c set used_at = now()
   where c.tenant_id = (select portcullis.tenant()) and c.operator_id = any (p_ids) and c.used_at is null;
end
$$;

create function portcullis.revoke_session(p_id uuid, p_platform_too boolean)
returns table (id uuid, operator_id uuid, app_id text, created_at timestamptz, expires_at timestamptz, revoked_at timestamptz)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare ended portcullis.sessions;
begin
  update portcullis.sessions s set revoked_at = coalesce(s.revoked_at, now())
   where s.tenant_id = (select portcullis.tenant()) and s.id = p_id
     and (p_platform_too or not exists (
       select from portcullis.operators o where o.tenant_id = s.tenant_id and o.id = s.operator_id and o.platform))
  returning s.* into ended;
  if ended.id is null then
    return;
  end if;
  if ended.grant_id is not null then
    insert into portcullis.token_denials (tenant_id, digest, reason, expires_at)
      values (ended.tenant_id, ended.grant_digest, 'session revoked', ended.expires_at)
      on conflict (tenant_id, digest) do nothing;
    perform pg_notify('portcullis_credentials', '');
  end if;
  return query select ended.id, ended.operator_id, ended.app_id, ended.created_at, ended.expires_at, ended.revoked_at;
end
$$;

-- The link under which a new operator chooses a password.
create function portcullis.make_password_code(p_digest bytea, p_operator uuid, p_minutes int) returns void
language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
  insert into portcullis.sign_in_codes (digest, tenant_id, operator_id, expires_at, purpose)
    values (p_digest, (select portcullis.tenant()), p_operator, now() + make_interval(mins => p_minutes), 'password');
end;

-- Who an operator is by the name that was typed in, and what the password is verified against.
create function portcullis.find_password(p_tenant text, p_name text)
returns table (operator_id uuid, operator_name text, tenant_id uuid, tenant_name text, hash text, version bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select o.id, o.name, t.id, t.name, p.hash, p.version
    from portcullis.tenants t
    join portcullis.operators o on o.tenant_id = t.id and o.name = p_name and o.disabled_at is null
    join portcullis.operator_passwords p on p.tenant_id = o.tenant_id and p.operator_id = o.id
   where t.name = p_tenant and t.disabled_at is null;
end;

create function portcullis.find_upstream(p_subject text)
returns table (operator_id uuid, operator_name text, tenant_id uuid, tenant_name text)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select o.id, o.name, t.id, t.name
    from portcullis.operators o join portcullis.tenants t on t.id = o.tenant_id
   where o.upstream_subject = p_subject and o.disabled_at is null and t.disabled_at is null;
end;

-- Codes that open a session at once: those for a password are spent by set_password alone.
create or replace function portcullis.open_session(code_digest bytea, session_digest bytea) returns table (operator_id uuid, tenant_id uuid)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare spent portcullis.sign_in_codes;
begin
  update portcullis.sign_in_codes c set used_at = now()
   where c.digest = code_digest and c.used_at is null and c.expires_at > now() and c.purpose = 'sign_in' returning c.* into spent;
  if spent.digest is null then
    return;
  end if;
  insert into portcullis.sessions (digest, tenant_id, operator_id, expires_at)
    values (session_digest, spent.tenant_id, spent.operator_id, now() + interval '12 hours');
  return query select spent.operator_id, spent.tenant_id;
end
$$;

create or replace function portcullis.code_usable(code_digest bytea) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select exists (select from portcullis.sign_in_codes c
    where c.digest = code_digest and c.used_at is null and c.expires_at > now() and c.purpose = 'sign_in');
end;

create function portcullis.find_password_code(p_digest bytea) returns table (operator_id uuid, operator_name text, tenant_id uuid, tenant_name text)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select o.id, o.name, t.id, t.name
    from portcullis.sign_in_codes c
    join portcullis.operators o on o.tenant_id = c.tenant_id and o.id = c.operator_id and o.disabled_at is null
    join portcullis.tenants t on t.id = c.tenant_id and t.disabled_at is null
   where c.digest = p_digest and c.used_at is null and c.expires_at > now() and c.purpose = 'password';
end;

-- A session for somebody who was found to be that operator. `p_version` is that of the password, null where another issuer said it.
create function portcullis.start_session(p_id uuid, p_digest bytea, p_tenant uuid, p_operator uuid, p_version bigint) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform from portcullis.operators o join portcullis.tenants t on t.id = o.tenant_id
    where o.tenant_id = p_tenant and o.id = p_operator and o.disabled_at is null and t.disabled_at is null
      and (p_version is not null or o.upstream_subject is not null) for share of o;
  if not found then
    return false;
  end if;
  if p_version is not null and not exists (select from portcullis.operator_passwords p
      where p.tenant_id = p_tenant and p.operator_id = p_operator and p.version = p_version) then
    return false;
  end if;
  insert into portcullis.sessions (id, digest, tenant_id, operator_id, expires_at)
    values (p_id, p_digest, p_tenant, p_operator, now() + interval '12 hours');
  return true;
end
$$;

-- Sets a password under a code, or for the operator of a session; every other session of the operator ends. Answers whose it was.
create function portcullis.set_password(p_code bytea, p_session bytea, p_hash text, p_new_id uuid, p_new_digest bytea)
returns table (operator_id uuid, tenant_id uuid)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_operator uuid;
  v_tenant uuid;
begin
  if p_code is not null then
    update portcullis.sign_in_codes c set used_at = now()
     where c.digest = p_code and c.used_at is null and c.expires_at > now() and c.purpose = 'password'
    returning c.operator_id, c.tenant_id into v_operator, v_tenant;
  else
    select s.operator_id, s.tenant_id into v_operator, v_tenant
      from portcullis.sessions s where s.digest = p_session and s.revoked_at is null and s.expires_at > now();
  end if;
  -- Who signs in at the issuer has no second way in, which would go on when the issuer says no.
  perform from portcullis.operators o
    where o.tenant_id = v_tenant and o.id = v_operator and o.disabled_at is null and o.upstream_subject is null for update;
  if not found then
    return;
  end if;
  insert into portcullis.operator_passwords as p (tenant_id, operator_id, hash) values (v_tenant, v_operator, p_hash)
    on conflict (tenant_id, operator_id) do update set hash = excluded.hash, version = p.version + 1, set_at = now();
  update portcullis.operators o set password_set_at = now() where o.tenant_id = v_tenant and o.id = v_operator;
  perform portcullis.end_sessions_of(v_tenant, array[v_operator], 'password changed');
  perform pg_notify('portcullis_credentials', '');
  insert into portcullis.sessions (id, digest, tenant_id, operator_id, expires_at)
    values (p_new_id, p_new_digest, v_tenant, v_operator, now() + interval '12 hours');
  return query select v_operator, v_tenant;
end
$$;

-- The session behind a cookie, which counts as a use of it; at most one write a minute. Idle for an hour it is over.
create function portcullis.use_session(p_digest bytea)
returns table (id uuid, operator_id uuid, operator_name text, tenant_id uuid, tenant_name text, signed_in_at timestamptz,
  has_password boolean, upstream boolean)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  update portcullis.sessions s set last_used_at = now()
   where s.digest = p_digest and s.revoked_at is null and s.expires_at > now()
     and s.last_used_at < now() - interval '1 minute' and s.last_used_at > now() - interval '1 hour';
  return query
    select s.id, o.id, o.name, t.id, t.name, s.created_at, o.password_set_at is not null, o.upstream_subject is not null
      from portcullis.sessions s
      join portcullis.operators o on o.tenant_id = s.tenant_id and o.id = s.operator_id and o.disabled_at is null
      join portcullis.tenants t on t.id = s.tenant_id and t.disabled_at is null
     where s.digest = p_digest and s.revoked_at is null and s.expires_at > now() and s.last_used_at > now() - interval '1 hour';
end
$$;

create or replace function portcullis.find_session(session_digest bytea)
returns table (operator_id uuid, operator_name text, tenant_id uuid, tenant_name text)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select o.id, o.name, t.id, t.name
    from portcullis.sessions s
    join portcullis.operators o on o.tenant_id = s.tenant_id and o.id = s.operator_id and o.disabled_at is null
    join portcullis.tenants t on t.id = s.tenant_id and t.disabled_at is null
   where s.digest = session_digest and s.revoked_at is null and s.expires_at > now() and s.last_used_at > now() - interval '1 hour';
end;

-- Ends the session of a cookie. Answers whose it was.
create function portcullis.close_session(p_digest bytea) returns table (id uuid, operator_id uuid, tenant_id uuid)
language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
  update portcullis.sessions s set revoked_at = now()
   where s.digest = p_digest and s.revoked_at is null returning s.id, s.operator_id, s.tenant_id;
end;

-- The session that an operator has with an app, from the consent on.
create function portcullis.start_app_session(p_id uuid, p_tenant uuid, p_operator uuid, p_app text, p_grant text, p_expires timestamptz) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform from portcullis.operators o
    where o.tenant_id = p_tenant and o.id = p_operator and o.disabled_at is null for share of o;
  if not found then
    return false;
  end if;
  insert into portcullis.sessions as s (id, tenant_id, operator_id, app_id, grant_id, grant_digest, expires_at)
    values (p_id, p_tenant, p_operator, p_app, p_grant, sha256(convert_to('grant:' || p_grant, 'UTF8')), p_expires)
    on conflict (grant_digest) do update set expires_at = greatest(s.expires_at, excluded.expires_at) where s.revoked_at is null;
  return found;
end
$$;

-- Whatever ended a grant, its session has ended: a revocation, a replay, somebody who signed out.
create function portcullis.end_session_of_grant() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update portcullis.sessions s set revoked_at = now() where s.grant_digest = new.digest and s.revoked_at is null;
  return null;
end
$$;
create trigger sessions_follow after insert on portcullis.token_denials
  for each row execute function portcullis.end_session_of_grant();

-- Sessions are listed for a week after their end.
create function portcullis.purge_sessions(p_at_most int) returns bigint
language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
  with codes as (
    delete from portcullis.sign_in_codes c
     where c.digest in (select o.digest from portcullis.sign_in_codes o where o.expires_at < now() - interval '1 day' order by o.expires_at limit p_at_most)
    returning 1),
  ended as (
    delete from portcullis.sessions s
     where (s.tenant_id, s.id) in (
       select o.tenant_id, o.id from portcullis.sessions o where o.expires_at < now() - interval '7 days' order by o.expires_at limit p_at_most)
    returning 1)
  select (select count(*) from codes) + (select count(*) from ended);
end;

do $$
declare f regprocedure;
begin
  for f in select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace
            where n.nspname = 'portcullis' and p.proname in ('new_id', 'end_session_of_grant', 'load_operators', 'touch_operators_of_tenant', 'end_sessions_of',
              'end_operators', 'revoke_session', 'make_password_code', 'find_password', 'find_upstream', 'find_password_code',
              'start_session', 'set_password', 'use_session', 'close_session', 'start_app_session', 'purge_sessions') loop
    execute format('revoke all on function %s from public', f);
  end loop;
  for f in select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace
            where n.nspname = 'portcullis' and p.proname in ('load_operators', 'end_operators', 'revoke_session', 'make_password_code',
              'find_password', 'find_upstream', 'find_password_code', 'start_session', 'set_password', 'use_session', 'close_session',
              'start_app_session', 'purge_sessions') loop
    execute format('grant execute on function %s to portcullis_app', f);
  end loop;
end
$$;
