import { describe, expect, it } from 'vitest'
import { checkNamed, judged } from './checks.fixture.ts'
import { SourceFile } from './collect/source-file.ts'
import type { Outcome } from './outcome.ts'
import { resultOf } from './report/report.fixture.ts'
import { verdictOf } from './report/findings.ts'
import { buildReport, type Report } from './report/report.ts'
import { withFindings, type Result } from './run.ts'
import { applyWaivers, readWaivers, type Waivers } from './waivers.ts'

const nowMs = Date.parse('2026-11-22T23:59:59Z')
const path = '.github/workflows/ci.yml'
const bare = 'on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: actions/checkout@v4\n'

function waivers(text: string): Waivers {
  const file = new SourceFile('w.yaml', text)
  return readWaivers({ file, value: file }, 'w.yaml', nowMs, new Set(['R01', 'R26']))
}
const one = (fingerprint: string, more = 'expires: 2027-01-31', check = 'R01'): string =>
  `version: 1\nwaivers:\n  - check: ${check}\n    fingerprint: ${fingerprint}\n    reason: it pushes by hand\n    approver: alice\n    ${more}\n`
const said = ({ notices }: Waivers): readonly string[] =>
  notices.map(({ kind, line, message }) => `${kind} ${line} ${message}`)
const hex = 'a'.repeat(32)
const finding = async (): Promise<Result> => judged('R01', { [path]: bare })

