import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  AttemptOutcome,
  EventLevel,
  RecordPromptAttemptRequestSchema,
  RecordRunEventRequestSchema,
  TaskState,
} from '@portcullis/contract'
import { isRefusal, publicId, refuse, type Refusal } from '#core'
import { modelNames } from '../costs/model-names.ts'
import { keyOf, ownerOf, type HandlerContext } from '../handler.ts'
import type { KillIndex } from '../kills/match.ts'
import { effect, type Effect } from '../ports.ts'
import { attemptEffect } from '../runs/attempts.ts'
import { eventEffect } from '../runs/events.ts'
import { noRun, sizes } from '../runs/rules.ts'
import { claimEffect } from './claim.ts'
import { cut, promptIn, workflowIn } from './records.ts'
import type { MappedSpan, Rejection } from './spans.ts'

type Whose = Pick<HandlerContext, 'caller' | 'prices' | 'rules'>

/** A write of the spans of a trace, and the span that it is of; none for the run itself. */
export interface TracePart {
  readonly effect: Effect
  readonly span: MappedSpan | undefined
}

export interface TraceParts {
  readonly parts: readonly TracePart[]
  readonly taken: readonly MappedSpan[]
  readonly rejections: readonly Rejection[]
}

/** What the spans of one trace do to their run: started, added to, and ended by its root. A span that does not fit is rejected alone. */
export function traceParts(
  spans: readonly MappedSpan[],
  run: { readonly id: string; readonly started: boolean },
  kills: KillIndex,
  whose: Whose,
  nowMs: number,
): TraceParts {
  const records: TracePart[] = []
  const taken: MappedSpan[] = []
  const rejections: Rejection[] = []
  for (const span of spans) {
    const made = isStopped(span, kills, whose, nowMs)
      ? [stopped]
      : recordsOf(span, publicId('run', run.id), whose, nowMs)
    const refusal = made.find(isRefusal)
    if (refusal !== undefined) {
      rejections.push(rejectionOf(span, refusal))
      continue
    }
    taken.push(span)
    const effects = made.flatMap((one) => (isRefusal(one) ? [] : [one]))
    records.push(...allOrNothing(effects, span, whose).map((one) => ({ effect: one, span })))
  }
  const untouched = taken.length === 0 || (run.started && !taken.some((span) => span.root))
  const parts = untouched ? records : [{ effect: runEffect(taken, run.id, whose), span: undefined }, ...records]
  return { parts, taken, rejections }
}

/**
 * An attempt that a budget or a cap may refuse where it is written brings the rest of its span along: nothing of a span that is refused is
 * there, and it may come again.
 */
function allOrNothing(effects: readonly Effect[], span: MappedSpan, { caller }: Whose): readonly Effect[] {
  const [attempt, ...events] = effects
  if (attempt?.operation !== 'spend') return effects
  return [{ ...attempt, after: [claimEffect(ownerOf(caller), [span]), ...events] }]
}

export function rejectionOf({ traceId, spanId }: MappedSpan, { detail, code }: Refusal): Rejection {
  return { traceId, spanId, reason: detail ?? `is refused: ${code}` }
}

const stopped = refuse('kill.engaged', 'the model or the tool of a span is stopped', {
  detail: 'a kill switch is engaged for its model or tool',
})

/** One that others in the same call do not use: they are taken (SPEC K1). */
function isStopped(
  { attempt, attributes }: MappedSpan,
  kills: KillIndex,
  { caller, prices }: Whose,
  nowMs: number,
): boolean {
  if (kills.size === 0) return false
  const tool = toolIn(attributes)
  const uses = {
    ...(attempt === undefined ? {} : { models: modelNames(attempt, prices) }),
    ...(tool === '' ? {} : { tool }),
  }
  return kills.stopsUse(uses, caller, nowMs) !== undefined
}

/** The run as the spans of this call tell it; what they say of its beginning counts where it is not there yet. */
function runEffect(spans: readonly MappedSpan[], id: string, { caller }: Whose): Effect {
  const root = spans.find((span) => span.root)
  const first = root === undefined ? spans : [root, ...spans]
  return effect({
    operation: 'run.trace',
    key: id,
    runId: id,
    args: {
      id,
      workflow: workflowOf(first),
      agentId: ownerOf(caller),
      promptVersion: cut(first.map(({ attributes }) => promptIn(attributes)).find(given) ?? '', sizes.name),
      status: root === undefined ? TaskState.WORKING : root.failed ? TaskState.FAILED : TaskState.COMPLETED,
      lastError: root?.failed === true ? cut(root.statusMessage, sizes.error) : '',
      startedAtMs: Math.min(...spans.map(({ startMs }) => startMs)),
      finishedAtMs: root?.endMs ?? null,
      keyId: keyOf(caller),
    },
    answer: (row) => (row === undefined ? noRun : {}),
  })
}

function workflowOf(spans: readonly MappedSpan[]): string {
  const named = spans.map(({ attributes }) => attributes.text('gen_ai.workflow.name')).find(given)
  const agent = spans.map(({ attributes }) => workflowIn(attributes)).find(given)
  // The SDKs say `unknown_service:node` where nobody set a name.
  const service = spans
    .map(({ resource }) => resource.text('service.name'))
    .find((name) => given(name) && !name.startsWith('unknown_service'))
  return cut(named ?? agent ?? service ?? 'unknown', sizes.name)
}

function recordsOf(span: MappedSpan, runId: string, whose: Whose, nowMs: number): readonly (Effect | Refusal)[] {
  const { attempt, attributes, events, failed, endMs } = span
  const records = events.map(({ eventType, error, message, data, atMs }) =>
    eventEffect(
      create(RecordRunEventRequestSchema, {
        runId,
        eventType,
        level: error ? EventLevel.ERROR : EventLevel.INFO,
        message,
        dataJson: JSON.stringify(data),
        createdAt: timestampFromMs(Math.round(atMs)),
      }),
      whose.caller,
      nowMs,
    ),
  )
  if (attempt === undefined) return records
  const message = create(RecordPromptAttemptRequestSchema, {
    ...attempt,
    runId,
    tool: toolIn(attributes),
    outcome: failed ? AttemptOutcome.FAILED : AttemptOutcome.SUCCESS,
    createdAt: timestampFromMs(Math.round(endMs)),
  })
  return [attemptEffect(message, whose, nowMs), ...records]
}

function toolIn(attributes: MappedSpan['attributes']): string {
  return cut(attributes.text('gen_ai.tool.name', 'tool.name'), sizes.name)
}

function given(text: string): boolean {
  return text !== ''
}
