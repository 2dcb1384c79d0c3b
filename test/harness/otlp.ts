import { create, toBinary } from '@bufbuild/protobuf'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { randomBytes } from 'node:crypto'
import { SpanSchema } from '@portcullis/contract'

export const hex = (bytes: number): string => randomBytes(bytes).toString('hex')

/** One span in the JSON of OTLP: a call of a model that has just ended. */
export function spanJson(more: object = {}, attributes: readonly object[] = []) {
  return {
    traceId: hex(16),
    spanId: hex(8),
    name: 'chat m',
    kind: 3,
    startTimeUnixNano: `${Date.now() - 100}000000`,
    endTimeUnixNano: `${Date.now()}000000`,
    attributes: [
      { key: 'gen_ai.operation.name', value: { stringValue: 'chat' } },
      { key: 'gen_ai.request.model', value: { stringValue: 'm' } },
      ...attributes,
    ],
    ...more,
  }
}

export function exportOf(...spans: readonly unknown[]) {
  return { resourceSpans: [{ scopeSpans: [{ spans }] }] }
}

/** A length-delimited field of protobuf. */
export function nested(field: number, bytes: Buffer): Buffer {
  const head = [(field << 3) | 2]
  for (let rest = bytes.length; ; rest >>>= 7) {
    head.push(rest > 127 ? (rest & 127) | 128 : rest)
    if (rest <= 127) break
  }
  return Buffer.concat([Buffer.from(head), bytes])
}

export function spanBytes(span: object): Buffer {
  return Buffer.from(toBinary(SpanSchema, create(SpanSchema, span)))
}

/** A tracer of the official SDK whose spans go to the instance. */
export function sdk(url: string, key: string, service: string, compression: 'gzip' | 'none' = 'none') {
  const exporter = new OTLPTraceExporter({
    url: `${url}/v1/traces`,
    headers: { authorization: `Bearer ${key}` },
    compression: compression as never,
  })
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': service }),
    spanProcessors: [new BatchSpanProcessor({ exporter })],
  })
  return { tracer: provider.getTracer('test'), flush: () => provider.forceFlush(), end: () => provider.shutdown() }
}
