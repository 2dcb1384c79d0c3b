import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-http'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import type { Resource } from '@opentelemetry/resources'
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs'
import { PeriodicExportingMetricReader, type MetricReader } from '@opentelemetry/sdk-metrics'
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import type { Logger } from 'pino'
import type { Config } from '#config'
import { boundedAgent, headerLines, SecretFile } from '#core'
import { version } from '../version.ts'
import { auditFields } from './audit-line.ts'
import type { Decided } from './decided.ts'
import { ExportOutage } from './export-outage.ts'
import { logRecordOf } from './log-record.ts'
import { writeSpans } from './spans.ts'

/** What goes to an OpenTelemetry collector; undefined where none is set, so that a decision costs nothing. */
export interface Otlp {
  readonly metrics: MetricReader
  /** The spans of the call, and its audit line as a log record. */
  decided(decided: Decided): void
  /** One line of the log, as it was written. */
  line(line: string): void
  close(): Promise<void>
}

const metricsEveryMs = 15_000
const infoSeverity = 9

/** Queues of the SDK are bounded: what the collector does not take in time is dropped, and no call waits for it. */
export function makeOtlp({ telemetry }: Config, resource: Resource, log: Logger): Otlp | undefined {
  const { otlp } = telemetry
  if (otlp === undefined) return undefined
  const { timeoutMs, tracePercent } = otlp
  const file = otlp.headersFile === undefined ? undefined : new SecretFile(otlp.headersFile)
  const outage = new ExportOutage(log)
  const to = (signal: string) => ({
    url: `${otlp.endpoint.replace(/\/+$/, '')}/v1/${signal}`,
    // Read again when it has changed.
    headers: async () => (file === undefined ? {} : { ...headerLines((await file.read()).reveal()) }),
    timeoutMillis: timeoutMs,
    concurrencyLimit: 2,
    // The exporters bring an HTTP of their own, without a bound that we would vouch for.
    httpAgentOptions: (protocol: string) => boundedAgent(protocol, { allowPrivate: true, deadlineMs: timeoutMs }),
  })
  const spans = new BatchSpanProcessor({ exporter: outage.watch('traces', new OTLPTraceExporter(to('traces'))) })
  const traces = new TracerProvider({
    resource,
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(tracePercent / 100) }),
    spanProcessors: [spans],
  })
  const records = new BatchLogRecordProcessor({ exporter: outage.watch('logs', new OTLPLogExporter(to('logs'))) })
  const logs = new LoggerProvider({ resource, processors: [records] })
  const audits = logs.getLogger('portcullis.authorization.audit', version)
  const lines = logs.getLogger('portcullis', version)
  const tracer = traces.getTracer('portcullis', version)
  return {
    metrics: new PeriodicExportingMetricReader({
      exporter: outage.watch('metrics', new OTLPMetricExporter(to('metrics'))),
      exportIntervalMillis: metricsEveryMs,
      exportTimeoutMillis: Math.min(timeoutMs, metricsEveryMs),
    }),
    decided: (decided) => {
      const { traceId, context } = writeSpans(tracer, decided)
      audits.emit({
        context,
        severityNumber: infoSeverity,
        severityText: 'INFO',
        body: 'portcullis authorization audit',
        attributes: { ...auditFields(decided), traceId },
      })
    },
    line: (line) => {
      const record = logRecordOf(line)
      if (record !== undefined) lines.emit({ ...record, attributes: { ...record.attributes } })
    },
    close: async () => {
      // The error of a collector that is away is not ours.
      await Promise.allSettled([traces.shutdown(), logs.shutdown()])
    },
  }
}
