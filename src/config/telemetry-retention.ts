import { integer, section } from './fields.ts'
import { problem, showValue, type Problem } from './problem.ts'

const dayMs = 86_400_000
// Three years: each day is a partition of its own, and to plan a query takes longer with each.
const daysMax = 1100

/** How long telemetry is kept (SPEC H7). */
export const telemetryRetention = section(
  'How long telemetry is kept, in days (UTC); older days are dropped whole. Totals and roll-ups by day stay. See [telemetry storage](../telemetry-storage.md).',
  {
    attemptsDays: integer(90, 1, daysMax, 'Days that prompt attempts are kept.'),
    eventsDays: integer(30, 1, daysMax, 'Days that run events are kept.'),
    benchmarksDays: integer(365, 1, daysMax, 'Days that benchmarks are kept.'),
    rollupHourDays: integer(400, 1, daysMax, 'Days that roll-ups by hour are kept; they go by whole months.'),
  },
)

const kept = {
  attemptsDays: { days: 90, what: 'Prompt attempts' },
  eventsDays: { days: 30, what: 'Run events' },
  benchmarksDays: { days: 365, what: 'Benchmarks' },
  rollupHourDays: { days: 400, what: 'Roll-ups by hour' },
} as const

export type TelemetryRetention = Readonly<Record<keyof typeof kept, number>>

/** What is kept for less time than by default goes for good at the next run: whoever shortens it is told what. */
export function telemetryRetentionIsSound({
  config,
  today,
}: {
  readonly config: { readonly telemetry: { readonly retention: TelemetryRetention } }
  /** A date, as in 2026-02-28. */
  readonly today: string
}): readonly Problem[] {
  return Object.entries(config.telemetry.retention).flatMap(([name, days]) => {
    const { days: usual, what } = kept[name as keyof typeof kept]
    if (days >= usual) return []
    const before = new Date(Date.parse(today) - days * dayMs).toISOString().slice(0, 10)
    const why = `${what} recorded before ${before} are dropped by the next daily run, and nothing brings them back.`
    const todo = 'Export first what you still need, or raise it.'
    return [problem(`telemetry.retention.${name}`, showValue(days), why, todo, 'warning')]
  })
}
