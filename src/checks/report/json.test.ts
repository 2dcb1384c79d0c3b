import { describe, expect, it } from 'vitest'
import { jsonReport } from './json.ts'
import { commandReport, fullReport, runnerCommand, waiver } from './report.fixture.ts'

// oxlint-disable-next-line typescript/no-explicit-any -- a document of another format
type Document = any
const parsed: Document = JSON.parse(jsonReport(fullReport()))
const resultOf = (id: string): Document => parsed.results.find((result: Document) => result.id === id)

describe('JSON', () => {
  it('V5: is one document with version, target and summary', () => {
    expect(parsed).toMatchObject({
      version: 1,
      target: { repo: './app', config: 'prod.env', url: 'https://app.example/' },
      summary: {
        pass: 2,
        fail: 3,
        conflict: 1,
        error: 1,
        unknown: 1,
        warn: 1,
        manual: 1,
        waived: 1,
        not_applicable: 1,
      },
      exitCode: 1,
      failOn: 'medium',
    })
  })

  it('V5: one result for each check, with one piece of evidence for each place', () => {
    const { id, outcome, severity, message, remediation, evidence, fingerprint } = resultOf('R01')
    expect({ id, outcome, severity }).toEqual({ id: 'R01', outcome: 'FAIL', severity: 'high' })
    expect(message).toBe('The token stays on disk. (and 1 more)')
    expect(remediation).toBe('Set `persist-credentials: false`.')
    expect(fingerprint).toMatch(/^[0-9a-f]{32}$/)
    expect(evidence).toHaveLength(2)
    expect(evidence[0]).toMatchObject({
      source: 'repo',
      outcome: 'FAIL',
      path: '.github/workflows/ci.yml',
      line: 7,
      column: 9,
      detail: 'The token stays on disk.',
      drift: 'open',
      fix: { safety: 'safe', edits: [{ path: '.github/workflows/ci.yml', start: 120, end: 120 }] },
    })
  })

  it('V5: the message is about the worst of what was found', () => {
    expect(resultOf('R11').message).toBe('It runs as 10001.')
    expect(resultOf('F16').message).toBe('Claim of F16.')
  })

  it('V5: waivers, drift and verdicts are told', () => {
    expect(resultOf('R02').evidence[0].waiver).toEqual(waiver)
    expect(parsed.waivers.notices).toHaveLength(1)
    expect(parsed.fixed).toHaveLength(1)
    expect(parsed.controls).toContainEqual({ id: 'edge.reflection-off', outcome: 'CONFLICT', checks: ['F16', 'W09'] })
  })

  it('V5: no text of a file is a command to the runner whose log the report stands in, and all of it is still there', () => {
    const json = jsonReport(commandReport())
    expect(json).not.toMatch(runnerCommand)
    expect(JSON.stringify(JSON.parse(json))).toContain('##vso[task.setvariable variable=PATH]evil')
  })
})
