import { describe, expect, it } from 'vitest'
import { judged, places } from '../../checks.fixture.ts'
import type { Result } from '../../run.ts'

const path = '.github/workflows/ci.yml'
const sha = '08c6903cd8c0fde910a37f88322edcfb5dd907a8'
const ci = (steps: string): Record<string, string> => ({
  [path]: `on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n${steps}`,
})
const using = (uses: string): Record<string, string> => ci(`      - uses: ${uses}\n`)

describe('R26', () => {
  it.each([
    ['a commit', `actions/checkout@${sha}`],
    ['a commit with its version', `actions/checkout@${sha} # v5.0.0`],
    ['a commit of SHA-256', `actions/checkout@${sha}${sha.slice(0, 24)}`],
    ['a commit of an action in a folder', `github/codeql-action/init@${sha}`],
    ['a local action', './.github/actions/build'],
    ['an action of the same commit', '$/.github/actions/build'],
    ['an image, which is for R28', 'docker://alpine:3.20'],
  ])('R26: holds with %s', async (_, uses) => {
    expect((await judged('R26', using(uses))).outcome).toBe('PASS')
  })

  it('R26: a workflow that runs at no commit is worth a look at the tag of a release, and broken at a branch', async () => {
    const called = (ref: string) => ({
      [path]: `on: push\njobs:\n  a:\n    uses: slsa-framework/slsa-github-generator/.github/workflows/generator_generic_slsa3.yml@${ref}\n`,
    })
    expect(places(await judged('R26', called('v2.1.0')))).toEqual([`${path}:4:11 WARN`])
    expect(places(await judged('R26', called('main')))).toEqual([`${path}:4:11 FAIL`])
    expect(places(await judged('R26', called('v2')))).toEqual([`${path}:4:11 FAIL`])
  })

  it('R26: does not apply without a workflow', async () => {
    expect((await judged('R26', { 'README.md': '# nothing' })).outcome).toBe('NOT_APPLICABLE')
  })

  it('R26: a workflow that cannot be read is an error at its place', async () => {
    const result = await judged('R26', { [path]: 'on: push\njobs:\n  test: [unclosed\n' })
    expect(places(result)).toEqual([`${path}:4:1 ERROR`])
  })

  it.each([
    ['block style', '      - uses: actions/checkout@v5\n', '6:15'],
    ['flow style', '      - { uses: actions/checkout@v5 }\n', '6:17'],
    ['quoted', '      - "uses": "actions/checkout@v5"\n', '6:17'],
    ['anchored', '      - &checkout\n        uses: actions/checkout@v5\n      - *checkout\n', '7:15'],
    ['CRLF', '      - uses: actions/checkout@v5\r\n', '6:15'],
  ])('R26: is broken by a tag (%s)', async (_, steps, place) => {
    const result = await judged('R26', ci(steps))
    expect(places(result)).toEqual([`${path}:${place} FAIL`])
    expect(result.evidence[0]?.subject).toBe('actions/checkout@v5')
  })

  it.each([
    ['a branch', 'o/r@main', /"main", a tag or branch/],
    ['a short commit', 'o/r@08c6903', /short commit/],
    ['an action in a folder', 'o/r/deep/er@v1.2.3', /^o\/r\/deep\/er is taken/],
    ['39 digits', `o/r@${sha.slice(1)}`, /short commit/],
  ])('R26: is broken by %s', async (_, uses, detail) => {
    const { outcome, evidence } = await judged('R26', using(uses))
    expect(outcome).toBe('FAIL')
    expect(evidence[0]?.detail).toMatch(detail)
  })

  it.each([
    ['no ref', 'actions/checkout'],
    ['an expression', '"o/r@${{ inputs.ref }}"'],
    ['only an expression', '"${{ matrix.action }}"'],
  ])('R26: %s is an error, as it is to GitHub', async (_, uses) => {
    expect((await judged('R26', using(uses))).outcome).toBe('ERROR')
  })

  it('R26: is broken by a reusable workflow at a tag, not by a local one', async () => {
    const files = {
      [path]:
        'on: push\njobs:\n  a:\n    uses: o/r/.github/workflows/x.yml@v1\n  b:\n    uses: ./.github/workflows/y.yml\n',
    }
    expect(places(await judged('R26', files))).toEqual([`${path}:4:11 FAIL`])
  })

  it('R26: is broken in a composite action without any workflow', async () => {
    const action = 'runs:\n  using: composite\n  steps:\n    - uses: actions/cache@v4\n'
    expect(places(await judged('R26', { 'build/action.yml': action }))).toEqual(['build/action.yml:4:13 FAIL'])
  })

  const fromElsewhere = (given: string): Promise<Result> => {
    const steps = `      - uses: actions/checkout@${'a'.repeat(40)}\n        with: { ${given} }\n      - uses: ./tools/setup\n`
    return judged('R26', { '.github/workflows/a.yml': `on: push\njobs:\n  a:\n    steps:\n${steps}` })
  }

  it.each([
    'repository: o/tools, path: tools',
    'repository: o/tools, path: ./tools/, ref: main',
    'repository: o/tools',
  ])('R26: a local action in the checkout of another repository at no commit is worth a look: %s', async (given) => {
    expect(places(await fromElsewhere(given))).toEqual(['.github/workflows/a.yml:7:15 WARN'])
  })

  it.each([
    `repository: o/tools, path: tools, ref: ${'b'.repeat(40)}`,
    'repository: o/tools, path: elsewhere',
    'path: tools',
    "repository: '${{ github.event.pull_request.head.repo.full_name }}'",
  ])('R26: a local action of this repository, or of a commit, holds: %s', async (given) => {
    expect((await fromElsewhere(given)).outcome).toBe('PASS')
  })
})
