import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  JobDefinitionSchema,
  JobOverlap,
  JobSchema,
  type Job,
  type JobDefinition,
  type JobState,
} from '@portcullis/contract'
import { publicId } from '#core'
import type { JobRow } from './job-rows.ts'
import type { JobKind, JobsPort } from './ports.ts'

export const overlaps = {
  refuse: JobOverlap.REFUSE,
  queue: JobOverlap.QUEUE,
  allow: JobOverlap.ALLOW,
} as const satisfies Record<JobKind['overlap'], JobOverlap>

export function jobMessage(row: JobRow): Job {
  const { kind, trigger, actor, attempts, error, resultJson, requestId } = row
  const state = row.state as JobState
  return create(JobSchema, {
    id: publicId('job', row.id),
    kind,
    state,
    trigger,
    actor,
    attempts,
    error,
    resultJson,
    requestId,
    createdAt: timestampFromMs(row.createdAtMs),
    ...(row.startedAtMs === null ? {} : { startedAt: timestampFromMs(row.startedAtMs) }),
    ...(row.finishedAtMs === null ? {} : { finishedAt: timestampFromMs(row.finishedAtMs) }),
  })
}

export async function definitionMessage(of: JobKind, jobs: JobsPort, last: JobRow | undefined): Promise<JobDefinition> {
  const { kind, description, enabled, schedule, timeZone, retries, timeoutSeconds, handler } = of
  const nextMs = await jobs.nextRunAtMs(of)
  return create(JobDefinitionSchema, {
    kind,
    description,
    enabled,
    schedule,
    timeZone,
    retries,
    timeoutSeconds,
    handler,
    overlap: overlaps[of.overlap],
    ...(nextMs === undefined ? {} : { nextRunAt: timestampFromMs(nextMs) }),
    ...(last === undefined ? {} : { lastJob: jobMessage(last) }),
  })
}
