import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { AttemptOutcome, HubService, TaskState } from '@portcullis/contract'
import type { Calls } from './calls.ts'
import { inOrder, type Pace } from './pace.ts'
import type { Team, TeamAgent } from './team.ts'
import type { TraceRow } from './trace.ts'

/** What a server holds of a replayed trace, or what its file says. */
export interface TraceTotals {
  readonly attempts: number
  readonly input: number
  readonly output: number
  readonly costNanoUsd: bigint
}

export interface TraceRun {
  readonly agent: TeamAgent
  readonly runId: string
}

/**
 * Records each row as one attempt of the agents in turn, one run per agent and hour of the trace. Answers the totals that the
 * runs have in the end.
 */
export async function replayTrace(
  rows: readonly TraceRow[],
  { calls, team, pace }: { readonly calls: Calls; readonly team: Team; readonly pace: Pace },
): Promise<TraceTotals> {
  const runs = new Map<string, Promise<TraceRun>>()
  const runOf = (row: TraceRow, index: number): Promise<TraceRun> => {
    const at = index % team.agents.length
    const group = `${row.hour} ${at}`
    const run = runs.get(group) ?? startRun(calls, team.agents[at], row.hour)
    runs.set(group, run)
    return run
  }
  await inOrder(rows, pace, async (row, index) => {
    const { agent, runId } = await runOf(row, index)
    await calls.must(HubService.method.recordPromptAttempt, attempt(runId, row, index), { key: agent.key })
    const { tally } = calls
    tally.attempts += 1
    tally.tokens.input += row.inputTokens
    tally.tokens.output += row.outputTokens
  })
  return finishAll(calls, await Promise.all(runs.values()))
}

/** The sums of a file. */
export function totalsOf(rows: readonly TraceRow[]): Omit<TraceTotals, 'costNanoUsd'> {
  return {
    attempts: rows.length,
    input: rows.reduce((sum, { inputTokens }) => sum + inputTokens, 0),
    output: rows.reduce((sum, { outputTokens }) => sum + outputTokens, 0),
  }
}

export async function startRun(calls: Calls, agent: TeamAgent | undefined, hour: string): Promise<TraceRun> {
  if (agent === undefined) throw new Error('the demo has no agents')
  const start = { workflow: 'trace-replay', taskId: hour }
  const { run } = await calls.must(HubService.method.startRun, start, { key: agent.key })
  return { agent, runId: run?.id ?? '' }
}

function attempt(runId: string, { atMs, inputTokens, outputTokens }: TraceRow, index: number) {
  return {
    runId,
    // Bounded by the contract.
    attemptNumber: Math.min(index + 1, 1_000_000),
    providerType: 'api',
    provider: 'trace',
    model: 'trace',
    outcome: AttemptOutcome.SUCCESS,
    tokens: { input: BigInt(inputTokens), output: BigInt(outputTokens) },
    createdAt: timestampFromMs(atMs),
  }
}

/** Ends the runs and sums what GetRun then says of them. */
export async function finishAll(calls: Calls, runs: readonly TraceRun[]): Promise<TraceTotals> {
  const sum = { attempts: 0, input: 0, output: 0, costNanoUsd: 0n }
  for (const { agent, runId } of runs) {
    const as = { key: agent.key }
    await calls.must(HubService.method.finishRun, { runId, status: TaskState.COMPLETED }, as)
    calls.tally.runs.completed += 1
    const { run } = await calls.must(HubService.method.getRun, { runId }, as)
    sum.attempts += Number(run?.totalAttempts)
    sum.input += Number(run?.tokens?.input)
    sum.output += Number(run?.tokens?.output)
    sum.costNanoUsd += run?.costNanoUsd ?? 0n
  }
  return sum
}
