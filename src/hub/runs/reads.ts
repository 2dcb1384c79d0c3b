import { create } from '@bufbuild/protobuf'
import {
  GetRunResponseSchema,
  HubService,
  ListRunsResponseSchema,
  TaskState,
  TaskStateSchema,
} from '@portcullis/contract'
import { isRefusal, refuse } from '#core'
import { Fields } from '../fields.ts'
import { bare, read, readScope } from '../handler.ts'
import { listPage } from '../paging.ts'
import type { RunFilter } from '../ports.ts'
import { enumName, runMessage, sizes } from './rules.ts'

const getRun = read(
  HubService.method.getRun,
  async (message, { caller, ownOnly, reader }) => {
    const fields = new Fields()
    const id = fields.id('runId', message.runId, 'run')
    if (fields.refusal !== undefined) return fields.refusal
    const row = await reader.run(readScope(caller, false), id)
    if (row === undefined || (ownOnly && row.agentId !== bare(caller.id)))
      return refuse('object.not_found', 'no such run for this caller')
    return create(GetRunResponseSchema, { run: runMessage(row) })
  },
  ({ runId }) => ({ runId }),
)

const listRuns = read(
  HubService.method.listRuns,
  async (message, { caller, ownOnly, reader }) => {
    const fields = new Fields()
    const agentId = message.agentId === '' ? undefined : fields.id('agentId', message.agentId, 'agt')
    const own = ownOnly ? bare(caller.id) : agentId
    if (ownOnly && agentId !== undefined && agentId !== own)
      return refuse('object.not_found', 'agent without telemetry:read asked for another')
    const states = Object.values(TaskState).filter((value) => typeof value === 'number')
    fields.choice('status', message.status, states, 'the states of TaskState')
    const filter: RunFilter = {
      ...(message.runId === '' ? {} : { id: fields.id('runId', message.runId, 'run') }),
      ...(message.taskId === '' ? {} : { taskId: fields.text('taskId', message.taskId, sizes.name) }),
      ...(message.workflow === '' ? {} : { workflow: fields.text('workflow', message.workflow, sizes.name) }),
      ...(own === undefined ? {} : { agentId: own }),
      ...(message.status === TaskState.UNSPECIFIED ? {} : { status: message.status }),
      ...(message.promptVersion === ''
        ? {}
        : { promptVersion: fields.text('promptVersion', message.promptVersion, sizes.name) }),
      ...(message.startedAfter === undefined
        ? {}
        : { startedAfterMs: fields.moment('startedAfter', message.startedAfter) }),
      ...(message.startedBefore === undefined
        ? {}
        : { startedBeforeMs: fields.moment('startedBefore', message.startedBefore) }),
    }
    if (fields.refusal !== undefined) return fields.refusal
    const scope = readScope(caller, false)
    const list = await listPage(
      'runs',
      { ...filter, tenant: scope.tenantId },
      message,
      (page) => reader.runs(scope, filter, page),
      runMessage,
    )
    if (isRefusal(list)) return list
    return create(ListRunsResponseSchema, { runs: [...list.items], nextPageToken: list.nextPageToken })
  },
  ({ pageSize, workflow, agentId, status }) => ({
    agentId,
    pageSize,
    status: enumName(TaskStateSchema, status),
    workflow,
  }),
)

export const runReads = [getRun, listRuns]
