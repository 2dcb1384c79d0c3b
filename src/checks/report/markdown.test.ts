import { describe, expect, it } from 'vitest'
import { markdownReport } from './markdown.ts'
import { at, checkOf, commandReport, controlOf, fullReport, resultOf, runnerCommand } from './report.fixture.ts'
import { buildReport } from './report.ts'

const markdown = markdownReport(fullReport())

describe('Markdown', () => {
  it('V5: begins with the verdict and the counts', () => {
    const [title, , head, rule, counts] = markdown.split('\n')
    expect(title).toBe('## Portcullis verify: 4 checks do not hold')
    expect(head).toBe('| FAIL | CONFLICT | ERROR | UNKNOWN | WARN | MANUAL | WAIVED | NOT APPLICABLE | PASS |')
    expect(rule?.split('|')).toHaveLength(11)
    expect(counts).toBe('| 3 | 1 | 1 | 1 | 1 | 1 | 1 | 1 | 2 |')
  })

  it('V5: names each finding with a link to its line, the worst first', () => {
    expect(markdown).toContain(
      '- FAIL [`.github/workflows/ci.yml:7`](.github/workflows/ci.yml#L7) The token stays on disk.',
    )
    const order = [
      'FAIL · critical · W09',
      'FAIL · high · R01',
      'FAIL · low · R04',
      'ERROR · medium · R06',
      'UNKNOWN · medium',
    ]
    const places = order.map((heading) => markdown.indexOf(heading))
    expect(places).toEqual(places.toSorted((a, b) => a - b))
    expect(places[0]).toBeGreaterThan(0)
  })

  it('V5: says what is waived, what is gone, which sources disagree and which waivers are to be looked after', () => {
    for (const part of [
      '1 finding is waived',
      '1 finding of the baseline is gone',
      'F16 and W09 disagree',
      'unused waiver',
    ])
      expect(markdown).toContain(part)
  })

  it('V5: hostile text is no markup, no link, no mention and no image', () => {
    const withoutCode = markdown.replaceAll(/(?<![\\`])(`+)(?!`)[\s\S]*?[^`]\1(?!`)/g, '')
    expect(withoutCode).not.toMatch(/<(?!\/?(?:details|summary|sub)>|!-- -->|https:)/)
    expect(withoutCode).not.toMatch(/[^\\]\]\((?!\.github|broken|old|portcullis)/)
    expect(withoutCode).not.toMatch(/@(?:everyone|example)|https:\/\/evil|www\.evil/)
    expect(withoutCode).toContain('\\*\\*bold\\*\\*')
    expect(markdown).not.toMatch(/[\u202E\u2028]/)
  })

  it('V5: stays below the length that a comment may have, and says what is left out', () => {
    const results = Array.from({ length: 40 }, (_, index) => {
      const check = checkOf(`R${index}`)
      const findings = Array.from({ length: 40 }, (__, nth) => at('FAIL', `${'A long sentence. '.repeat(10)}${nth}`))
      return resultOf(controlOf('test.many', 'high', [check]), check, findings)
    })
    const long = markdownReport(buildReport({ ...fullReport(), results }))
    expect(long.length).toBeLessThan(65_536)
    expect(long).toContain('… and 15 more')
    expect(long).toContain('is too long for a comment')
  })

  it('V5: a run without findings says so in one line', () => {
    const { fixed: _, waivers: __, ...quiet } = fullReport()
    const check = checkOf('R01')
    const results = [resultOf(controlOf('test.r01', 'high', [check]), check, [])]
    expect(markdownReport(buildReport({ ...quiet, results }))).toContain('Everything that was looked at holds')
  })

  it('V5: no text of a file is a command to the runner whose log the report stands in', () => {
    expect(markdownReport(commandReport())).not.toMatch(runnerCommand)
  })
})
