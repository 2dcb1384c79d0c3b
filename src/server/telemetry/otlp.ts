import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type SpanContext, type Tracer } from '@opentelemetry/api'
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-http'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs'
import { PeriodicExportingMetricReader, type MetricReader } from '@opentelemetry/sdk-metrics'
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import { readSecretFile, type Config } from '#config'
import { version } from '../version.ts'
import { auditFields } from './audit-line.ts'
import { unknownRoute, type Decided } from './decided.ts'
import { parseTraceparent } from './traceparent.ts'

/** What goes to an OpenTelemetry collector; undefined where none is set, so that a decision costs nothing. */
export interface Otlp {
  readonly metrics: MetricReader
  /** A span for the call, and its audit line as a log record. */
  decided(decided: Decided): void
  close(): Promise<void>
}

const metricsEveryMs = 15_000
const infoSeverity = 9

/** Queues of the SDK are bounded: what the collector does not take in time is dropped, and no call waits for it. */
export function makeOtlp({ telemetry, env }: Config): Otlp | undefined {
  const { otlp } = telemetry
  if (otlp === undefined) return undefined
  const headers = headersFrom(otlp.headersFile, env === 'production')
  const to = (signal: string) => ({
    url: `${otlp.endpoint.replace(/\/+$/, '')}/v1/${signal}`,
    headers: { ...headers },
    timeoutMillis: otlp.timeoutMs,
    concurrencyLimit: 2,
  })
  const resource = resourceFromAttributes({ 'service.name': 'portcullis', 'service.version': version })
  const traces = new TracerProvider({
    resource,
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(otlp.tracePercent / 100) }),
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter(to('traces')) })],
  })
  const logs = new LoggerProvider({
    resource,
    processors: [new BatchLogRecordProcessor({ exporter: new OTLPLogExporter(to('logs')) })],
  })
  const logger = logs.getLogger('portcullis.authorization.audit', version)
  const tracer = traces.getTracer('portcullis', version)
  return {
    metrics: new PeriodicExportingMetricReader({
      exporter: new OTLPMetricExporter(to('metrics')),
      exportIntervalMillis: metricsEveryMs,
      exportTimeoutMillis: Math.min(otlp.timeoutMs, metricsEveryMs),
    }),
    decided: (decided) => {
      const { traceId } = spanOf(tracer, decided)
      logger.emit({
        severityNumber: infoSeverity,
        severityText: 'INFO',
        body: 'portcullis authorization audit',
        attributes: { ...auditFields(decided), traceId },
      })
    },
    close: async () => {
      // The error of a collector that is away is not ours.
      await Promise.allSettled([traces.shutdown(), logs.shutdown()])
    },
  }
}

/** The span of a call that is over: one object at one place, and none where the sampler says no. */
function spanOf(tracer: Tracer, decided: Decided): SpanContext {
  const { route, code, outcome, status, requestId, elapsedMs, traceparent } = decided
  const parent = traceparent === undefined ? undefined : parseTraceparent(traceparent)
  const context =
    parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, { ...parent, isRemote: true })
  const endedAt = Date.now()
  const name = route === unknownRoute ? route : route.slice(1)
  const options = {
    kind: SpanKind.SERVER,
    startTime: endedAt - elapsedMs,
    attributes: {
      'rpc.method': name,
      'http.response.status_code': status,
      'portcullis.outcome': outcome,
      'portcullis.code': code ?? 'ok',
      'portcullis.request_id': requestId,
    },
  }
  const span = tracer.startSpan(name, options, context)
  if (outcome === 'error') span.setStatus({ code: SpanStatusCode.ERROR })
  span.end(endedAt)
  return span.spanContext()
}

function headersFrom(file: string | undefined, production: boolean): Readonly<Record<string, string>> {
  if (file === undefined) return {}
  const text = readSecretFile('telemetry.otlp.headersFile', file, production).secret?.reveal() ?? ''
  const lines = text.split('\n').flatMap((line) => {
    const colon = line.indexOf(':')
    return colon > 0 ? [[line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()] as const] : []
  })
  return Object.fromEntries(lines)
}
