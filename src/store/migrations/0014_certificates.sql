-- serves from 0004
-- Certificates that stand for agents on the listeners with client certificates. Replicas keep them in memory, as they keep keys.
create table portcullis.certificates (
  tenant_id uuid not null references portcullis.tenants,
  id uuid not null,
  agent_id uuid not null,
  -- SHA-256 of the DER. The certificate itself is public and is not needed again.
  thumbprint bytea not null check (length(thumbprint) = 32),
  subject_dn text not null,
  scopes text[] not null,
  created_at timestamptz not null default now(),
  -- Never later than the end of the certificate.
  expires_at timestamptz not null,
  revoked_at timestamptz,
  -- As in portcullis.keys.
  changed_xid xid8 not null default pg_current_xact_id(),
  primary key (tenant_id, id),
  foreign key (tenant_id, agent_id) references portcullis.agents
);
-- In each tenant a certificate stands for one agent. Not across tenants: certificates are public, and whoever binds one has not shown
-- its private key, so that a binding must keep no other tenant from its own.
create unique index on portcullis.certificates (tenant_id, thumbprint) where revoked_at is null;
create index on portcullis.certificates (changed_xid);
create index on portcullis.certificates (tenant_id, agent_id, id);

alter table portcullis.certificates enable row level security;
alter table portcullis.certificates force row level security;
create policy tenant on portcullis.certificates using (tenant_id = (select portcullis.tenant()));
create policy owner on portcullis.certificates to portcullis_owner using (true);
grant select on portcullis.certificates to portcullis_app, portcullis_reader;
grant insert, update on portcullis.certificates to portcullis_app;

create function portcullis.load_certificates(since xid8)
returns table (
  id uuid, agent_id uuid, tenant_id uuid, tenant_name text, thumbprint bytea, scopes text[], expires_at timestamptz, revoked_at timestamptz,
  agent_disabled boolean, tenant_disabled boolean
)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select c.id, c.agent_id, c.tenant_id, t.name, c.thumbprint, c.scopes, c.expires_at, c.revoked_at,
         a.disabled_at is not null, t.disabled_at is not null
    from portcullis.certificates c
    join portcullis.tenants t on t.id = c.tenant_id
    join portcullis.agents a on a.tenant_id = c.tenant_id and a.id = c.agent_id
   where c.changed_xid >= since
   order by c.id;
end;

-- A certificate follows its agent and its tenant. The lock is the one of touch_keys_of, and for its reason: a certificate that
-- another transaction is binding holds a lock on both through its foreign keys.
create function portcullis.touch_certificates_of_agent() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform from portcullis.agents a where a.tenant_id = new.tenant_id and a.id = new.id for update;
  update portcullis.certificates c set changed_xid = pg_current_xact_id() where c.tenant_id = new.tenant_id and c.agent_id = new.id;
  return null;
end
$$;
create trigger certificates_follow after update of disabled_at on portcullis.agents
  for each row when (old.disabled_at is distinct from new.disabled_at) execute function portcullis.touch_certificates_of_agent();

create function portcullis.touch_certificates_of_tenant() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform from portcullis.tenants t where t.id = new.id for update;
  update portcullis.certificates c set changed_xid = pg_current_xact_id() where c.tenant_id = new.id;
  return null;
end
$$;
create trigger certificates_follow after update of disabled_at on portcullis.tenants
  for each row when (old.disabled_at is distinct from new.disabled_at) execute function portcullis.touch_certificates_of_tenant();

revoke all on function portcullis.load_certificates(xid8), portcullis.touch_certificates_of_agent(),
  portcullis.touch_certificates_of_tenant() from public;
grant execute on function portcullis.load_certificates(xid8) to portcullis_app;
