import { BudgetAction, BudgetUnit, SubjectKind, WindowKind, type Budget } from '@portcullis/contract'
import { modelName } from '../costs/model-names.ts'
import type { Fields } from '../fields.ts'
import { sizes } from '../runs/rules.ts'
import { durationMsOf } from './durations.ts'
import type { BudgetRow } from './spend-rows.ts'

/** Budgets of one tenant at most. */
export const budgetsAtMost = 1000
/** Far beyond real use, far below what a sum could not hold: a billion dollars. */
const limitMax = 10n ** 18n
const calendar = ['hour', 'day', 'week', 'month', 'quarter', 'year']
const rollingMaxMs = 366 * 86_400_000
const zoneForm = /^[A-Za-z][A-Za-z0-9_+-]{0,31}(?:\/[A-Za-z0-9_+-]{1,32}){0,2}$/

export const subjectKindsAsked: readonly SubjectKind[] = [
  SubjectKind.TENANT,
  SubjectKind.TEAM,
  SubjectKind.AGENT,
  SubjectKind.KEY,
  SubjectKind.RUN,
  SubjectKind.MODEL,
  SubjectKind.TOOL,
]
const units = [BudgetUnit.NANO_USD, BudgetUnit.TOKENS, BudgetUnit.REQUESTS]
const windowKinds = [WindowKind.CALENDAR, WindowKind.ROLLING, WindowKind.TOTAL]
const prefixes: Partial<Record<SubjectKind, 'agt' | 'key' | 'run'>> = {
  [SubjectKind.AGENT]: 'agt',
  [SubjectKind.KEY]: 'key',
  [SubjectKind.RUN]: 'run',
}

/** A budget, checked; its id and times are the caller's business. */
export function budgetFields(fields: Fields, budget: Budget): Omit<BudgetRow, 'id' | 'createdAtMs' | 'updatedAtMs'> {
  const actions = [BudgetAction.UNSPECIFIED, BudgetAction.DENY, BudgetAction.DRY_RUN]
  const action = fields.choice('budget.action', budget.action, actions, 'DENY, DRY_RUN')
  const subjectKind = fields.choice(
    'budget.subject.kind',
    budget.subject?.kind ?? SubjectKind.UNSPECIFIED,
    subjectKindsAsked,
    'TENANT, TEAM, AGENT, KEY, RUN, MODEL, TOOL',
  )
  if (budget.limit === undefined)
    fields.wrong('budget.limit', 'is required: a budget without a limit limits nothing; 0 has room for nothing')
  return {
    name: fields.text('budget.name', budget.name, sizes.name),
    subjectKind,
    subjectId: subjectId(fields, subjectKind, budget.subject?.id ?? ''),
    unit: fields.choice('budget.unit', budget.unit, units, 'NANO_USD, TOKENS, REQUESTS'),
    limit: fields.count('budget.limit', budget.limit ?? 0n, limitMax),
    ...windowFields(fields, budget),
    hard: budget.hard ?? true,
    action: action === BudgetAction.DRY_RUN ? BudgetAction.DRY_RUN : BudgetAction.DENY,
    active: budget.active ?? true,
  }
}

function subjectId(fields: Fields, kind: SubjectKind, id: string): string {
  if (kind === SubjectKind.TENANT) {
    if (id !== '') fields.wrong('budget.subject.id', 'is empty for the tenant')
    return ''
  }
  if (id === '*') return id
  const prefix = prefixes[kind]
  const name = kind === SubjectKind.MODEL ? modelName(id) : id
  return prefix === undefined
    ? fields.required('budget.subject.id', name, sizes.name)
    : fields.id('budget.subject.id', id, prefix)
}

function windowFields(
  fields: Fields,
  { window }: Budget,
): Pick<BudgetRow, 'windowKind' | 'duration' | 'durationMs' | 'timeZone'> {
  const windowKind = fields.choice(
    'budget.window.kind',
    window?.kind ?? WindowKind.UNSPECIFIED,
    windowKinds,
    'CALENDAR, ROLLING, TOTAL',
  )
  const duration = window?.duration ?? ''
  const zone = window?.timeZone ?? ''
  if (windowKind !== WindowKind.CALENDAR && zone !== '')
    fields.wrong('budget.window.timeZone', 'is of calendar windows only')
  const none = { windowKind, duration: '', durationMs: '0', timeZone: 'UTC' }
  if (windowKind === WindowKind.TOTAL) {
    if (duration !== '') fields.wrong('budget.window.duration', 'is empty for TOTAL, which never resets')
    return none
  }
  if (windowKind === WindowKind.CALENDAR) {
    if (!calendar.includes(duration)) fields.wrong('budget.window.duration', `must be one of ${calendar.join(', ')}`)
    if (zone !== '' && !isZone(zone))
      fields.wrong('budget.window.timeZone', 'must be the IANA name of a time zone, such as Europe/Berlin')
    return { ...none, duration, timeZone: zone === '' ? 'UTC' : zone }
  }
  const ms = durationMsOf(duration)
  if (ms === undefined || ms < 1000 || ms > rollingMaxMs)
    fields.wrong('budget.window.duration', 'must be a time such as 90s, 15m, 24h or 7d, of 1s to 366d')
  return { ...none, duration, durationMs: String(ms ?? 0) }
}

/** Names only: an offset such as +02:00 would know no daylight saving time. PostgreSQL is asked whether it knows the name, too. */
function isZone(name: string): boolean {
  if (!zoneForm.test(name)) return false
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch {
    // What Intl does not know is no zone.
    return false
  }
}
