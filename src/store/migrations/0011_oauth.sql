-- serves from 0004
-- What the authorization server keeps: grants, codes, refresh tokens, sessions, what is under way. Found by SHA-256 of the value that
-- its holder shows; the value itself is nowhere.
create table portcullis.oauth_artefacts (
  model text not null check (length(model) between 1 and 64),
  digest bytea not null check (length(digest) = 32),
  payload jsonb not null,
  -- SHA-256 of the grant it belongs to: what was granted together ends together.
  grant_digest bytea check (length(grant_digest) = 32),
  uid_digest bytea check (length(uid_digest) = 32),
  consumed_at timestamptz,
  expires_at timestamptz not null,
  primary key (model, digest)
);
create index on portcullis.oauth_artefacts (grant_digest) where grant_digest is not null;
create index on portcullis.oauth_artefacts (model, uid_digest) where uid_digest is not null;
create index on portcullis.oauth_artefacts (expires_at);

-- Keys that sign tokens. The private part is an envelope (SPEC S1).
create table portcullis.oauth_keys (
  id uuid primary key,
  kid text not null unique check (length(kid) between 1 and 64),
  algorithm text not null check (algorithm in ('ES256', 'RS256', 'PS256')),
  public_jwk jsonb not null,
  envelope bytea not null check (length(envelope) between 64 and 16384),
  key_id text not null,
  created_at timestamptz not null default now(),
  -- Published from its making on; signs from here on, until another one does.
  activates_at timestamptz not null,
  -- Published until then: the last token that it signed has expired. Null until another key takes over.
  retires_at timestamptz,
  changed_xid xid8 not null default pg_current_xact_id()
);
create index on portcullis.oauth_keys (key_id);

-- Nobody but the functions below, which run as the owner, sees these tables.
do $$
declare t text;
begin
  foreach t in array array['oauth_artefacts', 'oauth_keys'] loop
    execute format('alter table portcullis.%I enable row level security', t);
    execute format('alter table portcullis.%I force row level security', t);
    execute format('create policy owner on portcullis.%I to portcullis_owner using (true)', t);
  end loop;
end
$$;

create function portcullis.oauth_find(p_model text, p_digest bytea)
returns table (payload jsonb, consumed boolean, expired boolean)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select a.payload, a.consumed_at is not null, a.expires_at <= now()
    from portcullis.oauth_artefacts a where a.model = p_model and a.digest = p_digest;
end;

create function portcullis.oauth_find_by_uid(p_model text, p_uid bytea)
returns table (payload jsonb, consumed boolean, expired boolean)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select a.payload, a.consumed_at is not null, a.expires_at <= now()
    from portcullis.oauth_artefacts a where a.model = p_model and a.uid_digest = p_uid limit 1;
end;

-- What a person granted under one session at the authorization server: each is an answer that they gave to a page (SPEC A7).
create function portcullis.oauth_grants_under(p_session_uid bytea) returns table (grant_id text, client_id text)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select a.payload->>'grantId', a.payload->>'clientId'
    from portcullis.oauth_artefacts a
   where a.model = 'SessionGrant' and a.uid_digest = p_session_uid and a.expires_at > now();
end;

-- Ends what belongs to these grants, and their access tokens (SPEC A6, A7).
create function portcullis.oauth_revoke(w jsonb) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  delete from portcullis.oauth_artefacts a
   using (select decode(value, 'hex') as digest from jsonb_array_elements_text(coalesce(w->'grants', '[]')) order by 1) g
   where a.grant_digest = g.digest;
  insert into portcullis.token_denials as d (tenant_id, digest, reason, expires_at)
    select t."tenantId", decode(t.digest, 'hex'), min(t.reason), to_timestamp(max(t."expiresAtMs") / 1000)
      from jsonb_to_recordset(coalesce(w->'denials', '[]')) as t("tenantId" uuid, digest text, reason text, "expiresAtMs" float8)
     group by 1, 2 order by 1, 2
    on conflict (tenant_id, digest) do update
      set expires_at = greatest(d.expires_at, excluded.expires_at), changed_xid = pg_current_xact_id();
  if found then
    perform pg_notify('portcullis_credentials', '');
  end if;
