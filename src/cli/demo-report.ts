import type { DemoResult, TraceBudget } from '#demo'
import { showDollars } from './money.ts'
import { paint, pad } from './print.ts'

/** What the demo has to tell in the end. */
export interface DemoShown {
  readonly result: DemoResult
  readonly work: 'day' | 'trace'
  readonly seed: number
  readonly url: string
  readonly isDefaultUrl: boolean
}

/** For `--json`. */
export function demoDocument({ result, seed, url }: DemoShown): object {
  const { team, tally, seconds, workCalls, checks, budget } = result
  const { calls, allowed, refused, sentAgain, runs, attempts, failedAttempts, events, tasks } = tally
  const { openTasks, notes, benchmarks, jobs, tokens, costNanoUsd, spentNanoUsd } = tally
  return {
    tenant: { id: team.tenantId, name: team.tenantName },
    key: team.adminKey.reveal(),
    url,
    seed,
    seconds,
    callsPerSecond: perSecond(workCalls, seconds),
    calls,
    allowed,
    refused: Object.fromEntries(refused),
    sentAgain,
    runs,
    attempts,
    failedAttempts,
    events,
    tasks,
    openTasks,
    notes,
    benchmarks,
    jobs,
    tokens,
    costNanoUsd,
    spentNanoUsd: String(spentNanoUsd),
    ...(budget === undefined ? {} : { budget: budgetDocument(budget) }),
    checks,
    agrees: checks.every(({ sent, recorded }) => sent === recorded),
  }
}

/** For a person. */
export function demoText({ result, work, seed, url, isDefaultUrl }: DemoShown, colours: boolean): string {
  const { bold, dim, green, red } = paint(colours)
  const { team, tally, seconds, workCalls, checks } = result
  const { runs, tokens } = tally
  const refusals = [...tally.refused].toSorted(([, a], [, b]) => b - a)
  const rows: readonly (readonly [name: string, value: number, more: string])[] = [
    ['calls', tally.calls, `${count(perSecond(workCalls, seconds))} a second for ${seconds.toFixed(1)} s`],
    [
      'allowed',
      tally.allowed,
      tally.sentAgain === 0 ? '' : `${count(tally.sentAgain)} sent again while the server was away`,
    ],
    ['refused', tally.refusedCount, work === 'day' ? 'on purpose' : ''],
    ...refusals.map(([code, times]) => [`  ${code}`, times, why[code] ?? ''] as const),
    ['runs', tally.runCount, work === 'day' ? `${count(runs.failed)} failed, ${count(runs.canceled)} canceled` : ''],
    ['attempts', tally.attempts, work === 'day' ? `${count(tally.failedAttempts)} failed` : ''],
    ['input tokens', tokens.input, tokens.cachedRead === 0 ? '' : `and ${count(tokens.cachedRead)} read from caches`],
    ['output tokens', tokens.output, work === 'day' ? `$${(tally.costNanoUsd / 1e9).toFixed(2)} as reported` : ''],
    ...(work === 'day' ? [['events', tally.events, aside(tally)] as const] : []),
  ]
  const nameColumns = Math.max(...rows.map(([name]) => name.length))
  const valueColumns = Math.max(...rows.map(([, value]) => count(value).length))
  const line = ([name, value, more]: (typeof rows)[number]): string =>
    `  ${dim(pad(name, nameColumns))}  ${count(value).padStart(valueColumns)}  ${dim(more)}`.trimEnd()
  const bad = checks.filter(({ sent, recorded }) => sent !== recorded)
  const verdict =
    bad.length === 0
      ? [`${green('ok')}  ${agreed(result, work)}`]
      : bad.map(
          ({ name, sent, recorded }) => `${red('WRONG')}  ${name}: sent ${count(sent)}, recorded ${count(recorded)}`,
        )
  const title = work === 'day' ? 'A day of five agents' : 'A trace, by five agents'
  return [
    '',
    `${bold(title)} ${dim(`in the tenant ${team.tenantName}, seed ${seed}`)}`,
    '',
    ...rows.map(line),
    '',
    ...(result.budget === undefined ? [] : [...budgetLines(result.budget), '']),
    ...verdict,
    '',
    bold('Look at it with the key of that tenant, shown this once:'),
    `  export PORTCULLIS_KEY=${team.adminKey.reveal()}`,
    ...(isDefaultUrl ? [] : [`  export PORTCULLIS_URL=${url}`]),
    '  npx portcullis ledger tail --limit 50',
    '  npx portcullis ledger tail --outcome deny',
    '  npx portcullis call GetSummary',
    ...(work === 'day' ? ['  npx portcullis leaderboard'] : []),
    `  ${url}/  ${dim('the console')}`,
    '',
  ].join('\n')
}

const why: Readonly<Record<string, string>> = {
  'auth.scope_missing': 'agents that wanted to make keys',
  'auth.credential_invalid': 'a key that nobody has; in the log `system`',
  'rate.limited': 'loops without a pause',
  'idempotency.payload_mismatch': 'a key of a call, used for another',
  'budget.exceeded': 'beyond what a budget has room for',
  'kill.engaged': 'an agent that a kill switch stopped',
}

function agreed({ budget, checks }: DemoResult, work: DemoShown['work']): string {
  if (work === 'day')
    return 'GetSummary has the same agents, runs, attempts, tokens and open tasks; the budget has what was settled'
  if (budget !== undefined)
    return `every call was decided right, and what is reported is what was enforced: ${showDollars(budget.spentNanoUsd)}`
  const [calls, input, output] = checks.map(({ recorded }) => count(recorded))
  return `the runs have what the file has: ${calls} calls, ${input} context and ${output} generated tokens`
}

function budgetDocument({ limitNanoUsd, spentNanoUsd, asked, ...rows }: TraceBudget): object {
  return {
    limitNanoUsd: String(limitNanoUsd),
    spentNanoUsd: String(spentNanoUsd),
    ...rows,
    ...(asked === undefined ? {} : { askedNanoUsd: String(asked) }),
  }
}

function budgetLines(budget: TraceBudget): readonly string[] {
  const { limitNanoUsd, spentNanoUsd, admitted, refused, firstRefused, lastAdmitted, asked } = budget
  const spent = `${showDollars(spentNanoUsd)} of ${showDollars(limitNanoUsd)} spent by ${count(admitted)} calls`
  if (firstRefused === undefined) return [`  ${spent}; the budget was never reached`]
  return [
    `  ${spent}, ${count(refused)} refused`,
    `  call ${count(firstRefused)} was the first that did not fit: it asked for ${showDollars(asked ?? 0n)}`,
    `  call ${count(lastAdmitted ?? 0)} was the last one admitted`,
  ]
}

function aside({ tasks, notes, benchmarks }: DemoResult['tally']): string {
  return `${count(tasks)} tasks, ${count(notes)} notes, ${count(benchmarks)} benchmarks`
}

function perSecond(calls: number, seconds: number): number {
  return seconds === 0 ? calls : Math.round(calls / seconds)
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}
