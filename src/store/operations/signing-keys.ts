import { notify } from './identities.ts'
import { members, ms, type OperationStatement } from './statement.ts'

export const signingKeyColumns = `g.id, g.agent_id as "agentId", g.algorithm,
  translate(encode(g.public_key, 'base64'), E'\\n', '') as "publicKey",
  ${ms('g.created_at', 'createdAtMs')}, ${ms('g.revoked_at', 'revokedAtMs')}`

/** The secret of an HMAC key goes where all envelopes are, under the same id, so that the rotation of master keys finds it. */
export const createSigningKey: OperationStatement = {
  name: 'signing_key.create',
  text: `with ${members(`id uuid, "agentId" uuid, "operatorId" uuid, algorithm text, "publicKey" text, envelope text, "masterKeyId" text,
      "createdAtMs" float8`)}, ${notify},
  found as materialized (
    select m.*, coalesce(a.disabled_at, o.disabled_at) as disabled_at from m
      left join portcullis.agents a on a.tenant_id = (select portcullis.tenant()) and a.id = m."agentId"
      left join portcullis.operators o on o.tenant_id = (select portcullis.tenant()) and o.id = m."operatorId"
     where coalesce(a.id, o.id) is not null),
  sealed as (
    insert into portcullis.secrets (tenant_id, id, kind, name, envelope, key_id, created_at)
    select (select portcullis.tenant()), id, 'signing_key', id::text, decode(envelope, 'hex'), "masterKeyId", to_timestamp("createdAtMs" / 1000)
      from found where disabled_at is null and envelope is not null),
  written as (
    insert into portcullis.signing_keys (tenant_id, id, agent_id, operator_id, algorithm, public_key, created_at)
    select (select portcullis.tenant()), id, "agentId", "operatorId", algorithm, decode("publicKey", 'base64'), to_timestamp("createdAtMs" / 1000)
      from found where disabled_at is null)
  select n, case when disabled_at is null then 'done' else 'object.state' end as verdict from found left join notified on true`,
}

/** Nothing is left of the secret of a key that was revoked. */
export const revokeSigningKey: OperationStatement = {
  name: 'signing_key.revoke',
  text: `with ${members('id uuid, "platformToo" boolean, "atMs" float8')}, ${notify},
  g as (
    update portcullis.signing_keys g
       set revoked_at = least(g.revoked_at, to_timestamp(m."atMs" / 1000)), changed_xid = pg_current_xact_id()
      from (select distinct on (id) id, "platformToo", "atMs" from m) m
     where g.tenant_id = (select portcullis.tenant()) and g.id = m.id
       and (m."platformToo" or not exists (
         select from portcullis.operators o where o.tenant_id = g.tenant_id and o.id = g.operator_id and o.platform))
    returning g.*),
  gone as (
    delete from portcullis.secrets s using g where s.tenant_id = (select portcullis.tenant()) and s.id = g.id and s.kind = 'signing_key')
  select m.n, ${signingKeyColumns} from m join g on g.id = m.id left join notified on true`,
}
