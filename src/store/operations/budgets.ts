import { members, ms, type OperationStatement } from './statement.ts'

/** The columns of a BudgetRow of the table `b`. */
export const budgetColumns = `b.id, b.name, b.subject_kind as "subjectKind", b.subject_id as "subjectId", b.unit,
  b.limit_amount as "limit", b.window_kind as "windowKind", b.duration, b.duration_ms as "durationMs", b.time_zone as "timeZone", b.hard,
  b.action, b.active, ${ms('b.created_at', 'createdAtMs')}, ${ms('b.updated_at', 'updatedAtMs')}`

/** What a BudgetUseRow has beside them. */
export const budgetUseColumns =
  'portcullis.budget_use(b.id, b.window_kind, b.duration, b.duration_ms, b.time_zone) as windows'

/** The columns of a ReservationRow of the table `t`. */
export const reservationColumns = `t.id, t.run_id as "runId", t.agent_id as "agentId", t.provider, t.model, t.tool, t.state,
  t.held_nano_usd as "heldNanoUsd", t.held_tokens as "heldTokens", t.settled_nano_usd as "settledNanoUsd",
  t.settled_tokens as "settledTokens", t.price_version as "priceVersion", ${ms('t.created_at', 'createdAtMs')},
  ${ms('t.expires_at', 'expiresAtMs')}, ${ms('t.ended_at', 'endedAtMs')}, t.late, t.killed`

// Each member is a call of its own, so that of two changes in a batch the later one is told what the earlier one wrote.
export const putBudget: OperationStatement = {
  name: 'budget.put',
  text: `with ${members(`made boolean, "atMost" int, id uuid, name text, "subjectKind" smallint, "subjectId" text, unit smallint,
      "limit" bigint, "windowKind" smallint, duration text, "durationMs" bigint, "timeZone" text, hard boolean, action smallint,
      active boolean, "createdAtMs" float8, "updatedAtMs" float8`)}
  select m.n, m.p, put.verdict, ${budgetColumns.replaceAll('b.', '(put.before).')}
    from m cross join lateral portcullis.put_budget(row((select portcullis.tenant()), m.id, m.name, m."subjectKind", m."subjectId",
      m.unit, m."limit", m."windowKind", m.duration, m."durationMs", m."timeZone", m.hard, m.action, m.active,
      to_timestamp(m."createdAtMs" / 1000), to_timestamp(m."updatedAtMs" / 1000), null, null)::portcullis.budgets, m.made,
      m."atMost") put`,
}

export const deleteBudget: OperationStatement = {
  name: 'budget.delete',
  text: `with ${members('id uuid, "atMs" float8')}
  select m.n, m.p, ${budgetColumns} from m cross join lateral portcullis.delete_budget(m.id, to_timestamp(m."atMs" / 1000)) b`,
}
