import { atLeast, type Outcome, type Severity } from './outcome.ts'

/** The exit codes of `verify`, the same in every format (SPEC V1). */
export const verifyExit = { ok: 0, findings: 1, usage: 2, nothing: 3, unknown: 4, waivers: 5 } as const

interface Judged {
  readonly outcome: Outcome
  readonly severity: Severity
  /** All of it is in the baseline already: it counts for no exit code 1. */
  readonly known?: boolean
}

/** Where several hold, the first of 2, 5, 1, 4, 3; wrong use never gets here. */
export function exitCodeOf(judged: readonly Judged[], failOn: Severity, waiversBroken: boolean): number {
  const has = (...outcomes: readonly Outcome[]): boolean => judged.some(({ outcome }) => outcomes.includes(outcome))
  if (waiversBroken) return verifyExit.waivers
  const found = judged.some(
    ({ outcome, severity, known }) =>
      (outcome === 'FAIL' || outcome === 'CONFLICT') && known !== true && atLeast(severity, failOn),
  )
  if (found) return verifyExit.findings
  if (has('ERROR', 'UNKNOWN')) return verifyExit.unknown
  const evaluated = judged.some(({ outcome }) => outcome !== 'NOT_APPLICABLE')
  return evaluated ? verifyExit.ok : verifyExit.nothing
}
