import { publicId, uuidv7 } from '#core'
import { encodeBody, maskText, type EntryKind, type LedgerRecord, type Outcome } from '#ledger'
import type { Summary } from '../ports.ts'
import type { Crossing } from './accounts.ts'
import { subjectName, unitName } from './names.ts'
import type { DenialRow, SpendArgs } from './spend-rows.ts'

/** An entry beside that of a call: what became of a budget with it. */
export function budgetRecord(
  kind: Extract<EntryKind, `budget.${string}` | 'policy.violation'>,
  { log, tenant }: Pick<SpendArgs, 'log' | 'tenant'>,
  nowMs: number,
  args: Summary,
  outcome: Outcome = 'allow',
): LedgerRecord {
  const body = encodeBody({
    access: 'system',
    args,
    at: new Date(nowMs).toISOString(),
    bypass: false,
    elapsedUs: 0,
    id: publicId('ent', uuidv7(nowMs)),
    kind,
    method: '(budgets)',
    outcome,
    tenant,
  })
  const nobody = { caller: undefined, actor: undefined, code: undefined, requestId: undefined }
  return { ...nobody, log, tenantId: tenant.slice(tenant.indexOf('_') + 1), action: kind, outcome, body }
}

export function crossingRecord(
  { budget, subject, startMs, used, percent }: Crossing,
  of: Pick<SpendArgs, 'log' | 'tenant'>,
  nowMs: number,
): LedgerRecord {
  return budgetRecord('budget.threshold', of, nowMs, {
    budgetId: publicId('bud', budget.id),
    limit: budget.limit.toString(),
    name: maskText(budget.name),
    subject: maskText(subjectName(budget.subjectKind, subject)),
    threshold: percent,
    unit: unitName(budget.unit),
    used: used.toString(),
    windowStart: new Date(startMs).toISOString(),
  })
}

/** A denial as the ledger and the details of an error show it: flat, every value as text. */
export function denialFacts(denial: DenialRow): Readonly<Record<string, string>> {
  return {
    budgetId: publicId('bud', denial.budgetId),
    subject: maskText(subjectName(denial.subjectKind, denial.subjectId)),
    unit: unitName(denial.unit),
    limit: denial.limit.toString(),
    used: denial.used.toString(),
    held: denial.held.toString(),
    asked: denial.asked.toString(),
    ...(denial.resetsAtMs === null ? {} : { resetsAt: new Date(denial.resetsAtMs).toISOString() }),
  }
}
