import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { AttemptOutcome, EventLevel, HubService, IdentityService, TaskState } from '@portcullis/contract'
import { makeKey, uuidv7, type Secret } from '#core'
import type { As, Calls } from './calls.ts'
import { inOrder, type Pace } from './pace.ts'
import { retriesMax, type Attempt, type Event, type PlannedRun } from './plan-run.ts'
import { allWorkflows, providerType } from './roles.ts'
import { makeSearchBudget, playEvening, searchOnce } from './limits.ts'
import type { Team, TeamAgent } from './team.ts'
import type { Check } from './run-demo.ts'
import { burstCalls, type Benchmarks, type Closing, type Day, type Denied, type Story } from './workload.ts'

interface Parts {
  readonly calls: Calls
  readonly team: Team
  readonly pace: Pace
  /** Of an admin of the tenant `main`, whose the jobs are. */
  readonly platformKey: Secret
  /** Midnight of the day, as attempts and events are dated. */
  readonly midnightMs: number
}

interface Stage extends Parts {
  readonly taskIds: readonly string[]
}

const ends = { completed: TaskState.COMPLETED, failed: TaskState.FAILED, canceled: TaskState.CANCELED } as const
const levels = { info: EventLevel.INFO, warn: EventLevel.WARN } as const

/** Lets the agents live the day. Rejects where the server refuses what it should allow, or the other way round. */
export async function replayDay(day: Day, parts: Parts): Promise<readonly Check[]> {
  const { calls, team, pace } = parts
  await makeSearchBudget(parts)
  await publishWorkflows(parts)
  const taskIds = await Promise.all(
    day.tasks.map(async ({ agent, title }) => {
      const message = { title, tags: ['demo'], status: TaskState.WORKING }
      const { task } = await calls.must(HubService.method.createTask, message, agentOf(team, agent))
      calls.tally.tasks += 1
      calls.tally.openTasks += 1
      return task?.id ?? ''
    }),
  )
  await inOrder(day.stories, pace, (story) => play(story, { ...parts, taskIds }))
  return playEvening(parts)
}

/** So that the leaderboard has something to show, until the tenant is disabled. */
async function publishWorkflows({ calls, team }: Parts): Promise<void> {
  const as = { key: team.adminKey }
  await Promise.all(
    allWorkflows.map((workflow) => calls.must(HubService.method.publishWorkflow, { workflow, published: true }, as)),
  )
}

function play(story: Story, stage: Stage): Promise<void> {
  switch (story.kind) {
    case 'run':
      return playRun(story, stage)
    case 'closing':
      return playClosing(story, stage)
    case 'benchmarks':
      return playBenchmarks(story, stage)
    case 'search':
      return searchOnce(stage.calls, agentOf(stage.team, story.agent))
    case 'bad_scope':
    case 'unknown_key':
    case 'burst':
      return playDenied(story, stage)
    default:
      return story satisfies never
  }
}

async function playRun(run: PlannedRun, stage: Stage): Promise<void> {
  const { calls, team, pace, taskIds } = stage
  const as = agentOf(team, run.agent)
  const { workflow, promptVersion } = run
  const start = { taskId: taskIds[run.task] ?? '', workflow, promptVersion, maxRetries: retriesMax }
  const once = { ...as, idempotencyKey: uuidv7() }
  const started = await calls.must(HubService.method.startRun, start, once)
  const runId = started.run?.id ?? ''
  if (run.reused) {
    const other = { ...start, workflow: `${workflow}-again` }
    await calls.mustNot(HubService.method.startRun, other, once, 'idempotency.payload_mismatch')
  }
  for (const step of run.steps) {
    await pace.until(step.atMs)
    if (step.kind === 'attempt') await recordAttempt(runId, step, as, stage)
    else await recordEvent(runId, step, as, stage)
  }
  await pace.until(run.endMs)
  const finish = { runId, status: ends[run.end], lastError: run.lastError }
  await calls.must(HubService.method.finishRun, finish, as)
  calls.tally.runs[run.end] += 1
}

