-- Sign-in codes and browser sessions of operators. Only digests are stored; codes work once and live 15 minutes.
create table portcullis.sign_in_codes (
  digest bytea primary key,
  tenant_id uuid not null,
  operator_id uuid not null,
  expires_at timestamptz not null,
  used_at timestamptz,
  foreign key (tenant_id, operator_id) references portcullis.operators
);
create table portcullis.sessions (
  digest bytea primary key,
  tenant_id uuid not null,
  operator_id uuid not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  foreign key (tenant_id, operator_id) references portcullis.operators
);

-- Nobody but the functions below, which run as the owner, sees these tables.
alter table portcullis.sign_in_codes enable row level security;
alter table portcullis.sign_in_codes force row level security;
alter table portcullis.sessions enable row level security;
alter table portcullis.sessions force row level security;
create policy owner on portcullis.sign_in_codes to portcullis_owner using (true);
create policy owner on portcullis.sessions to portcullis_owner using (true);

create function portcullis.open_session(code_digest bytea, session_digest bytea) returns table (operator_id uuid, tenant_id uuid)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare spent portcullis.sign_in_codes;
begin
  update portcullis.sign_in_codes c set used_at = now()
   where c.digest = code_digest and c.used_at is null and c.expires_at > now() returning c.* into spent;
  if spent.digest is null then
    return;
  end if;
  insert into portcullis.sessions (digest, tenant_id, operator_id, expires_at)
    values (session_digest, spent.tenant_id, spent.operator_id, now() + interval '12 hours');
  return query select spent.operator_id, spent.tenant_id;
end
$$;

-- Asked before a code is spent, so that guesses cost no transaction.
create function portcullis.code_usable(code_digest bytea) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select exists (select from portcullis.sign_in_codes c
    where c.digest = code_digest and c.used_at is null and c.expires_at > now());
end;

create function portcullis.find_session(session_digest bytea)
returns table (operator_id uuid, operator_name text, tenant_id uuid, tenant_name text)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select o.id, o.name, t.id, t.name
    from portcullis.sessions s
    join portcullis.operators o on o.tenant_id = s.tenant_id and o.id = s.operator_id and o.disabled_at is null
    join portcullis.tenants t on t.id = s.tenant_id and t.disabled_at is null
   where s.digest = session_digest and s.expires_at > now();
end;

revoke all on function portcullis.open_session(bytea, bytea), portcullis.code_usable(bytea), portcullis.find_session(bytea) from public;
grant execute on function portcullis.open_session(bytea, bytea), portcullis.code_usable(bytea), portcullis.find_session(bytea)
  to portcullis_app;
