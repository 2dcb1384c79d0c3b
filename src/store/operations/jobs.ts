import { members, ms, type OperationStatement } from './statement.ts'

/** The columns of a JobRow. */
export const jobColumns = `j.id, j.kind, j.state, j.trigger, j.actor, j.request_id as "requestId", j.attempts, j.error,
  j.result_json as "resultJson", ${ms('j.created_at', 'createdAtMs')}, ${ms('j.started_at', 'startedAtMs')},
  ${ms('j.finished_at', 'finishedAtMs')}`

// Kinds in order: two batches that trigger the same ones wait for each other and do not deadlock.
export const triggerJob: OperationStatement = {
  name: 'job.trigger',
  text: `with ${members(`id uuid, kind text, trigger text, actor text, "requestId" text, overlap int, retries int,
      "timeoutSeconds" int, "dataJson" text, "waitingMax" int`)},
  ordered as materialized (select * from m order by kind, n)
  select o.n, t.verdict, t.id from ordered o cross join lateral portcullis.trigger_job(o.id, o.kind, o.trigger, o.actor,
    o."requestId", o.overlap, o.retries, o."timeoutSeconds", o."dataJson", o."waitingMax") t`,
}

export const cancelJob: OperationStatement = {
  name: 'job.cancel',
  text: `with ${members('id uuid, reason text, kept text[]')},
  ordered as materialized (
    select m.* from m where not exists (
      select from portcullis.jobs j where j.tenant_id = (select portcullis.tenant()) and j.id = m.id and j.kind = any (m.kept))
     order by m.id, m.n)
  select o.n, c.verdict, ${jobColumns} from ordered o cross join lateral portcullis.cancel_job(o.id, o.reason) c
    cross join lateral (select (c.job).*) j`,
}
