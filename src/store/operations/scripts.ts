import { members, ms, type OperationStatement } from './statement.ts'

// An outcome that names a run needs its intent, and there is one of each: the second answers the verdict object.state.
export const recordScript: OperationStatement = {
  name: 'script.record',
  text: `with ${members(`id uuid, phase text, announced boolean, name text, operator text, args text[], destructive boolean,
      confirmed boolean, "exitCode" int, signal text, "durationMs" bigint`)},
  found as materialized (
    select m.* from m
     where not m.announced or exists (
       select from audits.script_records s
        where s.tenant_id = (select portcullis.tenant()) and s.id = m.id and s.phase = 'intent')),
  written as (
    insert into audits.script_records (tenant_id, id, phase, name, operator, args, destructive, confirmed, exit_code, signal, duration_ms)
    select (select portcullis.tenant()), id, phase, name, operator, args, destructive, confirmed, "exitCode", signal, "durationMs"
      from found order by id
    on conflict do nothing
    returning id, phase, ${ms('recorded_at', 'recordedAtMs')})
  select n, case when "recordedAtMs" is null then 'object.state' else 'done' end as verdict, "recordedAtMs"
    from found left join written using (id, phase)`,
}
