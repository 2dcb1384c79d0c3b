import { describe, expect, it } from 'vitest'
import { junitReport } from './junit.ts'
import { tagsOf, type Tag } from './markup.fixture.ts'
import { commandReport, fullReport, runnerCommand } from './report.fixture.ts'
import { buildReport } from './report.ts'

const xml = junitReport(fullReport())
const tags = tagsOf(xml)
const named = (name: string): readonly Tag[] => tags.filter((tag) => tag.name === name)

describe('JUnit', () => {
  it('V5: a suite for each control, a case for each check, and the sums', () => {
    expect(named('testsuite')).toHaveLength(11)
    const [all] = named('testsuites')
    expect(Object.fromEntries(all?.attributes ?? [])).toMatchObject({
      tests: '13',
      failures: '4',
      errors: '2',
      skipped: '3',
      time: '1.234',
      timestamp: '2026-11-22T08:00:00.000Z',
    })
    expect(named('testcase')).toHaveLength(13)
    expect(named('failure')).toHaveLength(4)
    expect(named('error')).toHaveLength(2)
    expect(named('skipped')).toHaveLength(3)
  })

  it('V5: a case names its file and line, and the severity of what fails', () => {
    const [first] = named('testcase')
    expect(Object.fromEntries(first?.attributes ?? [])).toMatchObject({
      name: 'R01 Claim of R01',
      classname: 'test.r01',
      file: '.github/workflows/ci.yml',
      line: '7',
    })
    expect(named('failure')[0]?.attributes.get('type')).toBe('high')
  })

  it('V5: sources that disagree fail, and a waiver says who, why and until when', () => {
    expect(xml).toContain('name="sources agree"')
    for (const part of ['2027-01-31', 'isolated', 'ada@example.com']) expect(xml).toContain(part)
  })

  it('V5: hostile text stays text', () => {
    expect(xml).not.toMatch(/<script|<img|<!\[CDATA|\]\]>/)
    // XML 1.0 allows none of them, not even as references.
    // oxlint-disable-next-line no-control-regex -- that is what must not be there
    expect(xml).not.toMatch(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]|\p{Cs}/u)
    expect(xml).not.toMatch(/&#(?:0|7|27|65534);/)
  })

  it('V5: a run without results is a document too', () => {
    expect(tagsOf(junitReport(buildReport({ ...fullReport(), results: [] }))).length).toBeGreaterThan(0)
  })

  it('V5: no text of a file is a command to the runner whose log the report stands in', () => {
    expect(junitReport(commandReport())).not.toMatch(runnerCommand)
  })
})
