import { HubService, type GetSummaryResponse } from '@portcullis/contract'
import type { Clock, Secret } from '#core'
import { Calls } from './calls.ts'
import { Channel } from './grpc-client.ts'
import { Pace, type Speed } from './pace.ts'
import { replayWithBudget, type TraceBudget } from './replay-budget.ts'
import { replayDay } from './replay-day.ts'
import { replayTrace, totalsOf, type TraceTotals } from './replay-trace.ts'
import { roles } from './roles.ts'
import { Tally } from './tally.ts'
import { makeTeam, type Team } from './team.ts'
import type { TraceRow } from './trace.ts'
import { dayMs, planDay } from './workload.ts'

export interface DemoOptions {
  /** `host:port` of the gRPC listener. */
  readonly grpc: string
  /** Of an admin of the tenant `main`. */
  readonly platformKey: Secret
  readonly tenantName: string
  readonly work: DayWork | TraceWork
  readonly clock: Clock
  /** Called after each answered call. */
  readonly progress: (progress: Progress) => void
}

export interface DayWork {
  readonly kind: 'day'
  readonly seed: number
  readonly runs: number
  readonly speed: Speed
}

export interface TraceWork {
  readonly kind: 'trace'
  readonly rows: readonly TraceRow[]
  readonly speed: Speed
  /** A hard budget for all of it. */
  readonly budgetNanoUsd?: bigint
}

export interface Progress {
  readonly done: number
  /** About how many calls there will be. */
  readonly total: number
  readonly refused: number
  /** What time it is in the work. */
  readonly atMs: number
}

export interface DemoResult {
  readonly team: Team
  readonly tally: Tally
  /** From the first call of the work to the last. */
  readonly seconds: number
  /** Calls in that time, without those that made the tenant. */
  readonly workCalls: number
  /** For each thing that was counted here whether the server says the same; empty is never. */
  readonly checks: readonly Check[]
  /** Of a trace with one. */
  readonly budget?: TraceBudget
}

export interface Check {
  readonly name: string
  readonly sent: number
  readonly recorded: number
}

/** A connection takes about a hundred calls at once before its peer makes it wait. */
const connections = 2

/** Makes a tenant with five agents, replays their work, and compares what the server recorded with what was sent. */
export async function runDemo({
  grpc,
  platformKey,
  tenantName,
  work,
  clock,
  progress,
}: DemoOptions): Promise<DemoResult> {
  const channel = await Channel.connect(grpc, connections)
  try {
    const tally = new Tally()
    const team = await makeTeam(new Calls(channel, tally), platformKey, tenantName)
    const before = tally.calls
    const { originMs, calls: total, replay } = prepare(work, clock, platformKey)
    const startedAtMs = clock.monotonic()
    const pace = new Pace(work.speed, clock, originMs)
    const calls = new Calls(channel, tally, () =>
      progress({ done: tally.calls - before, total, refused: tally.refusedCount, atMs: pace.reachedMs }),
    )
    const { checks, ...more } = await replay({ calls, team, pace })
    const seconds = (clock.monotonic() - startedAtMs) / 1000
    const workCalls = tally.calls - before
    const summary = await calls.must(HubService.method.getSummary, {}, { key: team.adminKey })
    return { team, tally, seconds, workCalls, checks: [...checks, ...checksOf(summary, tally)], ...more }
  } finally {
    channel.close()
  }
}

interface Prepared {
  /** When the work begins, in its own time. */
  readonly originMs: number
  /** About how many calls it makes. */
  readonly calls: number
  readonly replay: (parts: ReplayParts) => Promise<Pick<DemoResult, 'checks' | 'budget'>>
}

interface ReplayParts {
  readonly calls: Calls
  readonly team: Team
  readonly pace: Pace
}

function prepare(work: DayWork | TraceWork, clock: Clock, platformKey: Secret): Prepared {
  if (work.kind === 'day') {
    const day = planDay(work.seed, work.runs)
    // The day that is over: attempts and events must not lie in the future.
    const midnightMs = Math.floor(clock.now() / dayMs) * dayMs - dayMs
    return {
      originMs: 0,
      calls: day.calls,
      replay: async (parts) => ({ checks: await replayDay(day, { ...parts, midnightMs, platformKey }) }),
    }
  }
  const rows = work.rows.toSorted((a, b) => a.atMs - b.atMs)
  const runs = new Set(rows.map(({ hour }, index) => `${hour} ${index % roles.length}`)).size
  const { budgetNanoUsd } = work
  const originMs = rows[0]?.atMs ?? 0
  if (budgetNanoUsd !== undefined)
    return {
      originMs,
      calls: 2 * rows.length + 3 * runs,
      replay: (parts) => replayWithBudget(rows, budgetNanoUsd, parts),
    }
  return {
    originMs,
    calls: rows.length + 3 * runs,
    replay: async (parts) => ({ checks: traceChecks(totalsOf(rows), await replayTrace(rows, parts)) }),
  }
}

function traceChecks(inFile: ReturnType<typeof totalsOf>, inRuns: TraceTotals): readonly Check[] {
  return [
    { name: 'calls in the file, attempts of the runs', sent: inFile.attempts, recorded: inRuns.attempts },
    { name: 'context tokens in the file, input tokens of the runs', sent: inFile.input, recorded: inRuns.input },
    { name: 'generated tokens in the file, output tokens of the runs', sent: inFile.output, recorded: inRuns.output },
  ]
}

function checksOf(summary: GetSummaryResponse, tally: Tally): readonly Check[] {
  const check = (name: string, sent: number, recorded: bigint | undefined): Check => ({
    name,
    sent,
    recorded: Number(recorded ?? 0n),
  })
  return [
    check('agents', roles.length, summary.agents),
    check('runs', tally.runCount, summary.runs),
    check('attempts', tally.attempts, summary.attempts),
    check('failed attempts', tally.failedAttempts, summary.failedAttempts),
    check('input tokens', tally.tokens.input, summary.tokens?.input),
    check('cached tokens', tally.tokens.cachedRead, summary.tokens?.cachedRead),
    check('output tokens', tally.tokens.output, summary.tokens?.output),
    check('open tasks', tally.openTasks, summary.openTasks),
  ]
}
