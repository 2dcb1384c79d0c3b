import { outcomes, type Outcome } from '../outcome.ts'
import { verdicts, type ControlVerdict, type Result } from '../run.ts'

/** What a run was asked to look at. */
export interface ReportTarget {
  readonly repo?: string
  readonly config?: string
  readonly url?: string
}

/** Everything that the reports are made from. */
export interface Report {
  readonly tool: { readonly name: 'portcullis'; readonly version: string }
  readonly target: ReportTarget
  readonly startedAt: Date
  readonly durationMs: number
  readonly results: readonly Result[]
  readonly controls: readonly ControlVerdict[]
}

export function buildReport(base: Omit<Report, 'controls'>): Report {
  return { ...base, controls: verdicts(base.results) }
}

export type Summary = Readonly<Record<Lowercase<Outcome>, number>>

/** How many checks came out as what; `conflict` counts controls whose sources disagree. */
export function summaryOf({ results, controls }: Pick<Report, 'results' | 'controls'>): Summary {
  const count = (outcome: Outcome): number =>
    outcome === 'CONFLICT'
      ? controls.filter((each) => each.outcome === 'CONFLICT').length
      : results.filter((each) => each.outcome === outcome).length
  return Object.fromEntries(outcomes.map((outcome) => [outcome.toLowerCase(), count(outcome)])) as Summary
}
