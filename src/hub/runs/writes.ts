import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  AttemptOutcome,
  AttemptOutcomeSchema,
  EventLevel,
  EventLevelSchema,
  FinishRunResponseSchema,
  HubService,
  RecordPromptAttemptResponseSchema,
  RecordRunEventResponseSchema,
  StartRunResponseSchema,
  TaskState,
  TaskStateSchema,
} from '@portcullis/contract'
import { publicId, refuse, uuidv7, type Caller } from '#core'
import { Fields } from '../fields.ts'
import { bare, write } from '../handler.ts'
import { effect, type RunRow } from '../ports.ts'
import {
  enumName,
  eventLevels,
  finalStates,
  jsonProblem,
  runMessage,
  sizes,
  tokenColumns,
  tokenCounts,
} from './rules.ts'

const costMax = 1_000_000_000_000_000n

// An agent writes to its own runs; an operator to every run of the tenant.
const ownerOf = (caller: Caller): string | null => (caller.kind === 'agent' ? bare(caller.id) : null)
const noRun = refuse('object.not_found', 'no such run for this caller')

const startRun = write(
  HubService.method.startRun,
  (message, { caller, clock }) => {
    const fields = new Fields()
    const nowMs = clock.now()
    const row: RunRow = {
      id: uuidv7(nowMs),
      taskId: fields.text('taskId', message.taskId, sizes.name),
      workflow: fields.required('workflow', message.workflow, sizes.name),
      agentId: ownerOf(caller),
      promptVersion: fields.text('promptVersion', message.promptVersion, sizes.name),
      modelPolicy: fields.text('modelPolicy', message.modelPolicy, sizes.name),
      status: TaskState.WORKING,
      maxRetries: fields.integer('maxRetries', message.maxRetries, 0, 1000),
      ...tokenColumns(fields, undefined),
      totalAttempts: '0',
      successAttempts: '0',
      failedAttempts: '0',
      costNanoUsd: '0',
      lastError: '',
      startedAtMs: nowMs,
      finishedAtMs: null,
    }
    if (fields.refusal !== undefined) return fields.refusal
    const { id, taskId, workflow, agentId, promptVersion, modelPolicy, status, maxRetries, startedAtMs } = row
    return effect({
      operation: 'run.start',
      key: id,
      args: { id, taskId, workflow, agentId, promptVersion, modelPolicy, status, maxRetries, startedAtMs },
      answer: (done) =>
        done === undefined ? noRun : { reply: create(StartRunResponseSchema, { run: runMessage(row) }) },
    })
  },
  ({ taskId, workflow, promptVersion, modelPolicy }) => ({ modelPolicy, promptVersion, taskId, workflow }),
)

const finishRun = write(
  HubService.method.finishRun,
  (message, { caller, clock }) => {
    const fields = new Fields()
    const id = fields.id('runId', message.runId, 'run')
    const status = fields.choice('status', message.status, finalStates, 'COMPLETED, FAILED, CANCELED, REJECTED')
    const lastError = fields.text('lastError', message.lastError, sizes.error)
    if (fields.refusal !== undefined) return fields.refusal
    return effect({
      operation: 'run.finish',
      key: id,
      runId: id,
      args: { id, ownerAgentId: ownerOf(caller), status, lastError, finishedAtMs: clock.now() },
      answer: (row) => {
        if (row === undefined) return noRun
        if (row.verdict === 'object.state')
          return refuse('object.state', 'run already finished', { detail: 'the run has ended already' })
        return { reply: create(FinishRunResponseSchema, { run: runMessage(row) }) }
      },
    })
  },
  ({ runId, status }) => ({ runId, status: enumName(TaskStateSchema, status) }),
)

