import { styleText } from 'node:util'
import type { Finding } from '../fingerprint.ts'
import type { Outcome } from '../outcome.ts'
import type { Result } from '../run.ts'
import { attention, counted, shown, targetOf, verdictOf, waived } from './findings.ts'
import { placeOf, plain } from './plain.ts'
import { summaryOf, type Report } from './report.ts'

const findingsMax = 40

/** The report for a terminal: worst first, each with the next thing to do. */
export function textReport(report: Report, { colours }: { readonly colours: boolean }): string {
  const paint = painter(colours)
  const blocks = [
    ...attention(report).flatMap((result) => resultBlock(result, paint)),
    ...conflictBlocks(report, paint),
    ...errorBlock(report, paint),
    ...waivedBlock(report, paint),
    ...noticeBlock(report, paint),
    ...fixedBlock(report, paint),
    ...quietBlock(report, paint),
    [
      `${paint.bold(`${verdictOf(report)}.`)} ${summaryLine(report)}`,
      ...countingLines(report, paint),
      ...nextLines(report),
    ],
  ]
  return `${blocks.map((lines) => lines.join('\n')).join('\n\n')}\n`
}

type Style = (text: string) => string
type Paint = Readonly<Record<'bold' | 'dim' | 'red' | 'yellow' | 'green', Style>>

function painter(colours: boolean): Paint {
  const style =
    (format: keyof Paint): Style =>
    (text) =>
      colours ? styleText(format, text, { validateStream: false }) : text
  return { bold: style('bold'), dim: style('dim'), red: style('red'), yellow: style('yellow'), green: style('green') }
}

