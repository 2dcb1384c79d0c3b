import type { Logger } from 'pino'
import type { Config } from '#config'
import { writeAuditLine } from './audit-line.ts'
import type { Decided } from './decided.ts'
import { makeForwarders } from './forwarders.ts'
import { Metrics } from './metrics.ts'
import { makeOtlp } from './otlp.ts'

export interface Telemetry {
  readonly metrics: Metrics
  /** Counts and tells of one decision. Never throws, never waits. */
  readonly told: (decided: Decided) => void
  close(): Promise<void>
}

/** Everything that watches this process from outside, by its settings. */
export function makeTelemetry(config: Config, log: Logger): Telemetry {
  const otlp = makeOtlp(config)
  const metrics = new Metrics(otlp === undefined ? [] : [otlp.metrics])
  const forwarders = makeForwarders(config, log, metrics)
  const told = (decided: Decided): void => {
    try {
      metrics.decided(decided)
      writeAuditLine(log, decided)
      otlp?.decided(decided)
      forwarders?.give(decided)
    } catch (error) {
      log.error({ event: 'telemetry.failed', err: error }, 'a decision could not be told')
    }
  }
  return {
    metrics,
    told,
    close: async () => {
      await Promise.allSettled([otlp?.close(), forwarders?.close(), metrics.close()])
    },
  }
}
