import type { Random } from './random.ts'
import { roles, type Model, type Role } from './roles.ts'

/** One run of an agent, from its start to its end. */
export interface PlannedRun {
  readonly kind: 'run'
  /** Milliseconds since midnight, as all times of the plan. */
  readonly atMs: number
  readonly endMs: number
  readonly agent: number
  readonly task: number
  readonly workflow: string
  readonly promptVersion: string
  readonly steps: readonly Step[]
  readonly end: 'completed' | 'failed' | 'canceled'
  readonly lastError: string
  /** The agent sends the idempotency key of the start once more, with another message. */
  readonly reused: boolean
}

export type Step = Attempt | Event

export interface Attempt {
  readonly kind: 'attempt'
  readonly atMs: number
  readonly number: number
  readonly model: Model
  /** Empty where the attempt succeeded. */
  readonly errorType: string
  /** Without the cached ones. */
  readonly input: number
  readonly cachedRead: number
  readonly output: number
  readonly costNanoUsd: number
  readonly latencyMs: number
  readonly qualityMilli: number
}

export interface Event {
  readonly kind: 'event'
  readonly atMs: number
  readonly type: string
  readonly level: 'info' | 'warn'
  readonly message: string
  readonly data: Readonly<Record<string, string | number>>
}

export const retriesMax = 3
const attemptsMax = 40
const failedShare = 0.03
// A run in trouble: a tool is down, a prompt is too long. Most of its attempts fail.
const troubledShare = 0.05
const troubledFailedShare = 0.8
const canceledShare = 0.02
const reusedShare = 0.015
const dayEndMs = 86_400_000 - 1
const errorTypes = ['overloaded', 'timeout', 'rate_limited', 'content_filter'] as const

export function planRun(random: Random, atMs: number, agent: number, task: number): PlannedRun {
  const role = roles[agent] ?? roles[0]
  const troubled = random.chance(troubledShare)
  const steps: Step[] = []
  let [time, failedInRow, number] = [atMs, 0, 0]
  // Nothing of a day happens after its end.
  const pass = (ms: number): number => (time = Math.min(dayEndMs, time + Math.max(1, Math.round(ms))))
  for (let left = random.repeats(role.attemptsMean, attemptsMax); left > 0 && failedInRow <= retriesMax;) {
    number += 1
    const attempt = planAttempt(random, role, number, pass(random.sample(role.trace.gapMs)), troubled)
    steps.push(attempt)
    pass(attempt.latencyMs)
    if (attempt.errorType === '') {
      failedInRow = 0
      left -= 1
      if (random.chance(0.4)) steps.push(toolEvent(random, role, pass(5)))
    } else {
      failedInRow += 1
      steps.push(failureEvent(attempt, pass(5)))
    }
  }
  const failed = failedInRow > retriesMax
  const end = failed ? 'failed' : random.chance(canceledShare) ? 'canceled' : 'completed'
  return {
    kind: 'run',
    atMs,
    endMs: pass(20),
    agent,
    task,
    workflow: random.pick(role.workflows),
    promptVersion: random.chance(0.8) ? 'v3' : 'v2',
    steps,
    end,
    lastError: failed ? `gave up after ${retriesMax} retries` : '',
    reused: random.chance(reusedShare),
  }
}

/** Tokens of one call of a model, as the trace of the role has them. */
export function sampleTokens(
  random: Random,
  { trace }: Pick<Role, 'trace'>,
): { readonly context: number; readonly generated: number } {
  return {
    context: Math.round(random.sample(trace.contextTokens)),
    generated: Math.round(random.sample(trace.generatedTokens)),
  }
}

function planAttempt(random: Random, role: Role, number: number, atMs: number, troubled: boolean): Attempt {
  const model = random.pick(role.models)
  const { context, generated } = sampleTokens(random, role)
  const failed = random.chance(troubled ? troubledFailedShare : failedShare)
  const errorType = failed ? random.pick(errorTypes) : ''
  // From the second call of a run on, most of its context has been read before.
  const cachedRead = number > 1 ? Math.floor(context * (0.3 + 0.5 * random.next())) : 0
  const input = context - cachedRead
  const output = failed ? 0 : generated
  const costNanoUsd = input * model.inputNanoUsd + cachedRead * model.cachedNanoUsd + output * model.outputNanoUsd
  return {
    kind: 'attempt',
    atMs,
    number,
    model,
    errorType,
    input,
    cachedRead,
    output,
    costNanoUsd,
    latencyMs: errorType === 'timeout' ? 30_000 : latencyMs(random, context, output),
    qualityMilli: failed ? 0 : random.integer(600, 980),
  }
}

/** The context is read at about 8,000 tokens a second, the answer written at about 45; give or take a third. */
function latencyMs(random: Random, context: number, output: number): number {
  return Math.round((180 + context / 8 + output * 22) * (0.7 + 0.6 * random.next()))
}

function toolEvent(random: Random, { tools }: Role, atMs: number): Event {
  const [tool, tookMs] = [random.pick(tools), random.integer(4, 1800)]
  return { kind: 'event', atMs, type: 'tool.called', level: 'info', message: `used ${tool}`, data: { tool, tookMs } }
}

function failureEvent({ number, errorType }: Attempt, atMs: number): Event {
  const message = `attempt ${number} failed: ${errorType}`
  return { kind: 'event', atMs, type: 'attempt.failed', level: 'warn', message, data: { attempt: number, errorType } }
}