// A line end in the name of a file stays visible: a blank would be another file.
function placeText(finding: Finding): string {
  return plain(placeOf(finding).replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t'))
}

function head(outcome: Outcome, text: string, paint: Paint): string {
  const colour = outcome === 'FAIL' || outcome === 'CONFLICT' || outcome === 'ERROR' ? paint.red : paint.yellow
  return `${colour(outcome)} ${text}`
}

// Errors stand by themselves: one unreadable file is one thing to do, however many checks needed it.
function resultBlock(result: Result, paint: Paint): readonly (readonly string[])[] {
  const { check, control, severity } = result
  const findings = shown(result).filter(({ outcome }) => !['ERROR', 'WAIVED', 'NOT_APPLICABLE'].includes(outcome))
  const [worst] = findings
  if (worst === undefined) return []
  const left = findings.length - findingsMax
  return [
    [
      `${head(worst.outcome, severity, paint)}  ${paint.bold(`${check.id} ${plain(check.title)}`)}  ${paint.dim(control.id)}`,
      ...findingsLines(findings.slice(0, findingsMax), worst.outcome, paint),
      ...(left > 0 ? [`  … and ${left} more; --format json names them all`] : []),
      `  ${paint.dim('why:')} ${plain(control.why)}`,
      `  ${paint.dim('to do:')} ${worst.outcome === 'UNKNOWN' ? lookAgain : plain(control.remediation)}`,
    ],
  ]
}

const lookAgain = 'See to it that this can be looked at: nothing is known about it, and that is no pass.'

// One fix that is the same for findings one after the other is said once, behind them.
function findingsLines(findings: readonly Finding[], usual: Outcome, paint: Paint): readonly string[] {
  let alike = 0
  return findings.flatMap((finding, at) => {
    const said = fixText(finding)
    const option = optionOf(finding)
    alike += 1
    const line = findingLine(finding, usual, paint)
    const next = findings[at + 1]
    if (said !== undefined && next !== undefined && said === fixText(next) && option === optionOf(next)) return [line]
    const many = alike === 1 ? '' : `, the ${alike} above`
    alike = 0
    if (said === undefined) return [line]
    return [line, `    ${paint.dim(`${option}${many}:`)} ${said}`]
  })
}

function optionOf({ fix }: Finding): string {
  return fix?.safety === 'safe' ? '--fix' : '--fix=unsafe'
}

function fixText({ fix }: Finding): string | undefined {
  if (fix === undefined) return undefined
  return `${plain(fix.description)}${fix.risk === undefined ? '' : `. It may break something: ${plain(fix.risk)}`}`
}

function findingLine(finding: Finding, usual: Outcome, paint: Paint): string {
  const { detail, outcome, confidence, drift } = finding
  const place = placeText(finding)
  const marks = [
    ...(outcome === usual ? [] : [outcome]),
    ...(drift === undefined ? [] : [drift]),
    ...(confidence === 'high' ? [] : [`${confidence} confidence`]),
  ]
  const said = `${plain(detail)}${marks.length === 0 ? '' : paint.dim(` (${marks.join(', ')})`)}`
  return `  ${place === '' ? '' : `${paint.bold(place)}  `}${said}`
}

function conflictBlocks({ controls, results }: Report, paint: Paint): readonly (readonly string[])[] {
  return controls
    .filter(({ outcome }) => outcome === 'CONFLICT')
    .map(({ control }) => [
      `${head('CONFLICT', control.severity, paint)}  ${paint.bold(plain(control.title))}  ${paint.dim(control.id)}`,
      ...results
        .filter((result) => result.control === control)
        .map(({ check, outcome }) => `  ${check.id} (${check.source}) says ${outcome}: ${plain(check.title)}`),
      `  ${paint.dim('to do:')} Find out which of them looks at the wrong thing: what runs is not what was configured.`,
    ])
}

function errorBlock({ results }: Report, paint: Paint): readonly (readonly string[])[] {
  const byPlace = new Map<string, string[]>()
  for (const { check, evidence } of results)
    for (const finding of evidence.filter(({ outcome }) => outcome === 'ERROR')) {
      const place = placeText(finding)
      const line = `${place === '' ? '' : `${paint.bold(place)}  `}${plain(finding.detail)}`
      byPlace.set(line, [...(byPlace.get(line) ?? []), check.id])
    }
  if (byPlace.size === 0) return []
  return [
    [
      head('ERROR', paint.bold('could not be looked at'), paint),
      ...[...byPlace].map(([line, ids]) => `  ${line} ${paint.dim(`(needed by ${ids.toSorted().join(' ')})`)}`),
      `  ${paint.dim('to do:')} Repair what could not be read: nothing is known about it.`,
    ],
  ]
}

function waivedBlock(report: Report, paint: Paint): readonly (readonly string[])[] {
  const all = waived(report)
  if (all.length === 0) return []
  return [
    [
      head('WAIVED', paint.bold(counted(all.length, 'finding', 'findings')), paint),
      ...all.map(({ result, finding }) => {
        const { reason = '', approver = '', expires = '', ticket } = finding.waiver ?? {}
        const place = placeText(finding)
        const by = `${approver}, until ${expires}${ticket === undefined ? '' : `, ${ticket}`}`
        return `  ${result.check.id}${place === '' ? '' : ` ${place}`}  ${plain(reason)} ${paint.dim(`(${plain(by)})`)}`
      }),
    ],
  ]
}

function noticeBlock({ waivers }: Report, paint: Paint): readonly (readonly string[])[] {
  if (waivers === undefined || waivers.notices.length === 0) return []
  return [
    waivers.notices.map(({ kind, line, column, message }) => {
      const colour = kind === 'unused' ? paint.yellow : paint.red
      return `${colour(`${kind.toUpperCase()} WAIVER`)} ${plain(`${waivers.path}:${line}:${column}`)}  ${plain(message)}`
    }),
  ]
}

function fixedBlock({ fixed }: Report, paint: Paint): readonly (readonly string[])[] {
  if (fixed === undefined || fixed.length === 0) return []
  return [
    [
      `${paint.green('FIXED')} ${paint.bold(`${counted(fixed.length, 'finding', 'findings')} of the baseline`)}`,
      ...fixed.map(
        ({ check, path, detail }) => `  ${check}${path === undefined ? '' : ` ${plain(path)}`}  ${plain(detail)}`,
      ),
    ],
  ]
}

// What holds, and what there was nothing to look at for, in as few lines as that takes.
function quietBlock({ results }: Report, paint: Paint): readonly (readonly string[])[] {
  const holds = results.filter(({ outcome }) => outcome === 'PASS').map(({ check }) => check.id)
  const reasons = new Map<string, string[]>()
  for (const { check, outcome, evidence } of results.filter((each) => each.outcome === 'NOT_APPLICABLE')) {
    const why = evidence.find((each) => each.outcome === outcome)?.detail ?? ''
    reasons.set(why, [...(reasons.get(why) ?? []), check.id])
  }
  const lines = [
    ...(holds.length === 0 ? [] : [`${paint.green('PASS')} ${holds.toSorted().join(' ')}`]),
    ...[...reasons].map(([why, ids]) => paint.dim(`NOT APPLICABLE ${ids.toSorted().join(' ')}: ${plain(why)}`)),
  ]
  return lines.length === 0 ? [] : [lines]
}

function summaryLine(report: Report): string {
  const counts = Object.entries(summaryOf(report)).filter(([, count]) => count > 0)
  const drift = report.fixed === undefined ? '' : ` ${driftLine(report)}`
  const target = targetOf(report) === '.' ? 'This folder' : targetOf(report)
  if (counts.length === 0) return `${target} has nothing that these checks are about.${drift}`
  return `${target}: ${counts.map(([name, count]) => `${count} ${name.toUpperCase().replace('_', ' ')}`).join(', ')}.${drift}`
}

function driftLine({ results, fixed = [] }: Report): string {
  const all = results.flatMap(({ evidence }) => evidence)
  const count = (drift: string): number => all.filter((finding) => finding.drift === drift).length
  return `Since the baseline: ${count('new')} new, ${count('regressed')} regressed, ${count('open')} open, ${fixed.length} fixed.`
}

// What the exit code is about, where a baseline leaves the rest out: it stands at the end, and not between what was open before.
function countingLines(report: Report, paint: Paint): readonly string[] {
  const counting = attention(report).flatMap((result) =>
    shown(result)
      .filter(isNewFault)
      .map(
        (finding) =>
          `${paint.red(finding.drift ?? '')} ${result.check.id} ${placeText(finding)}  ${plain(finding.detail)}`,
      ),
  )
  const left = counting.length - countingMax
  return [
    ...counting.slice(0, countingMax).map((line) => `  ${line}`),
    ...(left > 0 ? [`  … and ${left} more; --format json names them all`] : []),
  ]
}

const countingMax = 20

function isNewFault({ drift, outcome }: Finding): boolean {
  return (drift === 'new' || drift === 'regressed') && outcome === 'FAIL'
}

function nextLines(report: Report): readonly string[] {
  const told = attention(report).filter(({ outcome }) => outcome !== 'ERROR')
  const first = told.find(({ evidence }) => evidence.some(isNewFault)) ?? told[0]
  const fixes = report.results.flatMap(({ evidence }) =>
    evidence.flatMap(({ fix, outcome }) => (fix === undefined || outcome === 'WAIVED' ? [] : [fix.safety])),
  )
  const safe = fixes.filter((safety) => safety === 'safe').length
  return [
    ...(safe > 0 ? [`Next: --fix repairs ${counted(safe, 'finding', 'findings')} without breaking anything.`] : []),
    ...(safe === 0 && fixes.length > 0
      ? [`Next: --fix=unsafe repairs ${counted(fixes.length, 'finding', 'findings')}, and says what each may break.`]
      : []),
    ...(first === undefined ? [] : [`More about a check: portcullis verify explain ${first.check.id}`]),
  ]
}
