import { members, ms, type OperationStatement } from './statement.ts'

export const appColumns = `p.id, p.name, p.agent_id as "agentId", p.scopes, p.redirect_uris as "redirectUris",
  p.grant_types as "grantTypes", p.auth_method as "authMethod", p.jwks as "jwksJson", p.tls_subject_dn as "tlsSubjectDn",
  p.dpop_bound as "dpopBound", p.certificate_bound as "certificateBound", ${ms('p.created_at', 'createdAtMs')},
  ${ms('p.secret_created_at', 'secretCreatedAtMs')}, ${ms('p.old_secret_expires_at', 'oldSecretExpiresAtMs')},
  ${ms('p.disabled_at', 'disabledAtMs')}`

const notify = `notified as (select pg_notify('portcullis_credentials', '') from (select 1 from m limit 1) one)`

// A name is taken by the first; an agent is there, and not disabled, or the app has none.
export const createApp: OperationStatement = {
  name: 'app.create',
  text: `with ${members(`id uuid, name text, "agentId" uuid, scopes text[], "redirectUris" text[], "grantTypes" text[],
      "authMethod" text, "jwksJson" text, "tlsSubjectDn" text, "dpopBound" boolean, "certificateBound" boolean, "secretDigest" text,
      "createdAtMs" float8`)}, ${notify},
  found as materialized (
    select m.*, a.disabled_at
      from m left join lateral (
        select a.id, a.disabled_at from portcullis.agents a
         where a.tenant_id = (select portcullis.tenant()) and a.id = m."agentId" limit 1) a on true
     where m."agentId" is null or a.id is not null),
  written as (
    insert into portcullis.apps (tenant_id, id, name, agent_id, scopes, redirect_uris, grant_types, auth_method, jwks, tls_subject_dn,
      dpop_bound, certificate_bound, secret_digest, secret_created_at, created_at)
    select (select portcullis.tenant()), id, name, "agentId", scopes, "redirectUris", "grantTypes", "authMethod", "jwksJson",
      "tlsSubjectDn", "dpopBound", "certificateBound", decode("secretDigest", 'hex'),
      case when "secretDigest" is not null then to_timestamp("createdAtMs" / 1000) end, to_timestamp("createdAtMs" / 1000)
      from found where disabled_at is null order by name, n
    on conflict (tenant_id, name) do nothing
    returning id)
  select f.n, case when w.id is not null then 'done' when f.disabled_at is not null then 'object.state' else 'object.exists' end as verdict
    from found f left join written w on w.id = f.id left join notified on true`,
}

// Of two rotations of one app in a batch the first is done, and the other refused: its secret would be the old one already.
export const rotateAppSecret: OperationStatement = {
  name: 'app.rotate_secret',
  text: `with ${members('id uuid, "secretDigest" text, "overlapSeconds" int, grantable text[], "atMs" float8')}, ${notify},
  found as materialized (
    select m.*, p.disabled_at, p.secret_digest as present, p.scopes <@ m.grantable as granted,
           row_number() over (partition by m.id, p.scopes <@ m.grantable order by m.n) as turn
      from m cross join lateral (
        select * from portcullis.apps p where p.tenant_id = (select portcullis.tenant()) and p.id = m.id limit 1) p),
  p as (
    update portcullis.apps p
       set old_secret_digest = case when f."overlapSeconds" > 0 then p.secret_digest end,
           old_secret_expires_at = case when f."overlapSeconds" > 0
             then to_timestamp(f."atMs" / 1000) + make_interval(secs => f."overlapSeconds") end,
           secret_digest = decode(f."secretDigest", 'hex'), secret_created_at = to_timestamp(f."atMs" / 1000),
           changed_xid = pg_current_xact_id()
      from found f
     where p.tenant_id = (select portcullis.tenant()) and p.id = f.id
       and f.granted and f.turn = 1 and f.disabled_at is null and f.present is not null
    returning p.*, f.n)
  select f.n, ${appColumns},
         case when not f.granted then 'scopes' when p.id is not null then 'done' when f.disabled_at is not null then 'disabled'
              when f.present is null then 'no_secret' else 'rotating' end as verdict
    from found f left join p on p.n = f.n left join notified on true`,
}

export const disableApp: OperationStatement = {
  name: 'app.disable',
  text: `with ${members('id uuid, "atMs" float8')}, ${notify},
  p as (
    update portcullis.apps p
       set disabled_at = coalesce(p.disabled_at, to_timestamp(m."atMs" / 1000)), changed_xid = pg_current_xact_id()
      from (select distinct on (id) id, "atMs" from m order by id, n) m
     where p.tenant_id = (select portcullis.tenant()) and p.id = m.id
    returning p.*)
  select m.n, ${appColumns} from m join p on p.id = m.id left join notified on true`,
}
