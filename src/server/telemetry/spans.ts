import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Tracer,
} from '@opentelemetry/api'
import { unknownRoute, type Decided } from './decided.ts'
import { parseTraceparent } from './traceparent.ts'

/**
 * The spans of a call that is over, made at one place: the call, and in it the gate and the store, whose times are kept with the
 * decision. In the trace of its caller where `traceparent` says so; none where the sampler says no. Answers the place of the call in its trace.
 */
export function writeSpans(tracer: Tracer, decided: Decided): { readonly traceId: string; readonly context: Context } {
  const { route, code, outcome, status, requestId, elapsedMs, traceparent } = decided
  const parent = traceparent === undefined ? undefined : parseTraceparent(traceparent)
  const context =
    parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, { ...parent, isRemote: true })
  const endedAt = Date.now()
  const startedAt = endedAt - elapsedMs
  const name = route === unknownRoute ? route : route.slice(1)
  const attributes: Attributes = {
    'rpc.method': name,
    'http.response.status_code': status,
    'portcullis.outcome': outcome,
    'portcullis.code': code ?? 'ok',
    'portcullis.request_id': requestId,
  }
  const span = tracer.startSpan(name, { kind: SpanKind.SERVER, startTime: startedAt, attributes }, context)
  if (outcome === 'error') span.setStatus({ code: SpanStatusCode.ERROR })
  const within = trace.setSpan(context, span)
  if (span.isRecording()) {
    if (decided.about?.jobKind !== undefined) {
      const of = { 'portcullis.request_id': requestId, 'job.kind': decided.about.jobKind.slice(0, 64) }
      tracer.startSpan('portcullis.job.trigger', { startTime: startedAt, attributes: of }, within).end(endedAt)
    }
    for (const { name: part, fromMs, toMs } of partsOf(decided)) {
      tracer.startSpan(part, { startTime: startedAt + fromMs }, within).end(startedAt + toMs)
    }
  }
  span.end(endedAt)
  return { traceId: span.spanContext().traceId, context: within }
}

interface Part {
  readonly name: string
  /** Since the arrival of the call. */
  readonly fromMs: number
  readonly toMs: number
}

function partsOf({ gateMs, storeFromMs, elapsedMs }: Decided): readonly Part[] {
  return [
    ...(gateMs === undefined ? [] : [{ name: 'portcullis.gate', fromMs: 0, toMs: gateMs }]),
    ...(storeFromMs === undefined ? [] : [{ name: 'portcullis.store', fromMs: storeFromMs, toMs: elapsedMs }]),
  ]
}
