import { join } from 'node:path'
import { expect, it } from 'vitest'
import { buildReport, controls, runChecks, Tree } from '#checks'

const root = join(import.meta.dirname, '..')

it('O10, V6: this repository passes its own checks, none of them waived', async () => {
  const repo = await Tree.open(root)
  const results = await runChecks({ contexts: { repo }, controls })
  const report = buildReport({
    tool: { name: 'portcullis', version: 'test' },
    target: { repo: root },
    startedAt: new Date(),
    durationMs: 0,
    results,
  })
  const wrong = results.flatMap(({ check, evidence }) =>
    evidence
      .filter(({ outcome }) => ['FAIL', 'ERROR', 'UNKNOWN'].includes(outcome))
      .map(({ path, line, outcome, detail }) => `${check.id} ${outcome} ${path}:${line} ${detail}`),
  )
  expect(wrong).toEqual([])
  expect(report.exitCode).toBe(0)
  const outcomeOf = new Map(results.map(({ check, outcome }) => [check.id, outcome]))
  // What its workflows, scripts, migrations and contract are there to hold is looked at, not passed over.
  for (const id of ['R01', 'R02', 'R03', 'R05', 'R08', 'R09', 'R10', 'R23', 'R26', 'R27', 'R31', 'R33', 'R34'])
    expect(`${id} ${outcomeOf.get(id)}`).toBe(`${id} PASS`)
})