describe('waivers', () => {
  it('V4: a waived finding stays in the report with its reason, approver and expiry, and no longer counts', async () => {
    const result = await finding()
    const fingerprint = result.evidence[0]?.fingerprint ?? ''
    const { results, use } = applyWaivers(
      [result],
      waivers(one(fingerprint, 'expires: "2027-01-31"\n    ticket: SEC-1')),
    )
    expect(results[0]).toMatchObject({
      outcome: 'WAIVED',
      fingerprint: result.fingerprint,
      evidence: [
        {
          outcome: 'WAIVED',
          fingerprint,
          path,
          waiver: {
            reason: 'it pushes by hand',
            approver: 'alice',
            expires: '2027-01-31',
            ticket: 'SEC-1',
            outcome: 'FAIL',
          },
        },
      ],
    })
    expect(use).toEqual({ path: 'w.yaml', waived: 1, notices: [] })
    expect(exitOf(results, use)).toBe(0)
  })

  it('V4: a report in which something is waived does not say that everything holds', async () => {
    const result = await finding()
    const { results, use } = applyWaivers([result], waivers(one(result.fingerprint)))
    expect(verdictOf(reportOf(results, use))).toBe(
      'Everything that was looked at holds, but for 1 finding that is waived',
    )
  })

  it('V4: the fingerprint of a result waives all that it found, and nothing that comes later', async () => {
    const result = await finding()
    const given = waivers(one(result.fingerprint))
    expect(applyWaivers([result], given).results[0]?.outcome).toBe('WAIVED')
    const more = await judged('R01', { [path]: bare, '.github/workflows/b.yml': bare })
    expect(applyWaivers([more], given).results[0]?.outcome).toBe('FAIL')
  })

  it('V4: a waiver survives moved lines and renamed jobs', async () => {
    const fingerprint = (await finding()).evidence[0]?.fingerprint ?? ''
    const moved = await judged('R01', { [path]: `# a\n\n${bare.replace('  a:', '  renamed:')}` })
    expect(applyWaivers([moved], waivers(one(fingerprint))).results[0]?.outcome).toBe('WAIVED')
  })

  it.each([
    ['a warning', 'FAIL', 'WARN', 'outcome: WARN'],
    ['what could not be read', 'FAIL', 'ERROR', 'outcome: ERROR'],
    ['a failure that became an error', 'ERROR', 'FAIL', 'outcome: FAIL'],
    ['a failure, where it says nothing', 'WARN', 'FAIL', ''],
    ['a failure, where it says nothing, that could not be looked at', 'UNKNOWN', 'FAIL', ''],
  ] as const)('V4: a waiver of %s waives no %s', async (_, becomes, was, named) => {
    const given = waivers(
      one(
        (await finding()).evidence[0]?.fingerprint ?? '',
        `expires: 2027-01-31${named === '' ? '' : `\n    ${named}`}`,
      ),
    )
    const as = async (outcome: Outcome): Promise<Result> => {
      const result = await finding()
      return withFindings(
        result,
        result.evidence.map((each) => ({ ...each, outcome })),
      )
    }
    expect(applyWaivers([await as(was)], given).results[0]?.outcome).toBe('WAIVED')
    const { results, use } = applyWaivers([await as(becomes)], given)
    expect(results[0]?.outcome).toBe(becomes)
    expect(use.waived).toBe(0)
    expect(use.notices.map(({ kind, message }) => `${kind} ${message}`)).toEqual([
      expect.stringMatching(`^unused The waiver of R01 .* it is of \`outcome: ${was}\`, and the finding is ${becomes}`),
    ])
  })

  it('V4: a waiver of a result ends when something in it gets worse', async () => {
    const [first] = (await finding()).evidence
    if (first === undefined) throw new Error('no finding')
    const as = (...outcomes: readonly Outcome[]): Result => {
      const { control, check } = checkNamed('R01')
      return resultOf(
        control,
        check,
        outcomes.map((outcome, index) => ({ ...first, subject: String(index), line: index + 1, outcome })),
      )
    }
    const given = waivers(one(as('FAIL', 'WARN').fingerprint))
    expect(applyWaivers([as('FAIL', 'WARN')], given).use.waived).toBe(2)
    expect(applyWaivers([as('FAIL', 'FAIL')], given).use).toMatchObject({ waived: 0, notices: [{ kind: 'unused' }] })
    const mild = waivers(one(as('WARN').fingerprint, 'expires: 2027-01-31\n    outcome: WARN'))
    expect(applyWaivers([as('WARN')], mild).results[0]?.outcome).toBe('WAIVED')
  })

  it.each(['fail', 'PASS', 'CONFLICT', '', '[WARN]'])('V4: a waiver of the outcome %o is invalid', (outcome) => {
    expect(said(waivers(one(hex, `expires: 2027-01-31\n    outcome: ${outcome}`)))).toEqual([
      expect.stringMatching(/^invalid 8 `outcome` is /),
    ])
  })

  it('V4: an unused waiver is told loudly and changes no exit code; one of a check that did not run is not unused', async () => {
    const result = await judged('R01', { [path]: bare.replace('checkout', 'cache') })
    const { results, use } = applyWaivers([result], waivers(one(hex)))
    expect(use.notices).toMatchObject([{ kind: 'unused', line: 3, column: 5 }])
    expect(exitOf(results, use)).toBe(0)
    expect(applyWaivers([result], waivers(one(hex, 'expires: 2027-01-31', 'R26'))).use.notices).toEqual([])
  })

  it.each([
    ['the last day', '2026-11-22', []],
    ['yesterday', '2026-11-21', [/^expired 3 .*ended on 2026-11-21/]],
    ['the 180th day', '2027-05-21', []],
    ['the 181st day', '2027-05-22', [/^invalid 7 .*at most 180 days/]],
    ['no day of the calendar', '2027-02-30', [/^invalid 7 .*is a day/]],
    ['a time', '2027-01-31T00:00:00Z', [/^invalid 7 .*is a day/]],
    ['a word', 'never', [/^invalid 7 .*is a day/]],
    ['null', '', [/^invalid 7 .*is a text/]],
  ])('V4: expiry counts whole days in UTC: %s', async (_, day, wanted) => {
    const result = await finding()
    const fingerprint = result.evidence[0]?.fingerprint ?? ''
    const given = waivers(one(fingerprint, `expires: ${day}`))
    const { results, use } = applyWaivers([result], given)
    expect(results[0]?.outcome).toBe(wanted.length === 0 ? 'WAIVED' : 'FAIL')
    expect(said(given).length).toBe(wanted.length)
    for (const [index, pattern] of wanted.entries()) expect(said(given)[index]).toMatch(pattern)
    expect(exitOf(results, use)).toBe(wanted.length === 0 ? 0 : 5)
  })

  it('V4: everything that is wrong is told at once, each with its line', () => {
    const text = `version: 1
waivers:
  - check: R99
    fingerprint: abc
    reason: ''
    expires: 2027-01-31
    until: tomorrow
  - just a text
`
    expect(said(waivers(text))).toEqual([
      expect.stringMatching(/^invalid 7 There is no `until` here/),
      expect.stringMatching(/^invalid 3 This waiver lacks approver/),
      expect.stringMatching(/^invalid 3 There is no check R99/),
      expect.stringMatching(/^invalid 4 A fingerprint is 32 hex digits/),
      expect.stringMatching(/^invalid 5 `reason` is a text/),
      expect.stringMatching(/^invalid 8 A waiver is a map/),
    ])
  })

  it.each([
    ['not YAML', 'version: [', /^invalid/],
    ['a list', '- check: R01\n', /^invalid 1 A file of waivers is a map/],
    ['empty', '', /^invalid 1 A file of waivers is a map/],
    ['another version', 'version: 2\nwaivers: []\n', /^invalid 1 `version` is 1/],
    ['no list', 'version: 1\nwaivers: {}\n', /^invalid 2 `waivers` is a list/],
    [
      'the same twice',
      `${one(hex)}${one(hex).split('\n').slice(2).join('\n')}`,
      /^invalid 8 There is a waiver of R01 .* above already/,
    ],
  ])('V4: a file that is %s is invalid and waives nothing', (_, text, wanted) => {
    expect(said(waivers(text))[0]).toMatch(wanted)
  })

  it('V4: an error without a file cannot be waived: nobody knows what it hides', async () => {
    const result = await finding()
    const [first] = result.evidence
    if (first === undefined) throw new Error('no finding')
    const { path: _, ...rest } = first
    const broken: Result = { ...result, outcome: 'ERROR', evidence: [{ ...rest, outcome: 'ERROR' }] }
    expect(applyWaivers([broken], waivers(one(first.fingerprint))).results[0]?.outcome).toBe('ERROR')
  })
})

function exitOf(results: readonly Result[], use: ReturnType<typeof applyWaivers>['use']): number {
  return reportOf(results, use).exitCode
}

function reportOf(results: readonly Result[], use: ReturnType<typeof applyWaivers>['use']): Report {
  const tool = { name: 'portcullis', version: '0' } as const
  return buildReport({ tool, target: {}, startedAt: new Date(nowMs), durationMs: 0, results, waivers: use })
}
