import { create } from '@bufbuild/protobuf'
import { JobState, TriggerResponseSchema } from '@portcullis/contract'
import { publicId, refuse } from '#core'
import { effect, type Effect, type JobTrigger } from '../ports.ts'
import { jobMessage, overlaps } from './messages.ts'
import type { JobKind } from './ports.ts'

/** How many of one kind may wait where they queue. */
const waitingMax = 100

type Given = Pick<JobTrigger, 'id' | 'trigger' | 'actor' | 'requestId' | 'dataJson'>

/** One more job of that kind, by a caller or by its schedule. The queue and the ledger have it, or neither (SPEC J1, J2). */
export function trigger(known: JobKind, given: Given, nowMs: number): Effect {
  const { kind, overlap, retries, timeoutSeconds } = known
  const args: JobTrigger = { ...given, kind, overlap: overlaps[overlap], retries, timeoutSeconds, waitingMax }
  return effect({
    operation: 'job.trigger',
    key: kind,
    args,
    uses: { jobKind: kind },
    answer: (row) => {
      if (row === undefined) throw new Error('a trigger without a verdict')
      const jobId = publicId('job', row.id)
      if (row.verdict !== 'done')
        return refuse('job.running', `${kind} ${row.id}`, { facts: { jobId, kind }, detail: `${jobId} has not ended` })
      const job = jobMessage({
        id: given.id,
        kind,
        trigger: given.trigger,
        actor: given.actor,
        requestId: given.requestId,
        state: JobState.QUEUED,
        attempts: 0,
        error: '',
        resultJson: '',
        createdAtMs: nowMs,
        startedAtMs: null,
        finishedAtMs: null,
      })
      return { reply: create(TriggerResponseSchema, { job }), told: { jobId } }
    },
  })
}
