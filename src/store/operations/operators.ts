import { members, ms, type OperationStatement } from './statement.ts'

export const operatorColumns = `o.id, o.name, o.role, o.upstream_subject as "upstreamSubject",
  ${ms('o.password_set_at', 'passwordSetAtMs')}, ${ms('o.created_at', 'createdAtMs')}, ${ms('o.disabled_at', 'disabledAtMs')}`

// A name is taken by the first, and so is who somebody is at the issuer. The code is joined by its operator, so that no planner can
// leave it out.
export const createOperator: OperationStatement = {
  name: 'operator.create',
  text: `with ${members(`id uuid, name text, role text, "upstreamSubject" text, "codeDigest" text, "codeMinutes" int, "createdAtMs" float8`)},
  o as (
    insert into portcullis.operators (tenant_id, id, name, role, upstream_subject, created_at)
    select (select portcullis.tenant()), id, name, role, "upstreamSubject", to_timestamp("createdAtMs" / 1000) from m order by name, n
    on conflict do nothing
    returning id),
  notified as (select pg_notify('portcullis_credentials', '') from (select 1 from m limit 1) one),
  coded as materialized (
    select o.id, portcullis.make_password_code(decode(m."codeDigest", 'hex'), o.id, m."codeMinutes") from m join o using (id) where m."codeDigest" is not null)
  select m.n, case when o.id is null then 'object.exists' else 'done' end as verdict
    from m left join o using (id) left join notified on true left join coded on coded.id = m.id`,
}

export const disableOperator: OperationStatement = {
  name: 'operator.disable',
  text: `with ${members('id uuid, "platformToo" boolean, "atMs" float8')},
  notified as (select pg_notify('portcullis_credentials', '') from (select 1 from m limit 1) one),
  o as (
    update portcullis.operators o
       set disabled_at = coalesce(o.disabled_at, to_timestamp(m."atMs" / 1000)), changed_xid = pg_current_xact_id()
      from (select distinct on (id) id, "platformToo", "atMs" from m) m
     where o.tenant_id = (select portcullis.tenant()) and o.id = m.id and (m."platformToo" or not o.platform)
    returning o.*),
  ended as materialized (select portcullis.end_operators(array(select id from o)))
  select m.n, ${operatorColumns} from m join o on o.id = m.id left join notified on true left join ended on true`,
}
