import { describe, expect, it } from 'vitest'
import type { Check, Control } from '../check.ts'
import type { Finding } from '../fingerprint.ts'
import { worst, type Source } from '../outcome.ts'
import type { Result } from '../run.ts'
import { commandReport, runnerCommand } from './report.fixture.ts'
import { buildReport, type Report } from './report.ts'
import { textReport } from './text.ts'

const control: Control = {
  id: 'edge.reflection-off',
  title: 'Reflection is off',
  severity: 'high',
  why: 'It shows everything.',
  remediation: 'Turn it off.',
  references: [],
  rows: [],
  checks: [],
}
const finding = (outcome: Finding['outcome'], more: Partial<Finding> = {}): Finding => ({
  outcome,
  source: 'repo',
  detail: 'Something is there.',
  confidence: 'high',
  subject: '',
  fingerprint: 'f',
  ...more,
})
function result(id: string, source: Source, ...evidence: readonly Finding[]): Result {
  const rule = () => Promise.resolve({ needs: {}, judge: () => [] })
  const check = { id, title: `${id} holds`, source, rule } as Check
  const outcome = worst(evidence.map((each) => each.outcome)) ?? 'PASS'
  return { check, control, severity: control.severity, outcome, evidence, fingerprint: 'f' }
}
function text(results: readonly Result[], more: Partial<Report> = {}): string {
  const tool = { name: 'portcullis', version: '0' } as const
  const report = buildReport({ tool, target: { repo: 'x' }, startedAt: new Date(0), durationMs: 0, results, ...more })
  return textReport(report, { colours: false })
}

describe('textReport', () => {
  it('V1: names a conflict and what each source says', () => {
    const said = text([result('F16', 'config'), result('W09', 'live', finding('FAIL'))])
    expect(said).toContain(
      'CONFLICT high  Reflection is off  edge.reflection-off\n  F16 (config) says PASS: F16 holds\n  W09 (live) says FAIL: W09 holds\n',
    )
  })

  it('V1: a result that only could not be looked at has that to do, and an error is said once for all', () => {
    const error = finding('ERROR', { path: 'a.yml', line: 3, column: 2, detail: 'It is broken.' })
    const said = text([
      result('R02', 'repo', error),
      result('R01', 'repo', error),
      result('W01', 'live', finding('UNKNOWN')),
    ])
    expect(said).toContain('UNKNOWN high  W01 W01 holds')
    expect(said).toContain('to do: See to it that this can be looked at')
    expect(said.match(/a\.yml:3:2 {2}It is broken\. \(needed by R01 R02\)/g)).toHaveLength(1)
  })

  it('V5: control characters in names and texts cannot rewrite the terminal or look like another file', () => {
    const said = text([result('R01', 'repo', finding('FAIL', { path: 'a\nb\u001B[2J\u202E.yml', detail: 'x\u0007' }))])
    // eslint-disable-next-line no-control-regex
    expect(said).not.toMatch(/[\u0000-\u0009\u000B-\u001F\u202E]/)
    expect(said).toContain('a\\nb\\u{1b}[2J\\u{202e}.yml')
  })

  it('V5: with a baseline, what is new stands first in its check and once more at the end, and is what is told about', () => {
    const open = Array.from({ length: 60 }, () => finding('FAIL', { drift: 'open', path: 'old.yml', line: 1 }))
    const fresh = finding('FAIL', { drift: 'new', path: 'new.yml', line: 7, detail: 'It is new.' })
    const said = text([result('R01', 'repo', ...open.slice(1)), result('R02', 'repo', ...open, fresh)], { fixed: [] })
    expect(said).toContain('R02 R02 holds  edge.reflection-off\n  new.yml:7  It is new. (new)\n')
    expect(said).toContain('\n  new R02 new.yml:7  It is new.\nMore about a check: portcullis verify explain R02\n')
  })

  it('V5: where nothing was evaluated, and where this folder was looked at, the last sentence still reads as one', () => {
    expect(text([])).toContain('Nothing was evaluated. x has nothing that these checks are about.\n')
    expect(text([result('R01', 'repo')], { target: { repo: '.' } })).toContain('holds. This folder: 1 PASS.\n')
  })

  it('V5: a fix that is the same for findings one after the other is said once, with their number', () => {
    const mend = (description: string) => ({ fix: { safety: 'safe' as const, description, edits: [] } })
    const all = ['Do a', 'Do a', 'Do b'].map((description, at) =>
      finding('FAIL', { path: `${at}.yml`, ...mend(description) }),
    )
    expect(text([result('R01', 'repo', ...all, finding('FAIL', { path: '3.yml' }))])).toContain(
      [
        '  0.yml  Something is there.',
        '  1.yml  Something is there.',
        '    --fix, the 2 above: Do a',
        '  2.yml  Something is there.',
        '    --fix: Do b',
        '  3.yml  Something is there.',
        '',
      ].join('\n'),
    )
  })

  it('V5: a flood of findings is cut and says so; drift, confidence and what a fix may break are said', () => {
    const fix = { safety: 'unsafe', description: 'Turn it', risk: 'All of it.', edits: [] } as const
    const many = Array.from({ length: 50 }, (_, line) => finding('FAIL', { path: 'a', line }))
    const said = text([result('R01', 'repo', finding('FAIL', { drift: 'new', confidence: 'low', fix }), ...many)], {
      fixed: [],
    })
    expect(said).toContain(
      'Something is there. (new, low confidence)\n    --fix=unsafe: Turn it. It may break something: All of it.',
    )
    expect(said).toContain('… and 11 more; --format json names them all')
    expect(said).toContain('Since the baseline: 1 new, 0 regressed, 0 open, 0 fixed.')
  })

  it('V5: no text of a file is a command to the runner whose log the report stands in', () => {
    expect(textReport(commandReport(), { colours: false })).not.toMatch(runnerCommand)
  })
})
