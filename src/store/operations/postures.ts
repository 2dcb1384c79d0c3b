import { members, ms, type OperationStatement } from './statement.ts'

export const recordPosture: OperationStatement = {
  name: 'posture.record',
  text: `with ${members(`id uuid, "reportSha256" text, "toolVersion" text, target text, "startedAtMs" float8, counts jsonb, findings jsonb,
      "findingsLeftOut" int, actor text, "createdAtMs" float8`)},
  written as (
    insert into portcullis.posture_reports (tenant_id, id, report_sha256, tool_version, target, started_at, counts, findings,
      findings_left_out, actor, created_at)
    select (select portcullis.tenant()), id, "reportSha256", "toolVersion", target, to_timestamp("startedAtMs" / 1000), counts, findings,
      "findingsLeftOut", actor, to_timestamp("createdAtMs" / 1000) from m)
  select n, p from m`,
}

/** The columns of a PostureRow. */
export const postureColumns = `t.id, t.report_sha256 as "reportSha256", t.tool_version as "toolVersion", t.target,
  ${ms('t.started_at', 'startedAtMs')}, t.counts, t.findings, t.findings_left_out as "findingsLeftOut", t.actor,
  ${ms('t.created_at', 'createdAtMs')}`
