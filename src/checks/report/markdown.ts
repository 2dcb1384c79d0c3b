import type { Finding } from '../fingerprint.ts'
import type { Result } from '../run.ts'
import { attention, counted, shown, targetOf, verdictOf, waived } from './findings.ts'
import { plain, uriOf } from './plain.ts'
import { summaryOf, type Report } from './report.ts'

// GitHub refuses a comment of more than 65,536 characters.
const charactersMax = 60_000
const findingsMax = 25

/** The report as GitHub Markdown, to be put under a pull request. */
export function markdownReport(report: Report): string {
  const { tool, startedAt, fixed = [] } = report
  const open = attention(report)
  const about = `portcullis ${text(tool.version)} · ${text(targetOf(report))} · ${startedAt.toISOString()}`
  const blocks = [
    `## Portcullis verify: ${text(verdictOf(report))}`,
    summaryTable(report),
    ...noticesOf(report),
    ...conflictsOf(report),
    ...open.map(resultBlock),
    ...folded(counted(waived(report).length, 'finding is waived', 'findings are waived'), waivedLines(report)),
    ...folded(
      counted(fixed.length, 'finding of the baseline is gone', 'findings of the baseline are gone'),
      fixed.map(
        ({ check, detail, path }) => `- ${code(check)} ${text(detail)}${path === undefined ? '' : ` ${code(path)}`}`,
      ),
    ),
  ]
  return `${[...fitting(blocks, about), `<sub>${about}</sub>`].join('\n\n')}\n`
}

function summaryTable(report: Report): string {
  const summary = Object.entries(summaryOf(report)).filter(([, count]) => count > 0)
  const cell = ([outcome]: readonly [string, number]): string => outcome.toUpperCase().replace('_', ' ')
  return [
    `| ${summary.map(cell).join(' | ')} |`,
    `|${summary.map(() => ' ---: |').join('')}`,
    `| ${summary.map(([, count]) => count).join(' | ')} |`,
  ].join('\n')
}

function noticesOf({ waivers }: Report): readonly string[] {
  if (waivers === undefined || waivers.notices.length === 0) return []
  const lines = waivers.notices.map(
    ({ kind, line, message }) => `- **${kind} waiver** ${link(waivers.path, line)} ${text(message)}`,
  )
  return [lines.join('\n')]
}

function conflictsOf({ controls }: Report): readonly string[] {
  const conflicts = controls.filter(({ outcome }) => outcome === 'CONFLICT')
  if (conflicts.length === 0) return []
  return [
    conflicts
      .map(({ control, checks }) => `- **CONFLICT** ${text(control.title)}: ${checks.join(' and ')} disagree.`)
      .join('\n'),
  ]
}

function resultBlock(result: Result): string {
  const { check, control, severity, outcome } = result
  const findings = shown(result)
  const lines = findings.slice(0, findingsMax).map(findingLine)
  const left = findings.length - lines.length
  return [
    `### ${outcome.replace('_', ' ')} · ${severity} · ${check.id} ${text(check.title)}`,
    [...lines, ...(left > 0 ? [`- … and ${left} more`] : [])].join('\n'),
    ...folded(`Why, and what to do`, [
      text(control.why),
      '',
      `**What to do.** ${control.remediation}`,
      '',
      ...control.references.map((reference) => `- <${reference}>`),
    ]),
  ].join('\n\n')
}

function findingLine(finding: Finding): string {
  const { path, line, detail, outcome, confidence, drift, fix } = finding
  const place = path === undefined ? '' : ` ${link(path, line)}`
  const marks = [
    ...(drift === undefined || drift === 'open' ? [] : [drift]),
    ...(confidence === 'high' ? [] : [`${confidence} confidence`]),
    ...(fix === undefined ? [] : [fix.safety === 'safe' ? '`--fix` mends it' : '`--fix=unsafe` mends it']),
  ]
  return `- ${outcome}${place} ${text(detail)}${marks.length === 0 ? '' : ` _(${marks.join(', ')})_`}`
}

function waivedLines(report: Report): readonly string[] {
  return waived(report).map(({ result, finding }) => {
    const { waiver, path, line } = finding
    const place = path === undefined ? '' : ` ${link(path, line)}`
    return `- ${result.check.id}${place} ${text(waiver?.reason ?? '')} (${text(waiver?.approver ?? '')}, until ${waiver?.expires})`
  })
}

function folded(summary: string, lines: readonly string[]): readonly string[] {
  if (lines.length === 0) return []
  return [`<details><summary>${summary}</summary>\n\n${lines.join('\n')}\n\n</details>`]
}

// As many blocks as fit, the worst ones first, and a word about the rest.
function fitting(blocks: readonly string[], about: string): readonly string[] {
  let left = charactersMax - about.length
  const kept = blocks.filter((block) => {
    left -= block.length + 2
    return left > 0
  })
  if (kept.length === blocks.length) return blocks
  return [...kept, `_The rest, ${blocks.length - kept.length} parts, is too long for a comment: see the full report._`]
}

function link(path: string, line: number | undefined): string {
  const named = line === undefined ? path : `${path}:${line}`
  // Parentheses would end the address.
  const address = uriOf(path).replaceAll(/[()']/g, (char) => `%${char.charCodeAt(0).toString(16)}`)
  return `[${code(named)}](${address}${line === undefined ? '' : `#L${line}`})`
}

/** Text as code: the fence is longer than any run of backticks in it. */
function code(content: string): string {
  const inner = plain(content)
  const longest = Math.max(0, ...Array.from(inner.matchAll(/`+/g), ([run]) => run.length))
  const fence = '`'.repeat(longest + 1)
  const pad = inner.startsWith('`') || inner.endsWith('`') ? ' ' : ''
  return `${fence}${pad}${inner}${pad}${fence}`
}

/**
 * Text as text: no markup, no HTML, and none of what GitHub makes links and mentions of by itself. Sentences quote code in single
 * backticks, which stay where they are paired.
 */
function text(content: string): string {
  const parts = plain(content).split('`')
  const paired = parts.length % 2 === 1
  return parts
    .map((part, index) => {
      if (index % 2 === 1 && paired) return code(part === '' ? ' ' : part)
      const before = index > 0 && !paired ? '\\`' : ''
      return before + escaped(part)
    })
    .join('')
}

function escaped(part: string): string {
  return part
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll(/[\\*_{}[\]()#+!|~]/g, String.raw`\$&`)
    .replaceAll('@', '@<!-- -->')
    .replaceAll('://', ':<!-- -->//')
    .replaceAll(/\bwww\./gi, '$&<!-- -->')
}
