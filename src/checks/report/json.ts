import type { Finding } from '../fingerprint.ts'
import { worst } from '../outcome.ts'
import type { Result } from '../run.ts'
import { quietJson } from './plain.ts'
import { summaryOf, type Report } from './report.ts'

/** The report as SURFACES "Machine output" fixes it; what is not fixed there may grow. */
export function jsonReport(report: Report): string {
  const { tool, target, startedAt, durationMs, failOn, exitCode, results, controls, waivers, fixed } = report
  return quietJson({
    version: 1,
    tool,
    target,
    startedAt: startedAt.toISOString(),
    durationMs,
    failOn,
    exitCode,
    summary: summaryOf(report),
    results: results.map(resultJson),
    controls: controls.map(({ control, outcome, checks }) => ({ id: control.id, outcome, checks })),
    waivers,
    fixed,
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

function evidenceJson(finding: Finding): object {
  // What it is bound to is in the fingerprint already, and may be long.
  const { subject: _, ...rest } = finding
  return rest
}

/** One sentence for the whole result: the first of its worst findings, and how many more there are. */
export function messageOf(evidence: readonly Finding[], title: string): string {
  const found = worst(evidence.map(({ outcome }) => outcome))
  const findings = evidence.filter(({ outcome }) => outcome !== 'PASS')
  const first = evidence.find(({ outcome }) => outcome === found)
  if (first === undefined) return `${title}.`
  return findings.length > 1 ? `${first.detail} (and ${findings.length - 1} more)` : first.detail
}
