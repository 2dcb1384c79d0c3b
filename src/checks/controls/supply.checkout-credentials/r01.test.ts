import { describe, expect, it } from 'vitest'
import { judged, places, repaired } from '../../checks.fixture.ts'

const path = '.github/workflows/ci.yml'
const ci = (steps: string): Record<string, string> => ({
  [path]: `on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n${steps}`,
})

describe('R01', () => {
  it('R01: holds where the checkout leaves no credentials', async () => {
    const result = await judged(
      'R01',
      ci('      - uses: actions/checkout@v4\n        with:\n          persist-credentials: false\n'),
    )
    expect(result.outcome).toBe('PASS')
  })

  it('R01: does not apply without a workflow', async () => {
    expect((await judged('R01', { 'README.md': '# nothing' })).outcome).toBe('NOT_APPLICABLE')
  })

  it('R01: a workflow that cannot be read is an error at its place', async () => {
    const result = await judged('R01', { [path]: 'on: push\njobs:\n  test: [unclosed\n' })
    expect(result.outcome).toBe('ERROR')
    expect(places(result)).toEqual([`${path}:4:1 ERROR`])
  })

  it.each([
    ['block style', ci('      - uses: actions/checkout@v4\n'), `${path}:6:15 FAIL`],
    ['flow style', ci('      - { uses: actions/checkout@v4 }\n'), `${path}:6:17 FAIL`],
    ['quoted', ci('      - "uses": "actions/checkout@v4"\n'), `${path}:6:17 FAIL`],
    [
      'CRLF',
      { [path]: ci('      - uses: actions/checkout@v4\n')[path]?.replaceAll('\n', '\r\n') ?? '' },
      `${path}:6:15 FAIL`,
    ],
    ['anchored', ci('      - &checkout\n        uses: actions/checkout@v4\n      - *checkout\n'), `${path}:7:15 FAIL`],
  ])('R01: is broken by a bare checkout (%s)', async (_, files, place) => {
    const result = await judged('R01', files)
    expect(places(result)).toEqual([place])
    expect((await judged('R01', repaired(result, files))).outcome).toBe('PASS')
  })

  it('R01: a job that pushes keeps its credentials', async () => {
    const result = await judged('R01', ci('      - uses: actions/checkout@v4\n      - run: git push origin main\n'))
    expect(result.outcome).toBe('PASS')
  })
})
