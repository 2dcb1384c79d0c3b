import { create } from '@bufbuild/protobuf'
import {
  FinishRunResponseSchema,
  HubService,
  StartRunResponseSchema,
  TaskState,
  TaskStateSchema,
} from '@portcullis/contract'
import { refuse, uuidv7 } from '#core'
import { Fields } from '../fields.ts'
import { keyOf, ownerOf, write } from '../handler.ts'
import { effect, type RunRow } from '../ports.ts'
import { enumName, finalStates, noRun, runMessage, sizes, tokenColumns } from './rules.ts'

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
      args: {
        id,
        taskId,
        workflow,
        agentId,
        promptVersion,
        modelPolicy,
        status,
        maxRetries,
        startedAtMs,
        keyId: keyOf(caller),
      },
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

export const runWrites = [startRun, finishRun]
