import { create } from '@bufbuild/protobuf'
import {
  CancelResponseSchema,
  GetJobResponseSchema,
  JobsService,
  JobState,
  ListDefinitionsResponseSchema,
  ListJobsResponseSchema,
} from '@portcullis/contract'
import { isPlatform, isRefusal, refuse, uuidv7, type Caller, type Refusal } from '#core'
import { Fields } from '../fields.ts'
import { read, readScope, write, type Handler } from '../handler.ts'
import { listPage } from '../paging.ts'
import { effect } from '../ports.ts'
import { keptFrom, shownTo } from './kept.ts'
import { definitionMessage, jobMessage } from './messages.ts'
import type { JobKind, JobsPort } from './ports.ts'
import { trigger } from './trigger.ts'

const kindMax = 64
const dataMax = 64 * 1024
const states = Object.values(JobState).filter((state) => typeof state === 'number')

const listDefinitions = read(
  JobsService.method.listDefinitions,
  async (message, { caller, jobs, reader }) => {
    if (message.pageToken !== '') return refuse('input.page_token', 'definitions are one page')
    const kinds = jobs.of(caller.tenant.name)
    const last = await reader.lastJobs(
      readScope(caller, false),
      kinds.map(({ kind }) => kind),
    )
    const kept = keptFrom(caller, jobs)
    const lastOf = new Map(last.map((row) => [row.kind, shownTo(kept, row)]))
    return create(ListDefinitionsResponseSchema, {
      definitions: await Promise.all(kinds.map((kind) => definitionMessage(kind, jobs, lastOf.get(kind.kind)))),
    })
  },
  () => ({}),
)

const getJob = read(
  JobsService.method.getJob,
  async (message, { caller, jobs, reader }) => {
    const fields = new Fields()
    const id = fields.id('jobId', message.jobId, 'job')
    if (fields.refusal !== undefined) return fields.refusal
    const row = await reader.job(readScope(caller, false), id)
    if (row === undefined) return refuse('object.not_found', 'no such job')
    return create(GetJobResponseSchema, { job: jobMessage(shownTo(keptFrom(caller, jobs), row)) })
  },
  ({ jobId }) => ({ jobId }),
)

const listJobs = read(
  JobsService.method.listJobs,
  async (message, { caller, jobs, reader }) => {
    const fields = new Fields()
    const kind = fields.text('kind', message.kind, kindMax)
    const state = fields.choice('state', message.state, states, 'the states of a job')
    if (fields.refusal !== undefined) return fields.refusal
    const filter = { ...(kind === '' ? {} : { kind }), ...(state === JobState.UNSPECIFIED ? {} : { state }) }
    const scope = readScope(caller, false)
    const kept = keptFrom(caller, jobs)
    const list = await listPage(
      'jobs',
      { ...filter, tenant: scope.tenantId },
      message,
      (page) => reader.jobs(scope, filter, page),
      (row) => jobMessage(shownTo(kept, row)),
    )
    if (isRefusal(list)) return list
    return create(ListJobsResponseSchema, { jobs: [...list.items], nextPageToken: list.nextPageToken })
  },
  ({ kind, state, pageSize }) => ({ kind, pageSize, state }),
)

const triggerJob: Handler = {
  ...write(
    JobsService.method.trigger,
    (message, { caller, clock, jobs, requestId = '' }) => {
      const fields = new Fields()
      const kind = fields.required('kind', message.kind, kindMax)
      const dataJson = fields.text('dataJson', message.dataJson, dataMax)
      if (dataJson !== '' && !isObject(dataJson)) fields.wrong('dataJson', 'must be a JSON object as text')
      if (fields.refusal !== undefined) return fields.refusal
      const known = kindOf(jobs, caller, kind)
      if (isRefusal(known)) return known
      const id = uuidv7(clock.now())
      return trigger(
        known,
        { id, trigger: 'manual', actor: caller.id, requestId: requestId.slice(0, 128), dataJson },
        clock.now(),
      )
    },
    ({ kind }) => ({ kind }),
  ),
  about: (message) => ({ jobKind: 'kind' in message ? String(message.kind) : '' }),
}

const cancel = write(
  JobsService.method.cancel,
  (message, { caller, jobs }) => {
    const fields = new Fields()
    const id = fields.id('jobId', message.jobId, 'job')
    if (fields.refusal !== undefined) return fields.refusal
    return effect({
      operation: 'job.cancel',
      key: id,
      args: { id, reason: `canceled by ${caller.id}`.slice(0, 500), kept: keptFrom(caller, jobs) },
      answer: (row) => {
        if (row === undefined) return refuse('object.not_found', 'no such job')
        if (row.verdict !== 'done')
          return refuse('object.state', 'the job has ended', { detail: 'the job has ended already' })
        return { reply: create(CancelResponseSchema, { job: jobMessage(row) }), told: { kind: row.kind } }
      },
    })
  },
  ({ jobId }) => ({ jobId }),
)

function kindOf(jobs: JobsPort, caller: Caller, name: string): JobKind | Refusal {
  const known = jobs.of(caller.tenant.name).find(({ kind }) => kind === name)
  if (known === undefined)
    return refuse('object.not_found', 'no such kind of job', { detail: 'no such kind: ListDefinitions has them' })
  if (known.handler === 'builtin' && !isPlatform(caller))
    return refuse('auth.scope_missing', 'what is built in is of who runs the platform', {
      detail: 'kinds that are built in are triggered by operators of the platform alone: needs tenants:write',
    })
  if (!known.enabled) return refuse('job.disabled', 'the kind is disabled', { facts: { kind: known.kind } })
  return known
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    // What cannot be parsed is no object: the caller is told.
    return false
  }
}

export const jobHandlers: readonly Handler[] = [listDefinitions, getJob, listJobs, triggerJob, cancel]
