import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Config } from '#config'
import { watchLines } from '../log.ts'
import { writeAuditLine } from './audit-line.ts'
import type { Decided } from './decided.ts'
import { makeForwarders } from './forwarders.ts'
import { Metrics } from './metrics.ts'
import { makeOtlp } from './otlp.ts'
import { resourceOf, workerOf } from './resource.ts'

export interface Telemetry {
  readonly metrics: Metrics
  /** Counts and tells of one decision. Never throws, never waits. */
  readonly told: (decided: Decided) => void
  /** Whether times within a call are of use to somebody. */
  readonly timed: boolean
  close(): Promise<void>
}

const exportMs = 3_000

/** Everything that watches this process from outside, by its settings. */
export function makeTelemetry(config: Config, log: Logger): Telemetry {
  const resource = resourceOf(workerOf(process.env))
  const otlp = makeOtlp(config, resource, log)
  const metrics = new Metrics(otlp === undefined ? [] : [otlp.metrics], resource)
  const unwatch = otlp === undefined ? undefined : watchLines(log, (line) => otlp.line(line))
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
    timed: otlp !== undefined,
    close: async () => {
      unwatch?.()
      // An exporter of the SDK goes on trying for as long as it has batches: that must not hold up the stop.
      const late = new AbortController()
      const exported = Promise.allSettled([otlp?.close(), metrics.close()])
      const given = delay(exportMs, undefined, { signal: late.signal }).catch(() => undefined)
      await Promise.all([Promise.race([exported, given]), forwarders?.close()])
      late.abort()
    },
  }
}
