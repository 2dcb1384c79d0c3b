import { setTimeout as pause } from 'node:timers/promises'
import {
  BudgetService,
  BudgetUnit,
  HubService,
  JobsService,
  KillScopeKind,
  KillService,
  SubjectKind,
  WindowKind,
} from '@portcullis/contract'
import type { Secret } from '#core'
import { DemoRefused, type As, type Calls } from './calls.ts'
import type { Check } from './run-demo.ts'
import { learnMs, type Team } from './team.ts'
import { searches } from './workload.ts'

interface Parts {
  readonly calls: Calls
  readonly team: Team
  readonly platformKey: Secret
}

const tool = 'web-search'
const searchNanoUsd = 10_000_000n
// The last searches of the day find it used up.
const affordable = 36
const killedCalls = 5
const jobKind = 'secret-age-report'
// One of the kind may run already, be disabled, or not be for that key: the rest of the demo is the same.
const jobRefusals = new Set(['job.running', 'job.disabled', 'auth.scope_missing', 'object.not_found'])

/** A hard budget for a tool, with room for 36 of the 40 searches of the day. */
export async function makeSearchBudget({ calls, team }: Omit<Parts, 'platformKey'>): Promise<void> {
  const budget = {
    name: 'Web searches of the demo',
    subject: { kind: SubjectKind.TOOL, id: tool },
    unit: BudgetUnit.NANO_USD,
    limit: BigInt(affordable) * searchNanoUsd,
    window: { kind: WindowKind.TOTAL },
  }
  await calls.must(BudgetService.method.upsertBudget, { budget }, { key: team.adminKey })
  await pause(learnMs)
}

/** Holds the price of a search and settles it. */
export async function searchOnce(calls: Calls, as: As): Promise<void> {
  const { reply, refused } = await calls.try(BudgetService.method.reserve, { tool, amountNanoUsd: searchNanoUsd }, as)
  if (reply === undefined) {
    if (refused.code === 'budget.exceeded') return
    throw new DemoRefused('BudgetService/Reserve', refused)
  }
  const settle = { reservationId: reply.reservationId, amountNanoUsd: searchNanoUsd }
  const { settledNanoUsd } = await calls.must(BudgetService.method.settle, settle, as)
  calls.tally.spentNanoUsd += settledNanoUsd
}

/** After the last run: an agent is stopped and let go again, a job is triggered, and the budget is looked at. */
export async function playEvening({ calls, team, platformKey }: Parts): Promise<readonly Check[]> {
  await killAndRelease(calls, team)
  await triggerJob(calls, platformKey)
  const { budgets } = await calls.must(BudgetService.method.listBudgets, { pageSize: 10 }, { key: team.adminKey })
  const used = budgets[0]?.windows[0]
  const { refused, spentNanoUsd } = calls.tally
  return [
    { name: 'nano-USD settled of the budget', sent: Number(spentNanoUsd), recorded: Number(used?.used ?? 0n) },
    { name: 'nano-USD still held of it', sent: 0, recorded: Number(used?.held ?? 0n) },
    { name: 'searches beyond it, refused', sent: searches - affordable, recorded: refused.get('budget.exceeded') ?? 0 },
    { name: 'calls of the killed agent, refused', sent: killedCalls, recorded: refused.get('kill.engaged') ?? 0 },
  ]
}

async function killAndRelease(calls: Calls, { adminKey, agents }: Team): Promise<void> {
  const agent = agents.at(-1)
  if (agent === undefined) throw new Error('the demo has no agents')
  const as = { key: agent.key }
  const scope = { kind: KillScopeKind.AGENT, id: agent.id }
  const engage = { scope, reason: `the ${agent.name} is looked at` }
  const { kill } = await calls.must(KillService.method.engage, engage, { key: adminKey })
  for (let call = 0; call < killedCalls; call += 1)
    await calls.mustNot(HubService.method.startRun, { workflow: 'after-hours' }, as, 'kill.engaged')
  const release = { killId: kill?.id ?? '', reason: 'nothing was wrong' }
  await calls.must(KillService.method.release, release, { key: adminKey })
  await pause(learnMs)
  await calls.must(HubService.method.listTasks, { pageSize: 1 }, as)
}

async function triggerJob(calls: Calls, key: Secret): Promise<void> {
  const { refused } = await calls.try(JobsService.method.trigger, { kind: jobKind }, { key })
  if (refused === undefined) calls.tally.jobs += 1
  else if (!jobRefusals.has(refused.code)) throw new DemoRefused('JobsService/Trigger', refused)
}
