import { controls } from '../controls/index.ts'
import { targetOf } from './findings.ts'
import { plain, quietJson } from './plain.ts'
import type { Report, WaiverNotice } from './report.ts'
import { absentResult, locationOf, messageOf, namedFile, rootId, sarifResults } from './sarif-results.ts'
import { descriptorOf, rulesOf, type Rule } from './sarif-rules.ts'

// Code scanning refuses a run with more results; of those it keeps the 5,000 worst.
const resultsMax = 25_000

/** The report as SARIF 2.1.0: every rule declared, also those that are silent. */
export function sarifReport(report: Report): string {
  const { tool, target, fixed } = report
  const rules = rulesOf([...controls, ...report.results.map(({ control }) => control)])
  const found = [
    ...sarifResults(report.results, rules, target, fixed !== undefined),
    ...(fixed ?? []).map((each) => absentResult(each, rules, target)),
  ]
  return quietJson({
    $schema: 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: tool.name,
            version: tool.version,
            semanticVersion: tool.version,
            shortDescription: { text: 'Checks that a repository, its settings and a running deployment are hardened.' },
            isComprehensive: true,
            rules: [...rules.values()].map(descriptorOf),
          },
        },
        automationDetails: { id: `portcullis/verify/${sourcesOf(target).join('+')}/` },
        originalUriBaseIds: { [rootId]: { description: { text: `What was looked at: ${plain(targetOf(report))}` } } },
        columnKind: 'utf16CodeUnits',
        invocations: [invocationOf(report, rules, found.length)],
        results: found.slice(0, resultsMax),
      },
    ],
  })
}

function sourcesOf({ repo, config, url }: Report['target']): readonly string[] {
  const sources = { repo, config, live: url }
  return Object.entries(sources).flatMap(([source, named]) => (named === undefined ? [] : [source]))
}

// What `exitCode` means, as docs/verify.md has it.
const exits: Readonly<Record<number, string>> = {
  0: 'Nothing was found at or above the severity that fails the run.',
  1: 'There are findings at or above the severity that fails the run.',
  3: 'Nothing was evaluated.',
  4: 'Something could not be looked at.',
  5: 'A waiver has expired or is invalid.',
}

function invocationOf(report: Report, rules: ReadonlyMap<string, Rule>, found: number): object {
  const { startedAt, durationMs, exitCode, results, waivers } = report
  const ran = new Set(results.map(({ check }) => check.id))
  const errors = errorsOf(report, rules)
  const left = found - resultsMax
  const truncated = {
    level: 'warning',
    message: { text: `${left} results are left out: this format takes ${resultsMax}.` },
  }
  return {
    // Where something could not be looked at, the run as a whole did not succeed.
    executionSuccessful: errors.length === 0,
    exitCode,
    exitCodeDescription: exits[exitCode],
    startTimeUtc: startedAt.toISOString(),
    endTimeUtc: new Date(startedAt.getTime() + durationMs).toISOString(),
    // The rules whose source was not asked for.
    ruleConfigurationOverrides: [...rules.values()]
      .filter(({ check }) => !ran.has(check.id))
      .map(({ check, index }) => ({ descriptor: { id: check.id, index }, configuration: { enabled: false } })),
    toolExecutionNotifications: left > 0 ? [...errors, truncated] : errors,
    toolConfigurationNotifications: (waivers?.notices ?? []).map((notice) => noticeOf(notice, waivers?.path ?? '')),
  }
}

function errorsOf({ results, target }: Report, rules: ReadonlyMap<string, Rule>): readonly object[] {
  return results.flatMap(({ check, evidence }) =>
    evidence
      .filter(({ outcome, waiver }) => (waiver?.outcome ?? outcome) === 'ERROR')
      .map((finding) => ({
        level: 'error',
        message: messageOf(finding.detail),
        locations: [locationOf(finding, target)],
        associatedRule: { id: check.id, index: rules.get(check.id)?.index },
      })),
  )
}

function noticeOf({ kind, line, column, message }: WaiverNotice, path: string): object {
  return {
    level: kind === 'unused' ? 'warning' : 'error',
    message: messageOf(message),
    locations: [
      {
        physicalLocation: {
          artifactLocation: namedFile(path),
          region: { startLine: line, startColumn: column },
        },
      },
    ],
  }
}
