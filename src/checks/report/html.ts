import { createHash } from 'node:crypto'
import { outcomes, severities, type Outcome } from '../outcome.ts'
import type { ControlVerdict } from '../run.ts'
import { targetOf, verdictOf, waived } from './findings.ts'
import { controlSection, escaped, placeHtml, shade, withCode } from './html-parts.ts'
import { style } from './html-style.ts'
import { summaryOf, type Report } from './report.ts'

/** The report as one HTML file to be read, printed and kept: nothing is loaded and nothing runs. */
export function htmlReport(report: Report): string {
  const css = style.replace('FILTERS', filters)
  const digest = createHash('sha256').update(css).digest('base64')
  const shown = outcomes.filter((outcome) => report.controls.some((verdict) => verdict.outcome === outcome))
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-${digest}'; base-uri 'none'; form-action 'none'">
<meta name="referrer" content="no-referrer">
<title>${escaped(verdictOf(report))}: ${escaped(targetOf(report))}</title>
<style>${css}</style>
</head>
<body>
${outcomes.map((outcome) => `<span class="filter" id="only-${idOf(outcome)}"></span>`).join('')}
<header>
<h1>${escaped(verdictOf(report))}</h1>
${about(report)}
</header>
${tiles(report)}
${loud(report)}
<main>
${shown.map((outcome) => group(report, outcome)).join('\n')}
</main>
${waivers(report)}
${drift(report)}
<footer>portcullis ${escaped(report.tool.version)}. UNKNOWN and ERROR say that something could not be looked at: neither is a pass.</footer>
</body>
</html>
`
}

// Without a script: a link to one of the marks in front of the page hides the other groups.
const filters = outcomes
  .map((outcome) => `#only-${idOf(outcome)}:target ~ main .group:not(#${idOf(outcome)}) { display: none; }`)
  .join(' ')

function about(report: Report): string {
  const { tool, target, startedAt, durationMs, failOn, exitCode } = report
  const counts = Object.entries(summaryOf(report)).filter(([name, count]) => count > 0 && name !== 'conflict')
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['Repository', target.repo],
    ['Settings', target.config],
    ['Target', target.url],
    ['Looked at', `${startedAt.toISOString()}, for ${(durationMs / 1000).toFixed(1)} s`],
    ['Checks', counts.map(([name, count]) => `${count} ${name.replace('_', ' ')}`).join(', ')],
    ['Tool', `${tool.name} ${tool.version}`],
    ['Fails from', failOn],
    ['Exit code', String(exitCode)],
  ]
  const items = rows.map(([name, value]) => (value === undefined ? '' : `<dt>${name}</dt><dd>${escaped(value)}</dd>`))
  return `<dl>${items.join('')}</dl>`
}

function tiles({ controls }: Report): string {
  const byOutcome = Map.groupBy(controls, ({ outcome }) => outcome)
  const items = outcomes.flatMap((outcome) => {
    const count = byOutcome.get(outcome)?.length ?? 0
    if (count === 0) return []
    const label = `<strong class="${shade(outcome)}">${count}</strong><span>${outcome.replace('_', ' ')}</span>`
    return [`<li><a href="#only-${idOf(outcome)}">${label}</a></li>`]
  })
  return `<nav aria-label="Controls by outcome"><ul class="tiles">${items.join('')}</ul>
<p class="soft show-all">Controls by outcome; a number shows those alone. <a href="#">Show all</a></p></nav>`
}

// What makes the report itself doubtful comes before what it says.
function loud({ waivers: use }: Report): string {
  return (use?.notices ?? [])
    .map(({ kind, line, message }) => {
      const place = placeHtml({ path: use?.path ?? '', line })
      return `<p class="note ${kind === 'unused' ? '' : 'loud'}"><strong>${kind} waiver</strong> ${place} ${withCode(message)}</p>`
    })
    .join('\n')
}

function group(report: Report, outcome: Outcome): string {
  const own = report.controls
    .filter((verdict) => verdict.outcome === outcome)
    .toSorted((a, b) => severities.indexOf(a.control.severity) - severities.indexOf(b.control.severity))
  const inner =
    outcome === 'PASS' || outcome === 'NOT_APPLICABLE'
      ? quietTable(report, own)
      : own.map((verdict) => controlSection(report, verdict)).join('\n')
  return `<section class="group" id="${idOf(outcome)}"><h2>${headings[outcome]} (${own.length})</h2>\n${inner}</section>`
}

const headings: Readonly<Record<Outcome, string>> = {
  FAIL: 'Does not hold',
  CONFLICT: 'The sources disagree',
  ERROR: 'Could not be judged: errors',
  UNKNOWN: 'Could not be looked at',
  WARN: 'Worth a look',
  MANUAL: 'Attested by hand',
  WAIVED: 'Waived',
  NOT_APPLICABLE: 'Does not apply',
  PASS: 'Holds',
}

function quietTable({ results }: Report, own: readonly ControlVerdict[]): string {
  const rows = own.map(({ control, checks }) => {
    const said = results
      .filter((result) => result.control === control)
      .flatMap(({ evidence }) => evidence.map(({ detail }) => withCode(detail)))
    const why = said.length === 0 ? '' : `<br><span class="soft">${[...new Set(said)].slice(0, 5).join('<br>')}</span>`
    return `<tr><td>${escaped(control.title)}${why}</td><td><code>${escaped(control.id)}</code></td><td>${checks.join(', ')}</td><td>${control.severity}</td></tr>`
  })
  const head = '<tr><th>Control</th><th>Id</th><th>Checks</th><th>Severity</th></tr>'
  return `<div class="scroll"><table><thead>${head}</thead><tbody>${rows.join('\n')}</tbody></table></div>`
}

function waivers(report: Report): string {
  const all = waived(report)
  if (all.length === 0) return ''
  const rows = all.map(({ result, finding }) => {
    const { waiver } = finding
    const ticket = waiver?.ticket === undefined ? '' : ` (${escaped(waiver.ticket)})`
    return `<tr><td>${result.check.id}</td><td>${placeHtml(finding)}${withCode(finding.detail)}</td><td>${escaped(waiver?.reason ?? '')}${ticket}</td><td>${escaped(waiver?.approver ?? '')}</td><td class="date">${escaped(waiver?.expires ?? '')}</td></tr>`
  })
  const head = '<tr><th>Check</th><th>Finding</th><th>Reason</th><th>Approved by</th><th>Until</th></tr>'
  return `<section><h2>Waived findings (${all.length})</h2><div class="scroll"><table><thead>${head}</thead><tbody>${rows.join('\n')}</tbody></table></div></section>`
}

function drift({ results, fixed }: Report): string {
  if (fixed === undefined) return ''
  const findings = results.flatMap(({ evidence }) => evidence)
  const count = (kind: string): number => findings.filter((finding) => finding.drift === kind).length
  const gone = fixed.map(
    ({ check, detail, path }) => `<li><code>${escaped(check)}</code> ${placeHtml({ path })}${withCode(detail)}</li>`,
  )
  return `<section><h2>Against the baseline</h2>
<p>${count('new')} new, ${count('regressed')} regressed, ${count('open')} still open, ${fixed.length} fixed.</p>
${gone.length === 0 ? '' : `<h3>Fixed</h3><ul class="findings">${gone.join('')}</ul>`}</section>`
}

function idOf(outcome: Outcome): string {
  return outcome.toLowerCase().replace('_', '-')
}
