import { members, ms, type OperationStatement } from './statement.ts'

export const agentColumns = `a.id, a.name, a.owner, a.labels, a.allowed_models as "allowedModels", a.allowed_tools as "allowedTools",
  ${ms('a.created_at', 'createdAtMs')}, ${ms('a.disabled_at', 'disabledAtMs')}`

export const keyColumns = `k.id, k.agent_id as "agentId", k.scopes, ${ms('k.created_at', 'createdAtMs')},
  ${ms('k.expires_at', 'expiresAtMs')}, ${ms('k.revoked_at', 'revokedAtMs')}, ${ms('k.last_used_at', 'lastUsedAtMs')},
  k.allowed_models as "allowedModels", k.allowed_tools as "allowedTools", k.allowed_cidrs as "allowedCidrs",
  k.rate_per_second as "ratePerSecond", k.rate_burst as "rateBurst", k.require_signature as "requireSignature",
  k.replaced_by as "replacedBy"`

export const tenantColumns = `t.id, t.name, ${ms('t.created_at', 'createdAtMs')}, ${ms('t.disabled_at', 'disabledAtMs')}`

// Every change of who may use a key wakes the replicas, at commit.
export const notify = `notified as (select pg_notify('portcullis_credentials', '') from (select 1 from m limit 1) one)`

export const createAgent: OperationStatement = {
  name: 'agent.create',
  text: `with ${members('id uuid, name text, owner text, labels jsonb, "allowedModels" text[], "allowedTools" text[], "createdAtMs" float8')},
  a as (
    insert into portcullis.agents (tenant_id, id, name, owner, labels, allowed_models, allowed_tools, created_at)
    select (select portcullis.tenant()), id, name, owner, labels, "allowedModels", "allowedTools", to_timestamp("createdAtMs" / 1000)
      from m order by name, n
    on conflict (tenant_id, name) do nothing
    returning id)
  select m.n from m join a using (id)`,
}

export const disableAgent: OperationStatement = {
  name: 'agent.disable',
  text: `with ${members('id uuid, "atMs" float8')}, ${notify},
  a as (
    update portcullis.agents a set disabled_at = coalesce(a.disabled_at, to_timestamp(m."atMs" / 1000))
      from (select distinct on (id) id, "atMs" from m) m
     where a.tenant_id = (select portcullis.tenant()) and a.id = m.id
    returning a.*),
  touched as materialized (select portcullis.touch_keys_of(array(select id from a)))
  select m.n, ${agentColumns} from m join a on a.id = m.id left join notified on true left join touched on true`,
}

export const createKey: OperationStatement = {
  name: 'key.create',
  text: `with ${members(`id uuid, "agentId" uuid, digest text, scopes text[], "allowedModels" text[], "allowedTools" text[],
      "allowedCidrs" text[], "ratePerSecond" int, "rateBurst" int, "requireSignature" boolean, "createdAtMs" float8, "expiresAtMs" float8`)}, ${notify},
  found as materialized (
    select m.*, a.disabled_at from m join portcullis.agents a on a.tenant_id = (select portcullis.tenant()) and a.id = m."agentId"),
  written as (
    insert into portcullis.keys (tenant_id, id, agent_id, digest, scopes, allowed_models, allowed_tools, allowed_cidrs,
      rate_per_second, rate_burst, require_signature, created_at, expires_at)
    select (select portcullis.tenant()), id, "agentId", decode(digest, 'hex'), scopes, "allowedModels", "allowedTools", "allowedCidrs",
      "ratePerSecond", "rateBurst", "requireSignature", to_timestamp("createdAtMs" / 1000), to_timestamp("expiresAtMs" / 1000)
      from found where disabled_at is null)
  select n, case when disabled_at is null then 'done' else 'object.state' end as verdict from found left join notified on true`,
}

export const revokeKey: OperationStatement = {
  name: 'key.revoke',
  text: `with ${members('id uuid, "agentKeysOnly" boolean, "platformToo" boolean, "atMs" float8')}, ${notify},
  mine as materialized (
    select m.* from m cross join lateral (
        select k.operator_id, o.platform from portcullis.keys k
          left join portcullis.operators o on o.tenant_id = k.tenant_id and o.id = k.operator_id
         where k.tenant_id = (select portcullis.tenant()) and k.id = m.id limit 1) k
     where k.operator_id is null or (not m."agentKeysOnly" and (m."platformToo" or not k.platform))),
  k as (
    update portcullis.keys k
       set revoked_at = least(k.revoked_at, to_timestamp(m."atMs" / 1000)), changed_xid = pg_current_xact_id()
      from (select distinct on (id) id, "atMs" from mine) m
     where k.tenant_id = (select portcullis.tenant()) and k.id = m.id
    returning k.*)
  select mine.n, ${keyColumns} from mine join k on k.id = mine.id left join notified on true`,
}

// Tenants are made and disabled by definer functions: the rows are outside of the caller's tenant.
export const createTenant: OperationStatement = {
  name: 'tenant.create',
  text: `with ${members('id uuid, name text, "operatorId" uuid, "keyId" uuid, "keyDigest" text, "keyScopes" text[]')},
  made as (
    select n, portcullis.create_tenant(id, name, "operatorId", "keyId", decode("keyDigest", 'hex'), "keyScopes") as at from m order by name, n)
  select n, ${ms('at', 'createdAtMs')} from made where at is not null`,
}

export const disableTenant: OperationStatement = {
  name: 'tenant.disable',
  text: `with ${members('id uuid')}
  select m.n, ${tenantColumns} from m cross join lateral portcullis.disable_tenant(m.id) t`,
}
