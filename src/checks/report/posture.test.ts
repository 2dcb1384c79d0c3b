import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { jsonReport } from './json.ts'
import { postureReport } from './posture.ts'
import { at, checkOf, controlOf, fullReport, hostilePath, resultOf } from './report.fixture.ts'
import { buildReport, summaryOf } from './report.ts'

it('V5: what is recorded is bound to the text of the report, and names what was found without what holds', () => {
  const report = fullReport()
  const json = jsonReport(report)
  const posture = postureReport(report, json)
  expect(posture.reportSha256).toBe(createHash('sha256').update(json).digest('hex'))
  const { not_applicable: notApplicable, ...summary } = summaryOf(report)
  expect(posture.summary).toEqual({ ...summary, notApplicable })
  expect(posture).toMatchObject({
    toolVersion: '1.2.3',
    target: './app prod.env https://app.example/',
    startedAt: '2026-11-22T08:00:00.000Z',
    findingsLeftOut: 0,
  })
  const outcomes = new Set(posture.findings.map((finding) => (finding as { readonly outcome: string }).outcome))
  expect([...outcomes].toSorted()).toEqual(['ERROR', 'FAIL', 'MANUAL', 'UNKNOWN', 'WAIVED', 'WARN'])
})

it('V5: of more than 1,000 findings the number of the rest is recorded, and nothing that the server refuses', () => {
  const check = checkOf('R01')
  const evidence = Array.from({ length: 1003 }, (_, index) =>
    at('FAIL', `${index} \0 \uD800 ${'x'.repeat(900)}`, hostilePath),
  )
  const report = buildReport({
    tool: { name: 'portcullis', version: '1' },
    target: { repo: 'a\0b' },
    startedAt: new Date(0),
    durationMs: 1,
    results: [resultOf(controlOf('test.r01', 'high', [check]), check, evidence)],
  })
  const posture = postureReport(report, '{}')
  expect(posture.findings).toHaveLength(1000)
  expect(posture.findingsLeftOut).toBe(3)
  const [first] = posture.findings as readonly { readonly detail: string }[]
  expect(first?.detail).toHaveLength(500)
  expect(JSON.stringify(posture)).not.toMatch(/\\u0000|\\ud800/)
})
