import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { controls } from '../controls/index.ts'
import { problemsAgainst, type Schema } from './json-schema.fixture.ts'
import { at, checkOf, controlOf, fullReport, hostilePath, resultOf } from './report.fixture.ts'
import { buildReport, type Report } from './report.ts'
import { sarifReport } from './sarif.ts'

const schemaFile = new URL('../../../test/vectors/sarif/sarif-2.1.0.schema.json', import.meta.url)
const schema = JSON.parse(readFileSync(schemaFile, 'utf8')) as Schema

// oxlint-disable-next-line typescript/no-explicit-any -- a document of another format
type Document = any
const parsed = (report: Report): Document => JSON.parse(sarifReport(report))
const run = (report: Report): Document => parsed(report).runs[0]
const resultsOf = (report: Report, rule: string): Document[] =>
  run(report).results.filter(({ ruleId }: Document) => ruleId === rule)

describe('SARIF', () => {
  it('V5: conforms to the schema of SARIF 2.1.0', () => {
    expect(problemsAgainst(schema, parsed(fullReport()))).toEqual([])
    expect(problemsAgainst(schema, parsed({ ...fullReport(), results: [], controls: [] }))).toEqual([])
  })

  it.each([
    ['a result without message', (document: Document) => delete document.runs[0].results[0].message, 'lacks message'],
    ['a level that there is not', (document: Document) => (document.runs[0].results[0].level = 'high'), 'none of'],
    [
      'a field that there is not',
      (document: Document) => (document.runs[0].results[0].severity = 'x'),
      'must not have',
    ],
    ['line 0', (document: Document) => (locationOf(document).region.startLine = 0), 'less than'],
    ['a line in words', (document: Document) => (locationOf(document).region.startLine = '7'), 'is no integer'],
    ['a rule twice', (document: Document) => repeatFirstRule(document), 'twice'],
    ['no tool', (document: Document) => delete document.runs[0].tool, 'lacks tool'],
    ['a reference to no rule', (document: Document) => (override(document).descriptor = {}), 'none of several'],
    ['another version', (document: Document) => (document.version = '2.0.0'), 'none of'],
    ['a fix without changes', (document: Document) => (fixOf(document).artifactChanges = []), 'less than 1'],
  ])('V5: the test against the schema refuses %s', (_, breakIt, why) => {
    const document = parsed(fullReport())
    breakIt(document)
    expect(problemsAgainst(schema, document).join('\n')).toContain(why)
  })

  it('V5: declares every rule, whether or not it ran, and says which did not run', () => {
    const { tool, invocations } = run(buildReport({ ...fullReport(), results: [] }))
    const declared = tool.driver.rules.map(({ id }: Document) => id)
    expect(declared).toEqual([...new Set(controls.flatMap(({ checks }) => checks.map(({ id }) => id)))])
    expect(invocations[0].ruleConfigurationOverrides).toHaveLength(declared.length)
    for (const rule of tool.driver.rules) {
      expect(rule.helpUri, rule.id).toMatch(/^https:/)
      expect(rule.name, rule.id).toMatch(/^(?:[A-Z][a-z0-9]*)+[A-Z]\d{2}$/)
      expect(rule.properties.tags.length).toBeLessThanOrEqual(10)
    }
  })

  it('V5: a finding has its rule, level, place, region and fingerprint', () => {
    const report = fullReport()
    const [first, second] = resultsOf(report, 'R01')
    expect(first).toMatchObject({ kind: 'fail', level: 'error', message: { text: 'The token stays on disk.' } })
    expect(run(report).tool.driver.rules[first.ruleIndex].id).toBe('R01')
    expect(first.locations[0].physicalLocation).toEqual({
      artifactLocation: { uri: '.github/workflows/ci.yml', uriBaseId: '%SRCROOT%' },
      region: { startLine: 7, startColumn: 9, endLine: 7, endColumn: 28 },
    })
    expect(first.partialFingerprints['portcullis/v1']).toMatch(/^[0-9a-f]{32}$/)
    const { uri } = second.locations[0].physicalLocation.artifactLocation
    expect(uri).toMatch(/^[\w./%!'()*~-]+$/)
    expect(decodeURIComponent(uri)).toBe(hostilePath)
    expect(second.message.text).not.toContain('](')
    // oxlint-disable-next-line no-control-regex -- that is what must not be there
    expect(second.message.text).not.toMatch(/[\u0000-\u001F\u202E]/)
  })

  it('V5: what has no file in the repository says where it is', () => {
    const report = fullReport()
    expect(resultsOf(report, 'R05')[0].locations[0].physicalLocation.artifactLocation.uri).toBe('.')
    const [wire] = resultsOf(report, 'W09')
    expect(wire.locations[0].logicalLocations[0].fullyQualifiedName).toBe('https://app.example/')
    const settings = checkOf('F15', 'config')
    const evidence = ['/etc/app/prod.env', 'prod.env'].map((path) => ({
      ...at('FAIL', `In ${path}.`, path),
      source: 'config' as const,
    }))
    const results = [resultOf(controlOf('edge.loopback', 'critical', [settings]), settings, evidence)]
    const places = resultsOf(buildReport({ ...report, results }), 'F15').map(
      ({ locations }: Document) => locations[0].physicalLocation.artifactLocation,
    )
    expect(places).toEqual([{ uri: 'file:///etc/app/prod.env' }, { uri: 'prod.env' }])
  })

  it('V5: a fix replaces the stretch that the edit names', () => {
    const [{ fixes }] = resultsOf(fullReport(), 'R01') as [Document]
    expect(fixes[0].artifactChanges[0].replacements[0]).toEqual({
      deletedRegion: { charOffset: 120, charLength: 0 },
      insertedContent: { text: '\n  with:\n    persist-credentials: false' },
    })
  })

  it('V5: what could not be looked at is open, what is attested is to be reviewed, what holds is silent', () => {
    const report = fullReport()
    expect(resultsOf(report, 'R05')[0]).toMatchObject({ kind: 'open', level: 'none' })
    expect(resultsOf(report, 'R06')[0]).toMatchObject({ kind: 'open', level: 'none' })
    expect(resultsOf(report, 'R12')[0]).toMatchObject({ kind: 'review', level: 'none' })
    expect(resultsOf(report, 'R03')[0]).toMatchObject({ kind: 'fail', level: 'note' })
    expect([...resultsOf(report, 'R07'), ...resultsOf(report, 'R11')]).toEqual([])
  })

  it('V5: a waived finding stays, suppressed, with who accepted it, why and until when', () => {
    const report = fullReport()
    const [waived] = resultsOf(report, 'R02')
    expect(waived).toMatchObject({ kind: 'fail', level: 'error', suppressions: [{ status: 'accepted' }] })
    const { justification } = waived.suppressions[0]
    for (const part of ['isolated', 'ada@example.com', '2027-01-31', 'OPS-7']) expect(justification).toContain(part)
    // SARIF 3.27.23: for all results or for none.
    expect(run(report).results.every(({ suppressions }: Document) => Array.isArray(suppressions))).toBe(true)
  })

  it('V5: with a baseline every result says how it stands to it, and what is gone is absent', () => {
    const states = run(fullReport()).results.map(({ baselineState }: Document) => baselineState)
    expect(new Set(states)).toEqual(new Set(['new', 'unchanged', 'absent']))
    const { fixed: _, ...without } = fullReport()
    expect(run(without).results.every((result: Document) => !('baselineState' in result))).toBe(true)
  })

  it('V5: errors and waivers to be looked after are notifications, and a run with errors did not succeed', () => {
    const [invocation] = run(fullReport()).invocations
    expect(invocation).toMatchObject({ executionSuccessful: false, exitCode: 1 })
    expect(invocation.toolExecutionNotifications).toMatchObject([
      { level: 'error', message: { text: 'It is no YAML.' }, associatedRule: { id: 'R06' } },
    ])
    expect(invocation.toolConfigurationNotifications[0].level).toBe('warning')
    expect(invocation.endTimeUtc).toBe('2026-11-22T08:00:01.234Z')
  })

  it('V5: of more results than code scanning takes the worst are kept, and it is said', () => {
    const [low, high] = [checkOf('R90'), checkOf('R91')]
    const many = Array.from({ length: 25_000 }, (_, index) => at('FAIL', `Finding ${index}.`))
    const report = buildReport({
      ...fullReport(),
      results: [
        resultOf(controlOf('test.low', 'low', [low]), low, many),
        resultOf(controlOf('test.high', 'high', [high]), high, [at('FAIL', 'The worst.')]),
      ],
      fixed: [],
    })
    const { results, invocations } = run(report)
    expect(results).toHaveLength(25_000)
    expect(results[0].ruleId).toBe('R91')
    expect(invocations[0].toolExecutionNotifications[0].message.text).toContain('1 results are left out')
  })
})

function locationOf(document: Document): Document {
  return document.runs[0].results[0].locations[0].physicalLocation
}

function fixOf(document: Document): Document {
  return document.runs[0].results.find(({ fixes }: Document) => fixes !== undefined).fixes[0]
}

function override(document: Document): Document {
  document.runs[0].invocations[0].ruleConfigurationOverrides = [{ descriptor: { id: 'R01' }, configuration: {} }]
  return document.runs[0].invocations[0].ruleConfigurationOverrides[0]
}

function repeatFirstRule(document: Document): void {
  const { rules } = document.runs[0].tool.driver
  rules.push(rules[0])
}
