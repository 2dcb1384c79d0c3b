import { repoCheck, type Check, type Control } from '../check.ts'
import { stated, type Evidence } from '../evidence.ts'
import { fingerprinted, resultFingerprint, type AppliedWaiver } from '../fingerprint.ts'
import { worst, type Outcome, type Severity, type Source } from '../outcome.ts'
import type { Result } from '../run.ts'
import { buildReport, type Report } from './report.ts'

/** Everything that a file can put into a finding to get out of a report. */
export const hostile = [
  '</script><script>alert(1)</script><img src=x onerror=alert(2)>',
  '"\'`--> ]]> <![CDATA[ &amp; {{ ${{ github.event.issue.title }} }}',
  '| a | b | **bold** [click](https://evil.example) ![i](https://evil.example/i.png) @everyone #1 www.evil.example',
  '\u0000\u0007\u001B[2J\u202Edesrever\u2028\uFFFE\uD800 \\ ```fence```',
].join('\n')

export const hostilePath = '.github/workflows/a b#c?(d)[e]|<i>`f`"\'\u202E.yml'

export function checkOf(id: string, source: Source = 'repo', title = `Claim of ${id}`): Check {
  const check = repoCheck({ id, title, needs: {}, judge: () => [] })
  return { ...check, source, ...(source === 'live' ? { vantage: 'outside', safety: 'read-only' } : {}) } as Check
}

export function controlOf(id: string, severity: Severity, checks: readonly Check[]): Control {
  return {
    id,
    title: `Control ${id}`,
    severity,
    why: 'Somebody could push with `GITHUB_TOKEN`.',
    remediation: 'Set `persist-credentials: false`.',
    references: ['https://docs.zizmor.sh/audits/#artipacked', 'https://example.com/?a=1&b=2'],
    rows: ['R01'],
    checks,
  }
}

/** What a run makes of this evidence. */
export function resultOf(control: Control, check: Check, evidence: readonly Evidence[]): Result {
  const findings = fingerprinted(check.id, evidence)
  const outcome = worst(findings.map((finding) => finding.outcome)) ?? 'PASS'
  const fingerprint = resultFingerprint(check.id, findings)
  return { check, control, severity: control.severity, outcome, evidence: findings, fingerprint }
}

/** Evidence in line 7 of a file. */
export function at(outcome: Outcome, detail: string, path = '.github/workflows/ci.yml'): Evidence {
  const place = { path, line: 7, column: 9, endLine: 7, endColumn: 28 }
  return { ...stated('repo', outcome, detail, { subject: detail }), ...place }
}

/** A report with every outcome, waivers, drift, a fix, hostile texts, and findings from all three sources. */
export function fullReport(): Report {
  const fix = {
    safety: 'safe',
    description: 'Set persist-credentials to false',
    edits: [
      { path: '.github/workflows/ci.yml', start: 120, end: 120, text: '\n  with:\n    persist-credentials: false' },
    ],
  } as const
  const result = (severity: Severity, check: Check, ...evidence: readonly Evidence[]): Result =>
    resultOf(controlOf(`test.${check.id.toLowerCase()}`, severity, [check]), check, evidence)
  const conflicting = [checkOf('F16', 'config'), checkOf('W09', 'live')]
  const reflection = controlOf('edge.reflection-off', 'critical', conflicting)
  const results = [
    result(
      'high',
      checkOf('R01'),
      { ...at('FAIL', 'The token stays on disk.'), fix },
      at('FAIL', hostile, hostilePath),
    ),
    result('medium', checkOf('R03'), at('WARN', 'A version is `latest`.')),
    result('low', checkOf('R04'), at('FAIL', 'One key for all.')),
    result('medium', checkOf('R05'), stated('repo', 'UNKNOWN', 'The preset is not here.')),
    result('medium', checkOf('R06'), at('ERROR', 'It is no YAML.', 'broken.yml')),
    result('info', checkOf('R07'), stated('repo', 'NOT_APPLICABLE', 'There is no Python.')),
    result('critical', checkOf('R11'), at('PASS', 'It runs as 10001.', 'Dockerfile')),
    result('medium', checkOf('R12'), stated('repo', 'MANUAL', 'Attested by hand.')),
    waivedResult(),
    resultOf(reflection, checkOf('F16', 'config'), []),
    resultOf(reflection, checkOf('W09', 'live'), [stated('live', 'FAIL', 'It lists services.', { subject: 'list' })]),
  ]
  return buildReport({
    tool: { name: 'portcullis', version: '1.2.3' },
    target: { repo: './app', config: 'prod.env', url: 'https://app.example/' },
    startedAt: new Date('2026-11-22T08:00:00Z'),
    durationMs: 1234,
    results: results.map(drifted),
    fixed: [{ check: 'R01', fingerprint: '0'.repeat(32), detail: 'It was there.', path: 'old.yml' }],
    waivers: {
      path: 'portcullis.waivers.yml',
      waived: 1,
      notices: [{ kind: 'unused', line: 12, column: 3, message: 'It waives nothing: <b>remove</b> it.' }],
    },
  })
}

/** What a runner of GitHub or Azure takes for a command to itself where it is printed. */
export const runnerCommand = /^\s*::|##\w*\[/m

/** Names and texts of files that are such commands. */
export function commandReport(): Report {
  const check = checkOf('R01')
  const found = at(
    'FAIL',
    '##vso[task.setvariable variable=PATH]evil ##[add-mask]a',
    '::set-env name=a::b/##[group]x.yml',
  )
  const result = resultOf(controlOf('test.r01', 'high', [check]), check, [found])
  const options = {
    tool: { name: 'portcullis', version: '1.2.3' },
    target: { repo: '.' },
    startedAt: new Date(0),
  } as const
  return buildReport({ ...options, durationMs: 1, results: [result] })
}

export const waiver: AppliedWaiver = {
  reason: 'The runner is <b>ours</b> & "isolated"',
  approver: 'Ada | <ada@example.com>',
  ticket: 'OPS-7',
  expires: '2027-01-31',
  outcome: 'FAIL',
}

function waivedResult(): Result {
  const check = checkOf('R02')
  const result = resultOf(controlOf('test.r02', 'high', [check]), check, [at('FAIL', 'The group is per ref.')])
  return {
    ...result,
    outcome: 'WAIVED',
    evidence: result.evidence.map((finding) => ({ ...finding, outcome: 'WAIVED' as const, waiver })),
  }
}

function drifted(result: Result): Result {
  const quiet = new Set<Outcome>(['PASS', 'NOT_APPLICABLE'])
  return {
    ...result,
    evidence: result.evidence.map((finding, index) =>
      quiet.has(finding.outcome) ? finding : { ...finding, drift: index === 0 ? ('open' as const) : ('new' as const) },
    ),
  }
}
