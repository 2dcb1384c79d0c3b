import { exitCodeOf } from '../exit-code.ts'
import { outcomes, type Outcome, type Severity } from '../outcome.ts'
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
  readonly failOn: Severity
  /** What the process ends with. */
  readonly exitCode: number
  /** There where waivers were read. */
  readonly waivers?: WaiverUse
  /** There where a baseline was read: what it had found and is gone. What is left carries its `drift`. */
  readonly fixed?: readonly FixedFinding[]
}

/** What became of the waivers of a file. */
export interface WaiverUse {
  readonly path: string
  /** How many findings they waive. */
  readonly waived: number
  /** What is to be said loudly, in the order of the file. */
  readonly notices: readonly WaiverNotice[]
}

export interface WaiverNotice {
  /** Expired and invalid ones waive nothing and end the run with exit code 5; an unused one is a warning. */
  readonly kind: 'expired' | 'invalid' | 'unused'
  readonly line: number
  readonly column: number
  readonly message: string
}

/** A finding of the baseline that is not there any more. */
export interface FixedFinding {
  readonly check: string
  readonly fingerprint: string
  readonly detail: string
  readonly path?: string
}

type Base = Omit<Report, 'controls' | 'failOn' | 'exitCode'> & { readonly failOn?: Severity }

export function buildReport(base: Base): Report {
  const { failOn = 'medium', results, waivers, fixed } = base
  const controls = verdicts(results)
  const broken = waivers?.notices.some(({ kind }) => kind !== 'unused') ?? false
  const exitCode = exitCodeOf([...results.map(ofResult), ...controls.map(ofControl(results))], failOn, broken)
  return { ...base, failOn, controls, exitCode, ...(fixed === undefined ? {} : { fixed }) }
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

type Judged = Parameters<typeof exitCodeOf>[0][number]

function ofResult({ outcome, severity, evidence }: Result): Judged {
  const failing = evidence.filter((each) => each.outcome === 'FAIL')
  return { outcome, severity, known: failing.length > 0 && failing.every(({ drift }) => drift === 'open') }
}

function ofControl(results: readonly Result[]): (verdict: ControlVerdict) => Judged {
  return ({ control, outcome }) => {
    const own = results.filter((each) => each.control === control && each.outcome === 'FAIL').map(ofResult)
    return { outcome, severity: control.severity, known: own.length > 0 && own.every(({ known }) => known) }
  }
}