end
$$;

-- All that one request to the authorization server writes. `replayed`: a value was used before, and nothing is written. `lost`: another
-- request was first to use the code or the refresh token; then nothing is written but what ends all that came of it.
create function portcullis.oauth_commit(w jsonb) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  one record;
begin
  for one in
    select t.model, decode(t.digest, 'hex') as digest, to_timestamp(t."expiresAtMs" / 1000) as until
      from jsonb_to_recordset(coalesce(w->'once', '[]')) as t(model text, digest text, "expiresAtMs" float8) order by 1, 2
  loop
    insert into portcullis.oauth_artefacts as a (model, digest, payload, expires_at) values (one.model, one.digest, '{}', one.until)
      on conflict (model, digest) do update set expires_at = excluded.expires_at where a.expires_at < now() - interval '10 minutes';
    if not found then
      return 'replayed';
    end if;
  end loop;
  for one in
    select t.model, decode(t.digest, 'hex') as digest, t."keepSeconds" as keep
      from jsonb_to_recordset(coalesce(w->'consume', '[]')) as t(model text, digest text, "keepSeconds" int) order by 1, 2
  loop
    update portcullis.oauth_artefacts a
       set consumed_at = now(), expires_at = greatest(a.expires_at, now() + make_interval(secs => one.keep))
     where a.model = one.model and a.digest = one.digest and a.consumed_at is null;
    if not found then
      perform portcullis.oauth_revoke(w->'lost');
      return 'lost';
    end if;
  end loop;
  delete from portcullis.oauth_artefacts a
   using (select t.model, decode(t.digest, 'hex') as digest
            from jsonb_to_recordset(coalesce(w->'destroy', '[]')) as t(model text, digest text) order by 1, 2) d
   where a.model = d.model and a.digest = d.digest;
  insert into portcullis.oauth_artefacts as a (model, digest, payload, grant_digest, uid_digest, expires_at)
    select t.model, decode(t.digest, 'hex'), t.payload, decode(t."grantDigest", 'hex'), decode(t."uidDigest", 'hex'),
           to_timestamp(t."expiresAtMs" / 1000)
      from jsonb_to_recordset(coalesce(w->'upsert', '[]'))
        as t(model text, digest text, payload jsonb, "grantDigest" text, "uidDigest" text, "expiresAtMs" float8) order by 1, 2
    on conflict (model, digest) do update
      set payload = excluded.payload, grant_digest = excluded.grant_digest, uid_digest = excluded.uid_digest,
          expires_at = excluded.expires_at;
  perform portcullis.oauth_revoke(w);
  return 'done';
end
$$;

create function portcullis.purge_oauth(p_at_most int) returns bigint
language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
  with gone as (
    delete from portcullis.oauth_artefacts a
     where (a.model, a.digest) in (
       select o.model, o.digest from portcullis.oauth_artefacts o
        where o.expires_at < now() - interval '10 minutes' order by o.expires_at limit p_at_most)
    returning 1)
  select count(*) from gone;
end;

create function portcullis.load_oauth_keys(since xid8)
returns table (id uuid, kid text, algorithm text, public_jwk jsonb, envelope bytea, created_at timestamptz, activates_at timestamptz,
  retires_at timestamptz)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select k.id, k.kid, k.algorithm, k.public_jwk, k.envelope, k.created_at, k.activates_at, k.retires_at
    from portcullis.oauth_keys k where k.changed_xid >= since;
end;

-- False where another replica was first: of that algorithm there is one that is younger than the age already.
create function portcullis.create_oauth_key(p_id uuid, p_kid text, p_algorithm text, p_public_jwk jsonb, p_envelope bytea, p_key_id text,
  p_delay interval, p_overlap interval, p_age interval)
returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  active timestamptz := now() + p_delay;
begin
  perform pg_advisory_xact_lock(hashtextextended('portcullis oauth keys', 0));
  if exists (select from portcullis.oauth_keys k where k.algorithm = p_algorithm and k.created_at > now() - p_age) then
    return false;
  end if;
  -- The first key of all signs at once: nobody has fetched another.
  if not exists (select from portcullis.oauth_keys k where k.retires_at is null or k.retires_at > now()) then
    active := now();
  end if;
  update portcullis.oauth_keys k set retires_at = active + p_overlap, changed_xid = pg_current_xact_id() where k.retires_at is null;
  insert into portcullis.oauth_keys (id, kid, algorithm, public_jwk, envelope, key_id, activates_at)
    values (p_id, p_kid, p_algorithm, p_public_jwk, p_envelope, p_key_id, active);
  delete from portcullis.oauth_keys k where k.retires_at < now() - interval '1 day';
  perform pg_notify('portcullis_credentials', '');
  return true;
end
$$;

-- As before, with the keys that sign tokens.
create or replace function portcullis.envelope_keys() returns table (kind text, key_id text, envelopes bigint, tenants bigint, wraps bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select e.kind, e.key_id, count(*), count(distinct e.tenant_id), max(w.wraps)
    from (select s.kind, s.key_id, s.tenant_id from portcullis.secrets s
          union all
          select 'pseudonym key', k.key_id, k.tenant_id from portcullis.pseudonym_keys k where k.envelope is not null
          union all
          select 'token signing key', o.key_id, null from portcullis.oauth_keys o) e
    left join portcullis.key_wraps w on w.key_id = e.key_id
   group by 1, 2 order by 1, 2;
end;

create or replace function portcullis.stale_envelopes(p_newest text, p_table text, p_tenant uuid, p_row text, p_limit int)
returns table (source text, tenant_id uuid, row_id text, envelope bytea)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select e.source, e.tenant_id, e.row_id, e.envelope
    from (select 'pseudonym_keys' as source, k.tenant_id, k.version::text as row_id, k.envelope
            from portcullis.pseudonym_keys k where k.key_id <> p_newest
          union all
          select 'secrets', s.tenant_id, s.id::text, s.envelope from portcullis.secrets s where s.key_id <> p_newest
          union all
          select 'oauth_keys', '00000000-0000-0000-0000-000000000000', o.id::text, o.envelope
            from portcullis.oauth_keys o where o.key_id <> p_newest) e
   where (e.source, e.tenant_id, e.row_id) > (p_table, p_tenant, p_row)
   order by e.source, e.tenant_id, e.row_id
   limit p_limit;
end;

create or replace function portcullis.rewrap_envelope(p_table text, p_tenant uuid, p_row text, p_old bytea, p_new bytea, p_key_id text)
returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if p_table = 'secrets' then
    update portcullis.secrets s set envelope = p_new, key_id = p_key_id, rotated_at = now()
     where s.tenant_id = p_tenant and s.id = p_row::uuid and s.envelope = p_old;
  elsif p_table = 'oauth_keys' then
    update portcullis.oauth_keys o set envelope = p_new, key_id = p_key_id where o.id = p_row::uuid and o.envelope = p_old;
  else
    -- Replicas hold the key already: it is the same one.
    update portcullis.pseudonym_keys k set envelope = p_new, key_id = p_key_id
     where k.tenant_id = p_tenant and k.version = p_row::int and k.envelope = p_old;
  end if;
  return found;
end
$$;

revoke all on function portcullis.oauth_find(text, bytea), portcullis.oauth_find_by_uid(text, bytea), portcullis.oauth_revoke(jsonb),
  portcullis.oauth_grants_under(bytea), portcullis.oauth_commit(jsonb), portcullis.purge_oauth(int), portcullis.load_oauth_keys(xid8),
  portcullis.create_oauth_key(uuid, text, text, jsonb, bytea, text, interval, interval, interval) from public;
grant execute on function portcullis.oauth_find(text, bytea), portcullis.oauth_find_by_uid(text, bytea),
  portcullis.oauth_grants_under(bytea), portcullis.oauth_commit(jsonb), portcullis.purge_oauth(int), portcullis.load_oauth_keys(xid8),
  portcullis.create_oauth_key(uuid, text, text, jsonb, bytea, text, interval, interval, interval) to portcullis_app;
