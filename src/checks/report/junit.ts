import type { Finding } from '../fingerprint.ts'
import type { Result } from '../run.ts'
import { messageOf } from './json.ts'
import { placeOf } from './plain.ts'
import type { Report } from './report.ts'

/** The report as JUnit XML: a suite for each control, a case for each of its checks. */
export function junitReport(report: Report): string {
  const suites = [...report.controls.map((verdict) => suiteOf(report, verdict)), ...waiverSuites(report)]
  const total = (count: (suite: Suite) => number): number => suites.reduce((sum, suite) => sum + count(suite), 0)
  const attributes = {
    name: `portcullis verify ${report.tool.version}`,
    tests: total(({ cases }) => cases.length),
    failures: total(counter('failure')),
    errors: total(counter('error')),
    skipped: total(counter('skipped')),
    time: (report.durationMs / 1000).toFixed(3),
    timestamp: report.startedAt.toISOString(),
  }
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element('testsuites', attributes, suites.map(suiteXml).join(''))}\n`
}

interface Suite {
  readonly name: string
  readonly cases: readonly Case[]
}

interface Case {
  readonly name: string
  readonly classname: string
  readonly file?: string | undefined
  readonly line?: number | undefined
  readonly ended?: 'failure' | 'error' | 'skipped' | undefined
  readonly type?: string
  readonly message: string
  readonly text: string
}

// What is worth a look without being broken stays a passing case that says so.
const ends: Readonly<Partial<Record<Result['outcome'], NonNullable<Case['ended']>>>> = {
  FAIL: 'failure',
  CONFLICT: 'failure',
  ERROR: 'error',
  UNKNOWN: 'error',
  MANUAL: 'skipped',
  WAIVED: 'skipped',
  NOT_APPLICABLE: 'skipped',
}

function suiteOf({ results }: Report, { control, outcome, checks }: Report['controls'][number]): Suite {
  const cases = results.filter((result) => result.control === control).map(caseOf)
  if (outcome !== 'CONFLICT') return { name: control.id, cases }
  const text = `${checks.join(', ')} disagree: one says that it holds, another one that it does not.`
  const conflict: Case = { name: 'sources agree', classname: control.id, ended: 'failure', message: text, text }
  return { name: control.id, cases: [...cases, { ...conflict, type: control.severity }] }
}

function caseOf({ check, control, severity, outcome, evidence }: Result): Case {
  const said = evidence.filter((each) => each.outcome !== 'PASS')
  const [first] = said
  return {
    name: `${check.id} ${check.title}`,
    classname: control.id,
    file: first?.path,
    line: first?.line,
    ended: ends[outcome],
    type: ends[outcome] === 'failure' ? severity : outcome,
    message: messageOf(said, check.title),
    text: said.length === 0 ? '' : [...said.map(lineOf), `What to do: ${control.remediation}`].join('\n'),
  }
}

function lineOf(finding: Finding): string {
  const { outcome, detail, waiver } = finding
  const by = waiver && ` Waived by ${waiver.approver} until ${waiver.expires}: ${waiver.reason}`
  return `${outcome} ${[placeOf(finding), detail].filter((part) => part !== '').join(' ')}${by ?? ''}`
}

// Waivers that are expired, invalid or unused are as loud here as anywhere else.
function waiverSuites({ waivers }: Report): readonly Suite[] {
  if (waivers === undefined || waivers.notices.length === 0) return []
  const cases = waivers.notices.map(({ kind, line, message }): Case => {
    const at = { classname: 'waivers', file: waivers.path, line }
    const ended = kind === 'unused' ? undefined : 'error'
    return { ...at, name: `${kind} waiver in line ${line}`, ended, type: kind, message, text: message }
  })
  return [{ name: 'waivers', cases }]
}

function counter(ended: Case['ended']): (suite: Suite) => number {
  return ({ cases }) => cases.filter((each) => each.ended === ended).length
}

function suiteXml(suite: Suite): string {
  const { name, cases } = suite
  const counts = { tests: cases.length, failures: counter('failure')(suite), errors: counter('error')(suite) }
  return `\n${element('testsuite', { name, ...counts, skipped: counter('skipped')(suite) }, cases.map(caseXml).join(''))}`
}

function caseXml({ name, classname, file, line, ended, type, message, text }: Case): string {
  const inner = ended === undefined ? systemOut(text) : element(ended, { type, message }, escaped(text))
  return `\n${element('testcase', { name, classname, file, line, time: '0' }, inner)}`
}

function systemOut(text: string): string {
  return text === '' ? '' : element('system-out', {}, escaped(text))
}

function element(
  name: string,
  attributes: Readonly<Record<string, string | number | undefined>>,
  inner: string,
): string {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${escaped(String(value))}"`)
    .join('')
  return inner === '' ? `<${name}${written}/>` : `<${name}${written}>${inner}</${name}>`
}

// XML 1.0 has no way to write most control characters, lone surrogates, U+FFFE and U+FFFF. Runners obey `##[command]` in a log.
function escaped(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/[^\t\n\r\u0020-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD')
    .replaceAll(/[&<>"'\t\n\r]|#(?=#)/g, (char) => `&#${char.charCodeAt(0)};`)
}
