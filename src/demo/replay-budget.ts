import { setTimeout as pause } from 'node:timers/promises'
import { AttemptOutcome, BudgetService, BudgetUnit, HubService, SubjectKind, WindowKind } from '@portcullis/contract'
import { DemoRefused, type Calls } from './calls.ts'
import type { Pace } from './pace.ts'
import { finishAll, startRun, type TraceRun } from './replay-trace.ts'
import type { Check } from './run-demo.ts'
import { learnMs, type Team } from './team.ts'
import type { TraceRow } from './trace.ts'

/** What the calls of a budgeted trace are priced as: a model whose price the hub knows. */
const budgetModel = { providerType: 'api', provider: 'openai', model: 'gpt-4o' } as const

/** Where the budget stopped the trace. Numbers of calls are rows in order of time, from 1. */
export interface TraceBudget {
  readonly limitNanoUsd: bigint
  readonly spentNanoUsd: bigint
  readonly admitted: number
  readonly refused: number
  readonly firstRefused: number | undefined
  readonly lastAdmitted: number | undefined
  /** Of the first refused call: what it would have cost at most. */
  readonly asked: bigint | undefined
}

interface Parts {
  readonly calls: Calls
  readonly team: Team
  readonly pace: Pace
}

/**
 * Replays a trace one call after the other under a hard budget of the tenant: each call reserves the most that it can cost, and is settled
 * by its attempt at the prices of the hub. Whether each decision was right is computed here, from what was booked before it.
 */
export async function replayWithBudget(
  rows: readonly TraceRow[],
  limitNanoUsd: bigint,
  { calls, team, pace }: Parts,
): Promise<{ readonly budget: TraceBudget; readonly checks: readonly Check[] }> {
  await makeBudget(calls, team, limitNanoUsd)
  const runs = new Map<string, TraceRun>()
  let [spent, right, admitted, refused] = [0n, 0, 0, 0]
  let first: { readonly row: number; readonly asked: bigint } | undefined
  let last: number | undefined
  for (const [index, row] of rows.entries()) {
    await pace.until(row.atMs)
    const at = index % team.agents.length
    const group = `${row.hour} ${at}`
    const run = runs.get(group) ?? (await startRun(calls, team.agents[at], row.hour))
    runs.set(group, run)
    const held = await reserve(calls, run, row)
    // Nothing else spends of the tenant, and each call has ended before the next one begins.
    const fits = spent + held.nanoUsd <= limitNanoUsd
    if (held.isAdmitted === fits) right += 1
    if (!held.isAdmitted) {
      refused += 1
      first ??= { row: index + 1, asked: held.nanoUsd }
      continue
    }
    spent += await record(calls, run, row, index, held.reservationId)
    admitted += 1
    last = index + 1
  }
  const { attempts, input, output, costNanoUsd } = await finishAll(calls, [...runs.values()])
  const { budgets } = await calls.must(BudgetService.method.listBudgets, { pageSize: 10 }, { key: team.adminKey })
  const used = budgets[0]?.windows[0]
  const { tokens } = calls.tally
  return {
    budget: {
      limitNanoUsd,
      spentNanoUsd: spent,
      admitted,
      refused,
      firstRefused: first?.row,
      lastAdmitted: last,
      asked: first?.asked,
    },
    checks: [
      { name: 'calls that were decided right', sent: rows.length, recorded: right },
      { name: 'calls admitted, attempts of the runs', sent: admitted, recorded: attempts },
      { name: 'context tokens admitted, input tokens of the runs', sent: tokens.input, recorded: input },
      { name: 'generated tokens admitted, output tokens of the runs', sent: tokens.output, recorded: output },
      {
        name: 'nano-USD reported, enforced by the budget',
        sent: Number(costNanoUsd),
        recorded: Number(used?.used ?? 0n),
      },
      { name: 'nano-USD of the replies, of the runs', sent: Number(spent), recorded: Number(costNanoUsd) },
      { name: 'nano-USD still held', sent: 0, recorded: Number(used?.held ?? 0n) },
    ],
  }
}

async function makeBudget(calls: Calls, { adminKey }: Team, limit: bigint): Promise<void> {
  const budget = {
    name: 'The replay of a trace',
    subject: { kind: SubjectKind.TENANT },
    unit: BudgetUnit.NANO_USD,
    limit,
    window: { kind: WindowKind.TOTAL },
  }
  await calls.must(BudgetService.method.upsertBudget, { budget }, { key: adminKey })
  await pause(learnMs)
}

type Held =
  | { readonly isAdmitted: true; readonly reservationId: string; readonly nanoUsd: bigint }
  | { readonly isAdmitted: false; readonly nanoUsd: bigint }

async function reserve(calls: Calls, { agent, runId }: TraceRun, row: TraceRow): Promise<Held> {
  const asked = {
    runId,
    ...budgetModel,
    inputTokens: BigInt(row.inputTokens),
    // 0 leaves it to the hub what the model may answer.
    maxOutputTokens: BigInt(Math.max(1, row.outputTokens)),
  }
  const { reply, refused } = await calls.try(BudgetService.method.reserve, asked, { key: agent.key })
  if (reply !== undefined) return { isAdmitted: true, reservationId: reply.reservationId, nanoUsd: reply.heldNanoUsd }
  if (refused.code !== 'budget.exceeded') throw new DemoRefused('BudgetService/Reserve', refused)
  return { isAdmitted: false, nanoUsd: BigInt(refused.facts?.['asked'] ?? 0) }
}

/** The attempt settles the reservation; answers what it cost. */
async function record(
  calls: Calls,
  { agent, runId }: TraceRun,
  { inputTokens, outputTokens }: TraceRow,
  index: number,
  reservationId: string,
): Promise<bigint> {
  const { attempt } = await calls.must(
    HubService.method.recordPromptAttempt,
    {
      runId,
      // Bounded by the contract.
      attemptNumber: Math.min(index + 1, 1_000_000),
      ...budgetModel,
      outcome: AttemptOutcome.SUCCESS,
      tokens: { input: BigInt(inputTokens), output: BigInt(outputTokens) },
      reservationId,
    },
    { key: agent.key },
  )
  const { tally } = calls
  tally.attempts += 1
  tally.tokens.input += inputTokens
  tally.tokens.output += outputTokens
  tally.spentNanoUsd += attempt?.costNanoUsd ?? 0n
  return attempt?.costNanoUsd ?? 0n
}
