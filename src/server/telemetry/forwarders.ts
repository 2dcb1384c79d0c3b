import type { Logger } from 'pino'
import type { Config } from '#config'
import { Outbound, SecretFile } from '#core'
import { auditFields } from './audit-line.ts'
import { telemetryTargets } from './bounded-send.ts'
import type { Decided } from './decided.ts'
import { Forwarder, forwarderDefaults, type ForwardedEvent } from './forwarder.ts'
import type { Metrics } from './metrics.ts'
import { Spill, spillBounds } from './spill.ts'

type Kind = Config['telemetry']['forwarders'][number]['kind']

const sendDeadlineMs = 5_000

export interface Forwarders {
  give(decided: Decided): void
  close(): Promise<void>
}

/** The forwarders of the settings; undefined where there are none, so that a decision costs nothing. */
export function makeForwarders({ telemetry }: Config, log: Logger, metrics: Metrics): Forwarders | undefined {
  if (telemetry.forwarders.length === 0) return undefined
  const outbound = new Outbound({ ...telemetryTargets, deadlineMs: sendDeadlineMs })
  const all = telemetry.forwarders.map(({ kind, url, tokenFile }, index) => {
    const name = `${kind}-${index}`
    const file = tokenFile === undefined ? undefined : new SecretFile(tokenFile)
    const token = async (): Promise<string | undefined> => (await file?.read())?.reveal()
    return new Forwarder({
      name,
      target: {
        url,
        headers: async () => headersOf(kind, await token()),
        outbound,
        deadlineMs: sendDeadlineMs,
      },
      encode: async (events) => encode(kind, events, await token()),
      spill:
        telemetry.spillDir === undefined
          ? undefined
          : new Spill({ dir: telemetry.spillDir, prefix: name, ...spillBounds }),
      log,
      count: (result, events) => metrics.forwarded(name, result, events),
      ...forwarderDefaults,
    })
  })
  return {
    give: (decided) => {
      const event = { ...auditFields(decided), at: new Date().toISOString() }
      for (const one of all) one.give(event)
    },
    close: async () => {
      await Promise.all(all.map((one) => one.close()))
      await outbound.close()
    },
  }
}

function headersOf(kind: Kind, token: string | undefined): Readonly<Record<string, string>> {
  if (token === undefined || kind === 'posthog') return {}
  return kind === 'datadog' ? { 'dd-api-key': token } : { authorization: `Bearer ${token}` }
}

/** Datadog: logs intake v2. PostHog: batch capture. Anything else: `{"events":[…]}`. */
function encode(kind: Kind, events: readonly ForwardedEvent[], token = ''): string {
  switch (kind) {
    case 'datadog':
      return JSON.stringify(
        events.map((event) => ({ ddsource: 'portcullis', service: 'portcullis', message: auditMessage, ...event })),
      )
    case 'posthog':
      return JSON.stringify({
        api_key: token,
        batch: events.map(({ at, ...properties }) => ({
          event: auditMessage,
          timestamp: at,
          properties: { distinct_id: properties.subject, ...properties },
        })),
      })
    case 'http':
      return JSON.stringify({ events })
    default:
      return kind satisfies never
  }
}

const auditMessage = 'portcullis authorization audit'
