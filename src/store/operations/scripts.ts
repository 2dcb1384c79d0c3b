import { members, ms, type OperationStatement } from './statement.ts'

// An outcome that names a run needs its intent; a second row of the same phase is refused. What could not be announced is told afterwards.
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
  select n, "recordedAtMs" from found join written using (id, phase)`,
}