const recordPromptAttempt = write(
  HubService.method.recordPromptAttempt,
  (message, { caller, clock }) => {
    const fields = new Fields()
    const nowMs = clock.now()
    const outcomes = [AttemptOutcome.SUCCESS, AttemptOutcome.FAILED]
    const reported = fields.count('reportedCostNanoUsd', message.reportedCostNanoUsd, costMax)
    const args = {
      id: uuidv7(nowMs),
      runId: fields.id('runId', message.runId, 'run'),
      ownerAgentId: ownerOf(caller),
      attemptNumber: fields.integer('attemptNumber', message.attemptNumber, 0, 1_000_000),
      workflow: fields.text('workflow', message.workflow, sizes.name),
      providerType: fields.text('providerType', message.providerType, sizes.name),
      provider: fields.text('provider', message.provider, sizes.name),
      model: fields.required('model', message.model, sizes.name),
      promptVersion: fields.text('promptVersion', message.promptVersion, sizes.name),
      promptHash: fields.text('promptHash', message.promptHash, sizes.name),
      outcome: fields.choice('outcome', message.outcome, outcomes, 'SUCCESS, FAILED'),
      errorType: fields.text('errorType', message.errorType, sizes.name),
      errorMessage: fields.text('errorMessage', message.errorMessage, sizes.error),
      ...tokenColumns(fields, message.tokens),
      costNanoUsd: reported,
      reportedCostNanoUsd: reported,
      latencyMs: fields.count('latencyMs', message.latencyMs),
      qualityScoreMilli: fields.integer('qualityScoreMilli', message.qualityScoreMilli, 0, 1000),
      createdAtMs: fields.time('createdAt', message.createdAt, nowMs),
    }
    if (fields.refusal !== undefined) return fields.refusal
    return effect({
      operation: 'attempt.record',
      key: args.id,
      runId: args.runId,
      args,
      answer: (row) => {
        if (row === undefined) return noRun
        const attempt = {
          ...args,
          id: publicId('att', args.id),
          runId: message.runId,
          workflow: row.workflow,
          promptVersion: row.promptVersion,
          agentId: row.agentId === null ? '' : publicId('agt', row.agentId),
          tokens: tokenCounts(args),
          costNanoUsd: BigInt(reported),
          reportedCostNanoUsd: BigInt(reported),
          latencyMs: message.latencyMs,
          createdAt: timestampFromMs(args.createdAtMs),
        }
        return { reply: create(RecordPromptAttemptResponseSchema, { attempt }) }
      },
    })
  },
  ({ runId, provider, model, outcome, attemptNumber }) => ({
    attemptNumber,
    model,
    outcome: enumName(AttemptOutcomeSchema, outcome),
    provider,
    runId,
  }),
)

const recordRunEvent = write(
  HubService.method.recordRunEvent,
  (message, { caller, clock }) => {
    const fields = new Fields()
    const nowMs = clock.now()
    const level = message.level === EventLevel.UNSPECIFIED ? EventLevel.INFO : message.level
    const args = {
      id: uuidv7(nowMs),
      runId: fields.id('runId', message.runId, 'run'),
      ownerAgentId: ownerOf(caller),
      eventType: fields.required('eventType', message.eventType, sizes.name),
      level: fields.choice('level', level, eventLevels, 'DEBUG, INFO, WARN, ERROR'),
      message: fields.text('message', message.message, sizes.message),
      dataJson: fields.text('dataJson', message.dataJson, sizes.dataJson),
      createdAtMs: fields.time('createdAt', message.createdAt, nowMs),
    }
    const problem = jsonProblem(args.dataJson)
    if (problem !== undefined) fields.wrong('dataJson', problem)
    if (fields.refusal !== undefined) return fields.refusal
    return effect({
      operation: 'event.record',
      key: args.id,
      args,
      answer: (row) => {
        if (row === undefined) return noRun
        const event = {
          id: publicId('evt', args.id),
          runId: message.runId,
          agentId: row.agentId === null ? '' : publicId('agt', row.agentId),
          eventType: args.eventType,
          level: args.level,
          message: args.message,
          dataJson: args.dataJson,
          createdAt: timestampFromMs(args.createdAtMs),
        }
        return { reply: create(RecordRunEventResponseSchema, { event }) }
      },
    })
  },
  ({ runId, eventType, level }) => ({ eventType, level: enumName(EventLevelSchema, level), runId }),
)

export const runWrites = [startRun, finishRun, recordPromptAttempt, recordRunEvent]
