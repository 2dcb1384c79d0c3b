import * as z from 'zod'
import { parseTarget } from '#core'
import { filePath, flag, integer, optionalSection, parsedText, section, type FieldMeta } from './fields.ts'
import { telemetryRetention } from './telemetry-retention.ts'

const forwardersMax = 16

const forwarder = z.strictObject({
  kind: z.enum(['datadog', 'posthog', 'http']),
  url: parsedText(parseOwnTarget),
  tokenFile: z.string().min(1).optional(),
})

export const telemetry = section('What is told to systems that watch this one.', {
  prometheus: flag(true, 'Serve `/metrics` on the management listener.'),
  otlp: optionalSection('Metrics, traces and logs to an OpenTelemetry collector, OTLP over HTTP.', {
    endpoint: parsedText(parseOwnTarget).meta({
      description: 'The collector; `/v1/traces`, `/v1/metrics` and `/v1/logs` are added to it.',
      form: 'a URL such as http://127.0.0.1:4318',
    } satisfies FieldMeta),
    headersFile: filePath('A file of headers to send, one `name: value` in each line. Read again when it changes.'),
    timeoutMs: integer(5_000, 100, 60_000, 'Time for one export.'),
    tracePercent: integer(100, 0, 100, 'Share of calls that begin a trace; a caller that sends `traceparent` decides.'),
  }),
  retention: telemetryRetention,
  forwarders: z
    .array(forwarder)
    .max(forwardersMax)
    .default([])
    .meta({
      description:
        'Where events of authorization decisions go: each has `kind` (datadog, posthog, http), `url` and `tokenFile`.',
      form: 'a list of forwarders, each with kind, url and tokenFile, in the settings file',
    } satisfies FieldMeta),
  spillDir: z
    .string()
    .min(1)
    .optional()
    .meta({
      description:
        'A folder that keeps the events of forwarders while their targets are away; without it they are lost.',
      form: 'the name of a folder',
      filePath: true,
    } satisfies FieldMeta),
})

export const debug = section('A listener for profiles and statistics, on 127.0.0.1 only.', {
  port: z
    .int()
    .min(0)
    .max(65_535)
    .optional()
    .meta({ description: 'Its port, 0 for any free one; off without.', form: 'a port' } satisfies FieldMeta),
  tokenFile: filePath(
    'A file with the token that each request must carry in `X-Debug-Token` in production; an empty token lets nobody in.',
  ),
})

/** Systems that watch this one are often beside it. Metadata addresses are refused all the same. */
function parseOwnTarget(text: string): void {
  parseTarget(text, { allowPrivate: true, allowHttp: true })
}
