import type { ResourceSpans, Span } from '@portcullis/contract'
import { SpanStatusCode } from '@portcullis/contract'
import { Attributes, SpanProblem } from './attributes.ts'
import { attemptOf, eventsOf, type SpanAttempt, type SpanEventDraft } from './records.ts'

/** Spans older than this when they arrive are rejected; what tells repetitions apart is kept a day longer. */
export const spanAgeMsMax = 7 * 86_400_000
const futureMs = 5 * 60_000
const earliestMs = Date.UTC(2020, 0, 1)

/** What one span says, once its shape was found right. */
export interface ReadSpan {
  /** Hex. */
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly name: string
  /** Ends the run of its trace: it has no parent, or one in another process and says itself that it is an agent. */
  readonly root: boolean
  readonly failed: boolean
  readonly statusMessage: string
  readonly startMs: number
  readonly endMs: number
  readonly attributes: Attributes
  readonly resource: Attributes
  readonly span: Span
}

/** A span that becomes something. `none`: it says nothing of models, tools or agents, and only ends the run of a trace that is known. */
export interface MappedSpan extends ReadSpan {
  readonly kind: 'attempt' | 'event' | 'none'
  readonly attempt: SpanAttempt | undefined
  readonly events: readonly SpanEventDraft[]
}

export interface Rejection {
  readonly traceId: string
  readonly spanId: string
  readonly reason: string
}

export interface MappedSpans {
  readonly spans: readonly MappedSpan[]
  readonly rejections: readonly Rejection[]
  /** Spans that are nothing of ours and end no run. */
  readonly ignored: number
}

/** Reads every span by itself: one that is wrong is rejected with a reason, and the others are taken (SPEC H13). Pure. */
export function mapSpans(resourceSpans: readonly ResourceSpans[], nowMs: number): MappedSpans {
  const spans: MappedSpan[] = []
  const rejections: Rejection[] = []
  let ignored = 0
  for (const { resource: given, scopeSpans } of resourceSpans) {
    const resource = attempting(() => new Attributes(given?.attributes ?? []))
    for (const span of scopeSpans.flatMap((scope) => scope.spans)) {
      const mapped = attempting(() => {
        if (resource instanceof SpanProblem) throw new SpanProblem(`its resource ${resource.message}`)
        return mapSpan(span, resource, nowMs)
      })
      if (mapped instanceof SpanProblem)
        rejections.push({ traceId: hex(span.traceId), spanId: hex(span.spanId), reason: mapped.message })
      else if (mapped.kind === 'none' && !mapped.root) ignored += 1
      else spans.push(mapped)
    }
  }
  return { spans, rejections, ignored }
}

function mapSpan(span: Span, resource: Attributes, nowMs: number): MappedSpan {
  const read = readSpan(span, resource, nowMs)
  const kind = kindOf(read.attributes)
  const attempt = kind === 'attempt' ? attemptOf(read) : undefined
  return { ...read, kind, attempt, events: kind === 'none' ? [] : eventsOf(read, kind) }
}

function readSpan(span: Span, resource: Attributes, nowMs: number): ReadSpan {
  const traceId = idOf(span.traceId, 16, 'traceId')
  const spanId = idOf(span.spanId, 8, 'spanId')
  const parentSpanId = span.parentSpanId.length === 0 ? '' : idOf(span.parentSpanId, 8, 'parentSpanId')
  if (span.endTimeUnixNano === 0n) throw new SpanProblem('has not ended')
  const startMs = msOf(span.startTimeUnixNano)
  const endMs = msOf(span.endTimeUnixNano)
  if (span.startTimeUnixNano > span.endTimeUnixNano) throw new SpanProblem('ends before it starts')
  if (startMs < earliestMs) throw new SpanProblem('starts before 2020: times are nanoseconds since 1970')
  if (endMs > nowMs + futureMs) throw new SpanProblem('ends in the future: the clock of its sender is ahead')
  if (endMs < nowMs - spanAgeMsMax) throw new SpanProblem('ended more than 7 days ago')
  const attributes = new Attributes(span.attributes)
  const agent = isAgent(attributes)
  return {
    traceId,
    spanId,
    parentSpanId,
    name: span.name,
    root: parentSpanId === '' || (agent && hasRemoteParent(span.flags)),
    failed: span.status?.code === SpanStatusCode.ERROR || attributes.text('error.type') !== '',
    statusMessage: span.status?.message ?? '',
    startMs,
    endMs,
    attributes,
    resource,
    span,
  }
}

// Operations that are one call of a model (gen_ai.operation.name).
const modelOperations: ReadonlySet<string> = new Set(['chat', 'generate_content', 'text_completion', 'embeddings'])
const modelKinds: ReadonlySet<string> = new Set(['LLM', 'EMBEDDING'])

function kindOf(attributes: Attributes): MappedSpan['kind'] {
  const operation = attributes.text('gen_ai.operation.name')
  const kind = attributes.text('openinference.span.kind').toUpperCase()
  if (modelOperations.has(operation) || (operation === '' && modelKinds.has(kind))) return 'attempt'
  if (operation !== '' || kind !== '') return 'event'
  // Before gen_ai.operation.name there was only the system and the model.
  if (attributes.has('gen_ai.system') && attributes.has('gen_ai.request.model')) return 'attempt'
  return attributes.some('gen_ai.') ? 'event' : 'none'
}

function isAgent(attributes: Attributes): boolean {
  const operation = attributes.text('gen_ai.operation.name')
  return (
    operation === 'invoke_agent' ||
    operation === 'invoke_workflow' ||
    (operation === '' && attributes.text('openinference.span.kind').toUpperCase() === 'AGENT')
  )
}

/** SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE and SPAN_FLAGS_CONTEXT_IS_REMOTE. */
function hasRemoteParent(flags: number): boolean {
  return (flags & 0x300) === 0x300
}

function idOf(bytes: Uint8Array, length: number, name: string): string {
  if (bytes.length !== length) throw new SpanProblem(`${name} must have ${length} bytes, not ${bytes.length}`)
  if (bytes.every((byte) => byte === 0)) throw new SpanProblem(`${name} is all zeros`)
  return hex(bytes)
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(0, 16)).toString('hex')
}

function msOf(nano: bigint): number {
  return Number(nano / 1000n) / 1000
}

function attempting<Value>(work: () => Value): Value | SpanProblem {
  try {
    return work()
  } catch (error) {
    if (error instanceof SpanProblem) return error
    throw error
  }
}
