import { keyColumns, notify } from './identities.ts'
import { members, type OperationStatement } from './statement.ts'

/**
 * The old key is taken by its update, which looks at the row as it is once another transaction is done with it: of two rotations of a
 * key one is done. The row of the answer is that of the old key before (SPEC G5).
 */
export const rotateKey: OperationStatement = {
  name: 'key.rotate',
  text: `with ${members(`id uuid, "newId" uuid, digest text, "operatorId" uuid, grantable text[], "atMs" float8, "graceMs" float8,
      "expiresAtMs" float8`)}, ${notify},
  k as materialized (
    select m.n, m."newId", m.grantable, to_timestamp(m."atMs" / 1000) as at, f.*, f.scopes <@ m.grantable as granted
      from m cross join lateral (
        select k.*, a.disabled_at from portcullis.keys k
          left join portcullis.agents a on a.tenant_id = k.tenant_id and a.id = k.agent_id
         where k.tenant_id = (select portcullis.tenant()) and k.id = m.id limit 1) f
     where f.operator_id is null or f.operator_id = m."operatorId"),
  taken as (
    update portcullis.keys old
       set replaced_by = w."newId",
           expires_at = least(old.expires_at, to_timestamp((w."atMs" + w."graceMs") / 1000)),
           revoked_at = case when w."graceMs" = 0 then to_timestamp(w."atMs" / 1000) end,
           changed_xid = pg_current_xact_id()
      from (select distinct on (m.id) m.* from m join k using (n) where k.granted and k.disabled_at is null order by m.id, m.n) w
     where old.tenant_id = (select portcullis.tenant()) and old.id = w.id and old.replaced_by is null and old.revoked_at is null
       and (old.expires_at is null or old.expires_at > to_timestamp(w."atMs" / 1000))
    returning w.n),
  made as (
    insert into portcullis.keys (tenant_id, id, agent_id, operator_id, digest, scopes, allowed_models, allowed_tools, allowed_cidrs,
      rate_per_second, rate_burst, require_signature, created_at, expires_at)
    select k.tenant_id, k."newId", k.agent_id, k.operator_id, decode(m.digest, 'hex'), k.scopes, k.allowed_models, k.allowed_tools,
           k.allowed_cidrs, k.rate_per_second, k.rate_burst, k.require_signature, k.at,
           coalesce(to_timestamp(m."expiresAtMs" / 1000), k.expires_at)
      from taken join k using (n) join m using (n))
  select k.n, ${keyColumns}, array(select unnest(k.scopes) except select unnest(k.grantable)) as missing,
         case when taken.n is not null then 'done'
              when not k.granted then 'scopes'
              when k.disabled_at is not null then 'disabled'
              when k.revoked_at is not null then 'revoked'
              when k.expires_at <= k.at then 'expired'
              else 'rotated' end as verdict
    from k left join taken using (n) left join notified on true`,
}
