import { describe, expect, it } from 'vitest'
import { compare, readBaseline, type Baseline } from './baseline.ts'
import { judged } from './checks.fixture.ts'
import { jsonReport } from './report/json.ts'
import { buildReport, type Report } from './report/report.ts'
import type { Result } from './run.ts'

const step = (name: string): string => `      - uses: ${name}\n`
const workflow = (...steps: readonly string[]): string =>
  `on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n${steps.map(step).join('')}`
const path = '.github/workflows/ci.yml'
const run = (text: string): Promise<Result> => judged('R01', { [path]: text })

function report(results: readonly Result[], more: Partial<Report> = {}): Report {
  const tool = { name: 'portcullis', version: '0' } as const
  return buildReport({ tool, target: {}, startedAt: new Date(0), durationMs: 0, results, ...more })
}
async function baselineOf(text: string): Promise<Baseline> {
  const read = await readBaseline(jsonReport(report([await run(text)])))
  if (read === undefined) throw new Error('not read')
  return read
}
async function compared(before: string, after: string): Promise<Report> {
  const { results, fixed } = compare([await run(after)], await baselineOf(before))
  return report(results, { fixed })
}
const drifts = ({ results }: Report): readonly unknown[] =>
  results.flatMap(({ evidence }) => evidence.map(({ drift }) => drift))

describe('baseline', () => {
  it('V5: what was there before is open and counts for no exit code 1', async () => {
    const after = await compared(workflow('actions/checkout@v4'), `# moved\n${workflow('actions/checkout@v4')}`)
    expect([drifts(after), after.fixed, after.exitCode]).toEqual([['open'], [], 0])
  })

  it('V5: what comes on top is new and counts', async () => {
    const after = await compared(
      workflow('actions/checkout@v4'),
      workflow('actions/checkout@v4', 'actions/checkout@v5'),
    )
    expect([drifts(after), after.exitCode]).toEqual([['open', 'new'], 1])
  })

  it('V5: a check that had passed and does no more is regressed', async () => {
    const after = await compared(workflow('actions/cache@v4'), workflow('actions/checkout@v4'))
    expect([drifts(after), after.exitCode]).toEqual([['regressed'], 1])
  })

  it('V5: what is gone is fixed', async () => {
    const after = await compared(workflow('actions/checkout@v4'), workflow('actions/cache@v4'))
    expect(after.fixed).toMatchObject([{ check: 'R01', path }])
    expect(after.exitCode).toBe(0)
  })

  it('V5: where nobody could look nothing is fixed', async () => {
    const after = await compared(workflow('actions/checkout@v4'), 'on: [')
    expect([drifts(after), after.fixed, after.exitCode]).toEqual([['new'], [], 4])
  })

  it('V5: a finding that a waiver accepted then and none accepts now is new', async () => {
    const before = await baselineOf(workflow('actions/checkout@v4'))
    const waived = {
      results: before.results.map((each) => ({
        ...each,
        outcome: 'WAIVED' as const,
        evidence: each.evidence.map((one) => ({ ...one, outcome: 'WAIVED' as const })),
      })),
    }
    const { results } = compare([await run(workflow('actions/checkout@v4'))], waived)
    expect(results[0]?.evidence[0]?.drift).toBe('new')
  })

  it.each([
    ['nothing', ''],
    ['a text', '"x"'],
    ['SARIF', '{"version":"2.1.0","runs":[]}'],
    ['another version', '{"version":2,"results":[]}'],
    ['a broken one', '{"version":1,"results":[{"id":1}]}'],
  ])('V5: %s is no baseline', async (_, text) => {
    expect(await readBaseline(text)).toBeUndefined()
  })
})
