import type { Finding } from '../fingerprint.ts'
import { outcomes, severities, type Outcome } from '../outcome.ts'
import type { Result } from '../run.ts'
import { summaryOf, type Report } from './report.ts'

/** Results a reader has to do something about, worst first: by outcome, then by severity. */
export function attention(report: Report): readonly Result[] {
  return report.results.filter(({ outcome }) => needsAttention(outcome)).toSorted(byWeight)
}

/** Findings of a result that are to be shown: not each place where it holds. */
export function shown({ evidence }: Result): readonly Finding[] {
  return evidence
    .filter(({ outcome }) => outcome !== 'PASS')
    .toSorted((a, b) => outcomes.indexOf(a.outcome) - outcomes.indexOf(b.outcome) || age(a) - age(b))
}

// What is there since the baseline comes first: a long list must not hide it.
function age({ drift }: Finding): number {
  return drift === 'new' || drift === 'regressed' ? 0 : 1
}

/** The waived findings with their results. */
export function waived(report: Report): readonly { readonly result: Result; readonly finding: Finding }[] {
  return report.results.flatMap((result) =>
    result.evidence.filter(({ waiver }) => waiver !== undefined).map((finding) => ({ result, finding })),
  )
}

/** One sentence: how the run came out. */
export function verdictOf(report: Report): string {
  const { fail, conflict, error, unknown, warn } = summaryOf(report)
  if (report.exitCode === 5) return 'A waiver has expired or is invalid'
  if (fail + conflict > 0) return counted(fail + conflict, 'check does not hold', 'checks do not hold')
  if (error + unknown > 0) return counted(error + unknown, 'check could not look', 'checks could not look')
  if (report.exitCode === 3) return 'Nothing was evaluated'
  const accepted = waived(report).length
  const but = accepted === 0 ? '' : `, but for ${counted(accepted, 'finding that is', 'findings that are')} waived`
  const holds = `Everything that was looked at holds${but}`
  return warn === 0 ? holds : `${holds}, ${counted(warn, 'check is', 'checks are')} worth a look`
}

/** The target in words, as it was named. */
export function targetOf({ target }: Report): string {
  const named = [target.repo, target.config, target.url].filter((each) => each !== undefined)
  return named.length === 0 ? 'nothing' : named.join(', ')
}

export function counted(count: number, one: string, more: string): string {
  return `${count} ${count === 1 ? one : more}`
}

function needsAttention(outcome: Outcome): boolean {
  return outcome !== 'PASS' && outcome !== 'NOT_APPLICABLE' && outcome !== 'WAIVED'
}

function byWeight(a: Result, b: Result): number {
  const outcome = outcomes.indexOf(a.outcome) - outcomes.indexOf(b.outcome)
  return outcome === 0 ? severities.indexOf(a.severity) - severities.indexOf(b.severity) : outcome
}
