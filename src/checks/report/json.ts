import type { Finding } from '../fingerprint.ts'
import type { Result } from '../run.ts'
import { summaryOf, type Report } from './report.ts'

/** The report as SURFACES "Machine output" fixes it; what is not fixed there may grow. */
export function jsonReport(report: Report): string {
  const { tool, target, startedAt, durationMs, results, controls } = report
  return JSON.stringify({
    version: 1,
    tool,
    target,
    startedAt: startedAt.toISOString(),
    durationMs,
    summary: summaryOf(report),
    results: results.map(resultJson),
    controls: controls.map(({ control, outcome, checks }) => ({ id: control.id, outcome, checks })),
  })
}

function resultJson({ check, control, severity, outcome, evidence, fingerprint }: Result): object {
  return {
    id: check.id,
    control: control.id,
    title: check.title,
    outcome,
    severity,
    message: messageOf(evidence, check.title),
    remediation: control.remediation,
    evidence: evidence.map(evidenceJson),
    fingerprint,
  }
}

function evidenceJson({ source, outcome, path, line, column, detail, confidence, fingerprint, fix }: Finding): object {
  return {
    source,
    outcome,
    path,
    line,
    column,
    detail,
    confidence,
    fingerprint,
    fix: fix === undefined ? undefined : { safety: fix.safety, description: fix.description, risk: fix.risk },
  }
}

/** One sentence for the whole result: the first of its worst findings, and how many more there are. */
export function messageOf(evidence: readonly Finding[], title: string): string {
  const [first] = evidence
  if (first === undefined) return `${title}.`
  const more = evidence.length - 1
  return more > 0 ? `${first.detail} (and ${more} more)` : first.detail
}