async function recordAttempt(runId: string, step: Attempt, as: As, { calls, midnightMs }: Stage): Promise<void> {
  const { input, cachedRead, output, costNanoUsd, errorType, model } = step
  await calls.must(
    HubService.method.recordPromptAttempt,
    {
      runId,
      attemptNumber: step.number,
      providerType,
      provider: model.provider,
      model: model.name,
      outcome: errorType === '' ? AttemptOutcome.SUCCESS : AttemptOutcome.FAILED,
      errorType,
      tokens: { input: BigInt(input), cachedRead: BigInt(cachedRead), output: BigInt(output) },
      reportedCostNanoUsd: BigInt(costNanoUsd),
      latencyMs: BigInt(step.latencyMs),
      qualityScoreMilli: step.qualityMilli,
      createdAt: timestampFromMs(midnightMs + step.atMs),
    },
    as,
  )
  const { tally } = calls
  tally.attempts += 1
  if (errorType !== '') tally.failedAttempts += 1
  tally.tokens.input += input
  tally.tokens.cachedRead += cachedRead
  tally.tokens.output += output
  tally.costNanoUsd += costNanoUsd
  tally.addUse({
    day: new Date(midnightMs + step.atMs).toISOString().slice(0, 10),
    provider: model.provider,
    model: model.name,
    input: BigInt(input),
    cachedRead: BigInt(cachedRead),
    cacheWrite: 0n,
    output: BigInt(output),
    costNanoUsd: BigInt(costNanoUsd),
  })
}

async function recordEvent(runId: string, step: Event, as: As, { calls, midnightMs }: Stage): Promise<void> {
  const { type: eventType, level, message, data } = step
  const createdAt = timestampFromMs(midnightMs + step.atMs)
  const event = { runId, eventType, level: levels[level], message, dataJson: JSON.stringify(data), createdAt }
  await calls.must(HubService.method.recordRunEvent, event, as)
  calls.tally.events += 1
}

async function playClosing({ agent, task, completed, note }: Closing, { calls, team, taskIds }: Stage): Promise<void> {
  const as = agentOf(team, agent)
  const status = completed ? TaskState.COMPLETED : TaskState.INPUT_REQUIRED
  await calls.must(HubService.method.updateTask, { taskId: taskIds[task] ?? '', status }, as)
  if (completed) calls.tally.openTasks -= 1
  const title = `From the ${agentAt(team, agent).name}`
  await calls.must(HubService.method.createNote, { title, body: note, tags: ['demo'] }, as)
  calls.tally.notes += 1
}

async function playBenchmarks({ agent, rows }: Benchmarks, { calls, team }: Stage): Promise<void> {
  const benchmarks = rows.map(({ workflow, model, input, output, latencyMs, qualityMilli }) => ({
    workflow,
    providerType,
    provider: model.provider,
    model: model.name,
    tokens: { input: BigInt(input), output: BigInt(output) },
    costNanoUsd: BigInt(input * model.inputNanoUsd + output * model.outputNanoUsd),
    latencyMs: BigInt(latencyMs),
    qualityScoreMilli: qualityMilli,
  }))
  const { results } = await calls.must(HubService.method.recordBatch, { benchmarks }, agentOf(team, agent))
  const bad = results.find(({ code }) => code !== '')
  if (bad !== undefined) throw new Error(`a benchmark was refused with ${bad.code}`)
  calls.tally.benchmarks += results.length
}

async function playDenied({ kind, agent }: Denied, { calls, team }: Stage): Promise<void> {
  const { id, key, slowKey } = agentAt(team, agent)
  switch (kind) {
    case 'bad_scope': {
      const wish = { agentId: id, scopes: ['admin:read'] }
      return calls.mustNot(IdentityService.method.createKey, wish, { key }, 'auth.scope_missing')
    }
    case 'unknown_key': {
      const stranger = { key: makeKey(uuidv7()).text }
      const wish = { workflow: 'anything' }
      return calls.mustNot(HubService.method.startRun, wish, stranger, 'auth.credential_invalid')
    }
    case 'burst':
      // One after the other, as a loop without a pause would.
      for (let call = 0; call < burstCalls; call += 1) {
        const { refused } = await calls.try(HubService.method.listTasks, { pageSize: 1 }, { key: slowKey })
        if (refused !== undefined && refused.code !== 'rate.limited') throw new Error(refused.message)
      }
      return undefined
    default:
      return kind satisfies never
  }
}

function agentOf(team: Team, agent: number): As {
  return { key: agentAt(team, agent).key }
}

function agentAt({ agents }: Team, index: number): TeamAgent {
  const agent = agents[index]
  if (agent === undefined) throw new Error(`the demo has no agent ${index}`)
  return agent
}
