import { Option, type Command } from 'commander'
import * as z from 'zod'
import { parseDollars, showDollars } from '../money.ts'
import { usage } from '../errors.ts'
import { wholeText } from '../values.ts'

const text = z.string().default('')

export const budgetShape = z.object({
  id: z.string(),
  name: text,
  subject: z.object({ kind: text, id: text }).default({ kind: '', id: '' }),
  unit: text,
  limit: z.string().default('0'),
  window: z.object({ kind: text, duration: text, timeZone: text }).default({ kind: '', duration: '', timeZone: '' }),
  hard: z.boolean().default(false),
  action: text,
  active: z.boolean().default(false),
})

export type ShownBudget = z.output<typeof budgetShape>

/** What a budget counts, how much, and over which time. */
export interface BudgetOptions {
  readonly tenant?: boolean
  readonly team?: string
  readonly agent?: string
  readonly keyId?: string
  readonly run?: string
  readonly model?: string
  readonly tool?: string
  readonly limitDollars?: string
  readonly limitTokens?: string
  readonly limitRequests?: string
  readonly per?: string
  readonly zone?: string
  readonly last?: string
  readonly total?: boolean
}

const subjects = ['team', 'agent', 'keyId', 'run', 'model', 'tool'] as const

export function withBudget(command: Command): Command {
  return command
    .option('--tenant', 'counts everything of the tenant')
    .option('--team <name>', 'counts a team: the label `team` of agents; `*` for each one apart')
    .option('--agent <agent>', 'counts an agent, by name or id, or `*` for each one apart')
    .option('--key-id <id>', 'counts a key, key_…, or `*`')
    .option('--run <id>', 'counts a run, run_…, or `*`')
    .option('--model <name>', 'counts a model, or `*`')
    .option('--tool <name>', 'counts a tool, or `*`')
    .option('--limit-dollars <amount>', 'the most that may be spent', parseDollars)
    .option('--limit-tokens <n>', 'tokens of all classes', wholeText)
    .option('--limit-requests <n>', 'calls', wholeText)
    .addOption(
      new Option('--per <unit>', 'of the calendar').choices(['hour', 'day', 'week', 'month', 'quarter', 'year']),
    )
    .option('--zone <name>', 'time zone of the calendar, such as Europe/Berlin; UTC without')
    .option('--last <time>', 'a rolling window, such as 15m, 24h or 7d')
    .option('--total', 'for good: never resets')
}

/** The budget as the API takes it. @throws a usage error where the options do not say one. */
export function budgetOf(options: BudgetOptions): object {
  const named = subjects.filter((name) => options[name] !== undefined)
  if (named.length + (options.tenant === true ? 1 : 0) !== 1)
    throw usage('Say what it counts with one of --tenant, --team, --agent, --key-id, --run, --model, --tool.')
  const limits = [
    ['BUDGET_UNIT_NANO_USD', options.limitDollars],
    ['BUDGET_UNIT_TOKENS', options.limitTokens],
    ['BUDGET_UNIT_REQUESTS', options.limitRequests],
  ].filter(([, limit]) => limit !== undefined)
  const [limit] = limits
  if (limit === undefined || limits.length > 1)
    throw usage('Give one limit: --limit-dollars, --limit-tokens or --limit-requests.')
  const windows = [options.per, options.last, options.total].filter((one) => one !== undefined)
  if (windows.length !== 1) throw usage('Say over which time with one of --per, --last, --total.')
  if (options.zone !== undefined && options.per === undefined) throw usage('--zone goes with --per.')
  const [subject] = named
  return {
    subject:
      subject === undefined
        ? { kind: 'SUBJECT_KIND_TENANT' }
        : { kind: `SUBJECT_KIND_${subject === 'keyId' ? 'KEY' : subject.toUpperCase()}`, id: options[subject] },
    unit: limit[0],
    limit: limit[1],
    window:
      options.per !== undefined
        ? { kind: 'WINDOW_KIND_CALENDAR', duration: options.per, timeZone: options.zone ?? '' }
        : options.last !== undefined
          ? { kind: 'WINDOW_KIND_ROLLING', duration: options.last }
          : { kind: 'WINDOW_KIND_TOTAL' },
  }
}

export function subjectOf({ subject }: ShownBudget): string {
  const kind = subject.kind.replace('SUBJECT_KIND_', '').toLowerCase()
  return subject.id === '' ? kind : `${kind} ${subject.id}`
}

export function usedOf(
  { limit, unit }: ShownBudget,
  window: { readonly used: string; readonly held: string } | undefined,
): string {
  const show = (amount: string): string => (unit === 'BUDGET_UNIT_NANO_USD' ? showDollars(amount) : amount)
  const of = unit === 'BUDGET_UNIT_NANO_USD' ? '' : ` ${unit.replace('BUDGET_UNIT_', '').toLowerCase()}`
  return `${show(window?.used ?? '0')} + ${show(window?.held ?? '0')} of ${show(limit)}${of}`
}

export function windowText({ window }: ShownBudget): string {
  const { duration, kind, timeZone } = window
  if (kind === 'WINDOW_KIND_TOTAL') return 'for good'
  if (kind === 'WINDOW_KIND_ROLLING') return `the last ${duration}`
  return timeZone === '' || timeZone === 'UTC' ? `a ${duration}` : `a ${duration} in ${timeZone}`
}
