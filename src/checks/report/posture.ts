import { createHash } from 'node:crypto'
import { summaryOf, type Report, type Summary } from './report.ts'

/** A report as PostureService.RecordReport takes it, in JSON names. */
export interface PostureReport {
  readonly reportSha256: string
  readonly toolVersion: string
  readonly target: string
  readonly startedAt: string
  readonly summary: Omit<Summary, 'not_applicable'> & { readonly notApplicable: number }
  readonly findings: readonly {
    readonly check: string
    readonly control: string
    readonly outcome: string
    readonly severity: string
    readonly fingerprint: string
    readonly path: string
    readonly line: number
    readonly detail: string
  }[]
  readonly findingsLeftOut: number
}

const findingsMax = 1000
const pathMax = 500
const detailMax = 500

/** What is recorded of a report: the SHA-256 over `json`, its text as `verify --format json` prints it, and what was found. */
export function postureReport(report: Report, json: string): PostureReport {
  const { not_applicable: notApplicable, ...summary } = summaryOf(report)
  const findings = report.results.flatMap(({ check, control, severity, evidence }) =>
    evidence
      .filter(({ outcome }) => outcome !== 'PASS' && outcome !== 'NOT_APPLICABLE')
      .map(({ outcome, fingerprint, path = '', line = 0, detail }) => ({
        check: check.id,
        control: control.id,
        outcome,
        severity,
        fingerprint,
        path: cut(path, pathMax),
        line,
        detail: cut(detail, detailMax),
      })),
  )
  return {
    reportSha256: createHash('sha256').update(json).digest('hex'),
    toolVersion: report.tool.version,
    target: cut(Object.values(report.target).join(' '), pathMax),
    startedAt: report.startedAt.toISOString(),
    summary: { ...summary, notApplicable },
    findings: findings.slice(0, findingsMax),
    findingsLeftOut: Math.max(0, findings.length - findingsMax),
  }
}

// NUL and lone surrogates are refused by the server; names of files may hold them.
function cut(text: string, max: number): string {
  const clean = text.replaceAll('\0', '\uFFFD').toWellFormed()
  return clean.length > max ? `${clean.slice(0, max - 1).toWellFormed()}…` : clean
}
