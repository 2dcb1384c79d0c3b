import type { ItemFields } from './fields.ts'
import { BadItem } from './fields.ts'

/** A call that an item becomes, or a part of a batch. */
export interface Made {
  readonly method: string
  readonly message: object
}

export interface MapContext {
  /** The score that stands for the best. */
  readonly qualityMax: number
  /** The id that a run of the file was given here; undefined where it has none. */
  readonly runIdOf: (id: string) => string | undefined
}

const taskStates = {
  todo: 'TASK_STATE_SUBMITTED',
  in_progress: 'TASK_STATE_WORKING',
  done: 'TASK_STATE_COMPLETED',
  blocked: 'TASK_STATE_INPUT_REQUIRED',
} as const

const runStates = {
  running: undefined,
  completed: 'TASK_STATE_COMPLETED',
  failed: 'TASK_STATE_FAILED',
  cancelled: 'TASK_STATE_CANCELED',
  canceled: 'TASK_STATE_CANCELED',
} as const

const failed = 'ATTEMPT_OUTCOME_FAILED'
const outcomes = {
  success: 'ATTEMPT_OUTCOME_SUCCESS',
  failed,
  timeout: failed,
  retryable_error: failed,
  tool_error: failed,
} as const

const levels = {
  debug: 'EVENT_LEVEL_DEBUG',
  info: 'EVENT_LEVEL_INFO',
  warn: 'EVENT_LEVEL_WARN',
  warning: 'EVENT_LEVEL_WARN',
  error: 'EVENT_LEVEL_ERROR',
} as const

type Mapper = (fields: ItemFields, context: MapContext) => Made

/** What each section of the state becomes, under the name that the file has for it. */
export const mappers: Readonly<Record<string, Mapper>> = {
  tasks: (fields) => ({
    method: 'HubService/CreateTask',
    message: {
      title: fields.required('title'),
      details: fields.text('details'),
      status: taskState(fields),
      tags: fields.texts('tags'),
    },
  }),
  notes: (fields) => ({
    method: 'HubService/CreateNote',
    message: { title: fields.required('title'), body: fields.text('body'), tags: fields.texts('tags') },
  }),
  changelog: (fields) => ({
    method: 'HubService/AppendChangelog',
    message: {
      category: fields.text('category') || 'ops',
      summary: fields.required('summary'),
      details: fields.text('details'),
    },
  }),
  benchmarks: (fields, { qualityMax }) => ({
    method: 'benchmarks',
    message: {
      ...modelOf(fields),
      workflow: fields.required('workflow'),
      tokens: tokensOf(fields),
      costNanoUsd: fields.usd('cost_usd'),
      latencyMs: fields.count('latency_ms'),
      qualityScoreMilli: fields.score('quality_score', qualityMax),
      notes: fields.text('notes'),
    },
  }),
  runs: (fields) => ({
    method: 'HubService/StartRun',
    message: {
      taskId: fields.text('task_id'),
      workflow: fields.required('workflow'),
      promptVersion: fields.text('prompt_version'),
      modelPolicy: fields.text('model_policy'),
      maxRetries: Number(fields.count('max_retries')),
    },
  }),
  attempts: (fields, { qualityMax, runIdOf }) => {
    const said = fields.text('outcome').toLowerCase()
    const outcome = fields.choice('outcome', '', outcomes)
    const errorType = fields.text('error_type')
    return {
      method: 'attempts',
      message: {
        ...modelOf(fields),
        runId: runOf(fields, runIdOf),
        attemptNumber: Number(fields.count('attempt_number')),
        workflow: fields.text('workflow'),
        promptVersion: fields.text('prompt_version'),
        promptHash: fields.text('prompt_hash'),
        outcome,
        // The kinds of failure that have a name of their own there are types of error here.
        errorType: errorType === '' && outcome === failed && said !== 'failed' ? said : errorType,
        errorMessage: fields.text('error_message'),
        tokens: tokensOf(fields),
        reportedCostNanoUsd: fields.usd('cost_usd'),
        latencyMs: fields.count('latency_ms'),
        qualityScoreMilli: fields.score('quality_score', qualityMax),
        createdAt: fields.time('created_at'),
      },
    }
  },
  run_events: (fields, { runIdOf }) => ({
    method: 'events',
    message: {
      runId: runOf(fields, runIdOf),
      eventType: fields.required('event_type'),
      level: fields.choice('level', 'info', levels),
      message: fields.text('message'),
      dataJson: fields.text('data_json'),
      createdAt: fields.time('created_at'),
    },
  }),
  policy: (fields) => ({
    method: 'PolicyService/SetPolicy',
    message: { policy: limitsOf(fields) },
  }),
  policy_caps: (fields) => ({
    method: 'PolicyService/UpsertPolicyCap',
    message: {
      cap: {
        ...limitsOf(fields),
        // A cap without a name had its id for one.
        name: fields.text('name') || fields.text('id'),
        providerType: fields.text('provider_type'),
        provider: fields.text('provider'),
        model: fields.text('model'),
        maxCostPerAttemptNanoUsd: fields.usd('max_cost_per_attempt_usd'),
        maxTokensPerAttempt: fields.count('max_tokens_per_attempt'),
        priority: Number(fields.count('priority')),
        dryRun: fields.flag('dry_run', false),
        active: fields.flag('is_active', true),
      },
    },
  }),
}

/** How a run ended; undefined where it goes on. */
export function endOf(fields: ItemFields): object | undefined {
  // Asked for as a key that may be there without a value: a run that is under way has no end.
  const status = fields.choice<string | null>('status', 'running', { ...runStates, running: null })
  return status === null ? undefined : { status, lastError: fields.text('last_error') }
}

/** Other names of the same sections. */
export const sectionNames: Readonly<Record<string, string>> = {
  prompt_attempts: 'attempts',
  events: 'run_events',
  agent_runs: 'runs',
  changelog_entries: 'changelog',
  caps: 'policy_caps',
  orchestration_policy: 'policy',
}

function taskState(fields: ItemFields): string {
  return fields.choice('status', 'todo', taskStates)
}

function modelOf(fields: ItemFields): object {
  return {
    providerType: fields.text('provider_type'),
    provider: fields.text('provider'),
    model: fields.required('model'),
  }
}

function tokensOf(fields: ItemFields): object {
  return { input: fields.count('tokens_in'), output: fields.count('tokens_out') }
}

function limitsOf(fields: ItemFields): object {
  return {
    maxCostPerRunNanoUsd: fields.usd('max_cost_per_run_usd'),
    maxAttemptsPerRun: fields.count('max_attempts_per_run'),
    maxTokensPerRun: fields.count('max_tokens_per_run'),
    maxLatencyPerAttemptMs: fields.count('max_latency_per_attempt_ms'),
  }
}

function runOf(fields: ItemFields, runIdOf: MapContext['runIdOf']): string {
  const id = fields.required('run_id')
  const here = runIdOf(id)
  if (here === undefined)
    throw new BadItem(`run_id ${JSON.stringify(id.slice(0, 80))} names no run of this file that was imported`)
  return here
}
