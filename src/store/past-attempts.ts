import type { PastFilter } from '#hub'
import type { Statement } from './connection.ts'
import { uuidAt } from './list-statement.ts'
import { ms } from './operations/statement.ts'

/** Attempts in the order of their ids, along the primary key, with the window that a budget had at the time of each (SPEC B6). */
export function pastAttemptsStatement({ after, fromMs, untilMs, window }: PastFilter, limit: number): Statement {
  return {
    name: 'read.past_attempts',
    text: `select t.id, t.run_id as "runId", t.agent_id as "agentId", a.team, t.provider, t.model, t.cost_nano_usd as "costNanoUsd",
        (t.input_tokens + t.cached_read_tokens + t.cache_write_tokens + t.output_tokens + t.reasoning_tokens)::text as tokens,
        ${ms('t.created_at', 'createdAtMs')}, ${ms('w.start_at', 'startMs')}, ${ms('w.from_at', 'fromMs')},
        ${ms('w.resets_at', 'resetsAtMs')}
      from (select * from portcullis.prompt_attempts t
             where t.tenant_id = (select portcullis.tenant()) and t.id > $1::uuid and t.id < $2::uuid order by t.id limit $3) t
      cross join lateral portcullis.budget_window($4::smallint, $5, $6::bigint, $7, t.created_at) w
      left join lateral (select l.labels ->> 'team' as team from portcullis.agents l
        where l.tenant_id = (select portcullis.tenant()) and l.id = t.agent_id limit 1) a on true
     order by t.id`,
    values: [
      after ?? uuidAt(fromMs),
      uuidAt(untilMs),
      limit,
      window.kind,
      window.duration,
      window.durationMs,
      window.timeZone,
    ],
  }
}
