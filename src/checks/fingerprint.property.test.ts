import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { judged } from './checks.fixture.ts'
import { fingerprinted } from './fingerprint.ts'
import { sarifReport } from './report/sarif.ts'
import { at } from './report/report.fixture.ts'
import { buildReport } from './report/report.ts'
import type { Result } from './run.ts'

const path = '.github/workflows/ci.yml'

interface Job {
  readonly name: string
  readonly steps: readonly string[]
}

interface Layout {
  readonly comments: readonly string[]
  readonly blankLines: number
  readonly indent: number
  readonly above: number
}

const bare = 'uses: actions/checkout@v4'
const jobs: readonly Job[] = [
  { name: 'build', steps: ['run: npm ci', bare] },
  { name: 'test', steps: ['uses: actions/checkout@v5', 'run: npm test'] },
  { name: 'lint', steps: ["uses: 'actions/checkout@main'"] },
]

const layouts = fc.record({
  comments: fc.array(fc.constantFrom('# checkout', '# uses: actions/checkout@v4', '#', '# TODO'), { maxLength: 4 }),
  blankLines: fc.nat({ max: 5 }),
  indent: fc.integer({ min: 2, max: 8 }),
  above: fc.nat({ max: 4 }),
})
const names = fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9_-]{0,12}$/), { minLength: 3, maxLength: 3 })
const orders = fc.shuffledSubarray([0, 1, 2], { minLength: 3 })

describe('fingerprints', () => {
  it('V5: survive moved lines, comments, new steps, other indentation, renamed and reordered jobs', async () => {
    const before = fingerprintsOf(await judged('R01', { [path]: workflowOf(jobs, plainly) }))
    expect(new Set(before).size).toBe(3)
    await fc.assert(
      fc.asyncProperty(layouts, names, orders, async (layout, renamed, order) => {
        const changed = order.map((index) => ({ ...at3(jobs, index), name: renamed[index] ?? 'job' }))
        const after = await judged('R01', { [path]: workflowOf(changed, layout) })
        expect(fingerprintsOf(after)).toEqual(before)
        expect(sarifFingerprints(after)).toEqual(before)
      }),
      { numRuns: 60 },
    )
  })

  it('V5: tell findings of other checks, files and subjects apart, and those that are alike by their order', () => {
    const text = fc.string({ minLength: 1, maxLength: 8 })
    const findings = fc.array(fc.record({ check: text, file: text, subject: text }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(findings, (all) => {
        const byCheck = Map.groupBy(all, ({ check }) => check)
        const prints = [...byCheck].flatMap(([check, own]) =>
          fingerprinted(
            check,
            own.map(({ file, subject }, line) => ({ ...at('FAIL', subject, file), subject, line: line + 1 })),
          ).map(({ fingerprint }) => fingerprint),
        )
        expect(new Set(prints).size).toBe(all.length)
      }),
    )
  })
})

const plainly: Layout = { comments: [], blankLines: 0, indent: 2, above: 0 }

function at3(all: readonly Job[], index: number): Job {
  const job = all[index]
  if (job === undefined) throw new Error(`there is no job ${index}`)
  return job
}

function workflowOf(all: readonly Job[], { comments, blankLines, indent, above }: Layout): string {
  const pad = (depth: number): string => ' '.repeat(indent * depth)
  const lines = all.flatMap(({ name, steps }) => [
    `${pad(1)}${name}:`,
    `${pad(2)}runs-on: ubuntu-latest`,
    `${pad(2)}steps:`,
    ...Array.from({ length: above }, (_, nth) => `${pad(3)}- run: echo ${nth}`),
    ...steps.flatMap((step) => [...comments.map((comment) => `${pad(3)}${comment}`), `${pad(3)}- ${step}`]),
    ...Array.from({ length: blankLines }, () => ''),
  ])
  return ['on: push', ...Array.from({ length: blankLines }, () => ''), 'jobs:', ...lines, ''].join('\n')
}

function fingerprintsOf({ evidence }: Result): readonly string[] {
  return evidence.map(({ fingerprint }) => fingerprint).toSorted()
}

function sarifFingerprints(result: Result): readonly string[] {
  const report = buildReport({
    tool: { name: 'portcullis', version: '1.2.3' },
    target: { repo: '.' },
    startedAt: new Date(0),
    durationMs: 0,
    results: [result],
  })
  const { runs } = JSON.parse(sarifReport(report)) as {
    readonly runs: readonly {
      readonly results: readonly { readonly partialFingerprints: Readonly<Record<string, string>> }[]
    }[]
  }
  const prints = runs.flatMap(({ results }) => results.map((each) => each.partialFingerprints['portcullis/v1'] ?? ''))
  return prints.toSorted()
}
