import type { Finding } from '../fingerprint.ts'
import type { Outcome } from '../outcome.ts'
import type { ControlVerdict, Result } from '../run.ts'
import { shown } from './findings.ts'
import { placeOf, plain, type Where } from './plain.ts'
import type { Report } from './report.ts'

/** One control with its claim, its checks and their evidence. */
export function controlSection({ results }: Report, { control, outcome, checks }: ControlVerdict): string {
  const own = results.filter((result) => result.control === control)
  const conflict =
    outcome === 'CONFLICT'
      ? `<p class="note loud">${checks.join(' and ')} disagree: one source says that it holds, another one that it does not.</p>`
      : ''
  const links = control.references.map((reference) => `<a href="${escaped(reference)}">${escaped(reference)}</a>`)
  return `<article class="control">
<div class="head">${outcomeTag(outcome)}<h3>${escaped(control.title)}</h3><span class="soft">${control.severity} · <code>${escaped(control.id)}</code></span></div>
<p>${withCode(control.why)}</p>
<p><strong>What to do.</strong> ${withCode(control.remediation)}</p>
${conflict}${own.map(checkPart).join('\n')}
<p class="soft references">${links.join('<br>')}</p>
</article>`
}

/** Text of any origin as content or as the value of an attribute. */
export function escaped(text: string): string {
  return plain(text).replaceAll(/[&<>"'`]/g, (char) => `&#${char.charCodeAt(0)};`)
}

/** A sentence whose parts in backticks are code. */
export function withCode(text: string): string {
  const parts = plain(text).split('`')
  if (parts.length % 2 === 0) return escaped(text)
  return parts.map((part, index) => (index % 2 === 1 ? `<code>${escaped(part)}</code>` : escaped(part))).join('')
}

export function placeHtml(at: Where): string {
  const place = placeOf(at)
  return place === '' ? '' : `<span class="place">${escaped(place)}</span>`
}

export function shade(outcome: Outcome): string {
  if (outcome === 'FAIL' || outcome === 'CONFLICT' || outcome === 'ERROR') return 'bad'
  if (outcome === 'UNKNOWN' || outcome === 'WARN') return 'warn'
  return outcome === 'PASS' ? 'good' : 'calm'
}

function outcomeTag(outcome: Outcome): string {
  return `<span class="outcome ${shade(outcome)}">${outcome.replace('_', ' ')}</span>`
}

function checkPart(result: Result): string {
  const { check, outcome } = result
  const findings = shown(result)
  const list = findings.length === 0 ? '' : `<ul class="findings">${findings.map(findingItem).join('\n')}</ul>`
  return `<h4>${check.id} ${escaped(check.title)} ${outcomeTag(outcome)} <span class="soft">${check.source}</span></h4>${list}`
}

function findingItem(finding: Finding): string {
  const { outcome, detail, confidence, drift, fix, waiver, fingerprint } = finding
  const marks = [
    `${confidence} confidence`,
    ...(drift === undefined ? [] : [`${drift} against the baseline`]),
    `fingerprint ${fingerprint}`,
  ]
  const mend =
    fix === undefined
      ? ''
      : `<div class="note">${fix.safety === 'safe' ? 'Safe fix' : 'Unsafe fix'}: ${withCode(fix.description)}${fix.risk === undefined ? '' : `. ${withCode(fix.risk)}`}</div>`
  const accepted =
    waiver === undefined
      ? ''
      : `<div class="note">Waived until ${escaped(waiver.expires)} by ${escaped(waiver.approver)}: ${escaped(waiver.reason)}${waiver.ticket === undefined ? '' : ` (${escaped(waiver.ticket)})`}</div>`
  return `<li>${placeHtml(finding)}${outcomeTag(outcome)} ${withCode(detail)}<div class="soft">${marks.join(' · ')}</div>${mend}${accepted}</li>`
}
