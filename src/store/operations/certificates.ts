import { members, ms, type OperationStatement } from './statement.ts'

export const certificateColumns = `c.id, c.agent_id as "agentId", encode(c.thumbprint, 'hex') as thumbprint, c.subject_dn as "subjectDn",
  c.scopes, ${ms('c.created_at', 'createdAtMs')}, ${ms('c.expires_at', 'expiresAtMs')}, ${ms('c.revoked_at', 'revokedAtMs')}`

// As for keys: every change of who may use a certificate wakes the replicas, at commit.
const notify = `notified as (select pg_notify('portcullis_credentials', '') from (select 1 from m limit 1) one)`

export const bindCertificate: OperationStatement = {
  name: 'certificate.bind',
  text: `with ${members(`id uuid, "agentId" uuid, thumbprint text, "subjectDn" text, scopes text[], "createdAtMs" float8,
      "expiresAtMs" float8`)}, ${notify},
  found as materialized (
    select m.*, a.disabled_at from m join portcullis.agents a on a.tenant_id = (select portcullis.tenant()) and a.id = m."agentId"),
  written as (
    insert into portcullis.certificates (tenant_id, id, agent_id, thumbprint, subject_dn, scopes, created_at, expires_at)
    select (select portcullis.tenant()), id, "agentId", decode(thumbprint, 'hex'), "subjectDn", scopes,
      to_timestamp("createdAtMs" / 1000), to_timestamp("expiresAtMs" / 1000)
      from found where disabled_at is null order by thumbprint, n
    on conflict (tenant_id, thumbprint) where revoked_at is null do nothing
    returning id)
  select f.n, case when f.disabled_at is not null then 'object.state' when w.id is null then 'object.exists' else 'done' end as verdict
    from found f left join written w on w.id = f.id left join notified on true`,
}

export const revokeCertificate: OperationStatement = {
  name: 'certificate.revoke',
  text: `with ${members('id uuid, "atMs" float8')}, ${notify},
  c as (
    update portcullis.certificates c
       set revoked_at = least(c.revoked_at, to_timestamp(m."atMs" / 1000)), changed_xid = pg_current_xact_id()
      from (select distinct on (id) id, "atMs" from m) m
     where c.tenant_id = (select portcullis.tenant()) and c.id = m.id
    returning c.*)
  select m.n, ${certificateColumns} from m join c on c.id = m.id left join notified on true`,
}
