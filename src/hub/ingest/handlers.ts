import { create } from '@bufbuild/protobuf'
import { HubService, RecordSpansResponseSchema, type RecordSpansResponse } from '@portcullis/contract'
import { isRefusal, refuse, uuidv7, type Refusal } from '#core'
import { bare, ownerOf, writeLater, type HandlerContext } from '../handler.ts'
import { KillIndex } from '../kills/match.ts'
import { type KnownTrace, type OperationRow, type Work } from '../ports.ts'
import { denialsOf, type DeniedItem } from '../runs/denials.ts'
import { claimEffect } from './claim.ts'
import { noAgent } from './ports.ts'
import { mapSpans, type MappedSpan, type MappedSpans, type Rejection } from './spans.ts'
import { rejectionOf, traceParts, type TracePart } from './trace-parts.ts'

export const spansMax = 1000
const rejectionsShown = 20

const recordSpans = writeLater(
  HubService.method.recordSpans,
  ({ resourceSpans }, context) => {
    const count = resourceSpans.reduce(
      (sum, { scopeSpans }) => sum + scopeSpans.reduce((inner, { spans }) => inner + spans.length, 0),
      0,
    )
    if (count > spansMax)
      return refuse('input.invalid', `${count} spans`, {
        detail: `resourceSpans hold at most ${spansMax} spans, not ${count}`,
      })
    const nowMs = context.clock.now()
    return { later: recording(mapSpans(resourceSpans, nowMs), context, nowMs) }
  },
  ({ resourceSpans }) => ({
    resources: resourceSpans.length,
    spans: resourceSpans.reduce((sum, { scopeSpans }) => sum + scopeSpans.flatMap(({ spans }) => spans).length, 0),
  }),
)

/** Finds the run of each trace, and then says what is to be written: all of it in one transaction, with its entry. */
async function recording(mapped: MappedSpans, context: HandlerContext, nowMs: number): Promise<Work | Refusal> {
  const { caller, traces: port } = context
  const traces = Map.groupBy(onceEach(mapped.spans), ({ traceId }) => traceId)
  const owner = ownerOf(caller) ?? noAgent
  let known: ReadonlyMap<string, KnownTrace> = new Map()
  if (traces.size > 0) {
    if (port === undefined) return refuse('store.unavailable', 'nothing here knows the runs of traces')
    const asked = [...traces].map(([traceId, spans]) => ({
      traceId,
      spanIds: spans.map(({ spanId }) => spanId),
      newRunId: spans.some(({ kind }) => kind !== 'none') ? uuidv7(nowMs) : undefined,
    }))
    try {
      known = await port.runsOf({ tenantId: bare(caller.tenant.id), owner }, asked)
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
      return refuse('store.unavailable', `runs of traces: ${String(cause)}`, { retryAfterSeconds: 1 })
    }
  }
  const parts: TracePart[] = []
  const taken: MappedSpan[] = []
  const rejections: Rejection[] = [...mapped.rejections]
  const kills = new KillIndex(context.kills.inForce())
  for (const [traceId, spans] of traces) {
    const trace = known.get(traceId)
    // The root of a trace that has nothing of ours.
    if (trace === undefined) continue
    const fresh = spans.filter(({ spanId }) => !trace.recorded.has(spanId))
    const made = traceParts(fresh, { id: trace.runId, started: trace.started }, kills, context, nowMs)
    parts.push(...made.parts)
    taken.push(...made.taken)
    rejections.push(...made.rejections)
  }
  // Others are recorded behind their attempt, where that was not refused.
  const behind = new Set(parts.flatMap(({ effect: { after }, span }) => (after === undefined ? [] : [span])))
  const sure = taken.filter((span) => !behind.has(span))
  const claim = sure.length === 0 ? [] : [claimEffect(ownerOf(caller), sure)]
  const count = mapped.ignored + mapped.spans.length + mapped.rejections.length
  return {
    parts: [...claim, ...parts.map(({ effect: part }) => part)],
    answerAll: (rows) => {
      const denied = refusedOf(parts, rows.slice(claim.length))
      const refused = denied.map(({ rejection }) => rejection)
      return { reply: replyOf([...rejections, ...refused], count), ...denialsOf(denied, context, nowMs) }
    },
  }
}

/** Spans whose attempt was refused where it was decided: by a cap of the policy, for one. They may come again. */
function refusedOf(
  parts: readonly TracePart[],
  rows: readonly (OperationRow | undefined)[],
): readonly (DeniedItem & { readonly rejection: Rejection })[] {
  const refused = new Map<MappedSpan, DeniedItem & { readonly rejection: Rejection }>()
  for (const [at, { effect: part, span }] of parts.entries()) {
    const row = rows[at]
    // As in a batch: the reply of each alone would be made only to be thrown away.
    if (span === undefined || (row !== undefined && part.operation !== 'spend')) continue
    const answer = part.answer(row)
    if (isRefusal(answer)) refused.set(span, { refusal: answer, of: part, rejection: rejectionOf(span, answer) })
  }
  return [...refused.values()]
}

function replyOf(rejections: readonly Rejection[], count: number): RecordSpansResponse {
  const [first] = rejections
  return create(RecordSpansResponseSchema, {
    accepted: BigInt(count - rejections.length),
    rejected: BigInt(rejections.length),
    errorMessage:
      first === undefined
        ? ''
        : `${rejections.length} of ${count} spans were rejected: span ${first.spanId || '(no id)'} ${first.reason}`,
    rejections: rejections.slice(0, rejectionsShown),
  })
}

/** The same span twice in one call is one span. */
function onceEach(spans: readonly MappedSpan[]): readonly MappedSpan[] {
  return [...new Map(spans.toReversed().map((span) => [`${span.traceId}/${span.spanId}`, span])).values()].toReversed()
}

export const ingestHandlers = [recordSpans]
