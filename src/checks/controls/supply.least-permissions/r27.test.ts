import { describe, expect, it } from 'vitest'
import { judged, places, repaired } from '../../checks.fixture.ts'

const path = '.github/workflows/ci.yml'
const job = (id: string, more = '', step = 'run: make'): string =>
  `  ${id}:\n${more}    runs-on: ubuntu-latest\n    steps:\n      - ${step}\n`
const ci = (top: string, jobs: string, on = 'push'): Record<string, string> => ({
  [path]: `on: ${on}\n${top}jobs:\n${jobs}`,
})
const own = '    permissions:\n      contents: write\n'

describe('R27', () => {
  it.each([
    ['nothing at the top', ci('permissions: {}\n', job('a') + job('b'))],
    ['reading at the top', ci('permissions:\n  contents: read\n', job('a') + job('b', own))],
    ['permissions on every job', ci('', job('a', own) + job('b', '    permissions: {}\n'))],
    ['writing at the top of one job', ci('permissions:\n  contents: write\n', job('a'))],
    ['writing at the top where one job takes it', ci('permissions:\n  contents: write\n', job('a') + job('b', own))],
    ['reading everything at the top where no job takes it', ci('permissions: read-all\n', job('a', own))],
    ['a workflow that others call', ci('', job('a'), 'workflow_call')],
    ['scopes in braces', ci('permissions: { contents: read, issues: none }\n', job('a'))],
  ])('R27: holds with %s', async (_, files) => {
    expect((await judged('R27', files)).outcome).toBe('PASS')
  })

  it('R27: does not apply without a workflow', async () => {
    expect((await judged('R27', { 'action.yml': 'runs: {}' })).outcome).toBe('NOT_APPLICABLE')
  })

  it('R27: a workflow that cannot be read is an error at its place', async () => {
    expect(places(await judged('R27', { [path]: 'on: push\njobs:\n  test: [unclosed\n' }))).toEqual([
      `${path}:4:1 ERROR`,
    ])
  })

  it('R27: is broken without any permissions, once for the workflow', async () => {
    const result = await judged('R27', ci('', job('a') + job('b')))
    expect(places(result)).toEqual([`${path}:2:1 FAIL`])
  })

  it('R27: is broken by the one job without permissions', async () => {
    const result = await judged('R27', ci('', job('a', own) + job('b')))
    expect(places(result)).toEqual([`${path}:9:3 FAIL`])
  })

  it.each([
    ['block style', 'permissions: write-all\n', `${path}:2:14 FAIL`],
    ['quoted', '"permissions": "write-all"\n', `${path}:2:16 FAIL`],
    ['anchored', 'permissions: &all write-all\n', `${path}:2:19 FAIL`],
    ['CRLF', 'permissions: write-all\r\n', `${path}:2:14 FAIL`],
  ])('R27: is broken by all permissions at once (%s)', async (_, top, place) => {
    const result = await judged('R27', ci(top, job('a')))
    expect(places(result)).toEqual([place])
    expect(result.evidence[0]?.subject).toBe('write-all')
  })

  it('R27: is broken by a job with all permissions', async () => {
    const result = await judged('R27', ci('permissions: {}\n', job('a', '    permissions: write-all\n')))
    expect(places(result)).toEqual([`${path}:5:18 FAIL`])
  })

  it('R27: reading everything is worth a look', async () => {
    expect((await judged('R27', ci('permissions: read-all\n', job('a')))).outcome).toBe('WARN')
  })

  it.each([
    ['block style', 'permissions:\n  contents: write\n', '3:3'],
    ['flow style', 'permissions: { contents: write }\n', '2:16'],
  ])('R27: is broken by writing for jobs that have no use for it (%s)', async (_, top, place) => {
    const result = await judged('R27', ci(top, job('a') + job('b', '', 'run: git push')))
    expect(places(result)).toEqual([`${path}:${place} FAIL`])
    expect(result.evidence[0]?.detail).toContain('"a", which shows no use for it')
  })

  it('R27: writing for several jobs that all may need it is worth a look', async () => {
    const closing = 'env: { GH_TOKEN: "${{ github.token }}" }'
    const result = await judged(
      'R27',
      ci('permissions:\n  issues: write\n', job('a', '', closing) + job('b', '', closing)),
    )
    expect(result.outcome).toBe('WARN')
  })

  it.each([
    ['a list', 'permissions: [contents]\n'],
    ['an expression', 'permissions: ${{ inputs.all }}\n'],
    ['nothing', 'permissions:\n'],
    ['an unknown level', 'permissions: { contents: admin }\n'],
  ])('R27: %s is an error, as it is to GitHub', async (_, top) => {
    expect((await judged('R27', ci(top, job('a')))).outcome).toBe('ERROR')
  })

  it('R27: a call of a local workflow that restricts itself holds, another one does not', async () => {
    const call = '  a:\n    uses: ./.github/workflows/called.yml\n'
    const called = (top: string): Record<string, string> => ({
      '.github/workflows/called.yml': `on: workflow_call\n${top}jobs:\n${job('x')}`,
    })
    expect((await judged('R27', { ...ci('', call), ...called('permissions: {}\n') })).outcome).toBe('PASS')
    expect((await judged('R27', { ...ci('', call), ...called('') })).outcome).toBe('FAIL')
  })

  describe('the fix', () => {
    const checkout = 'uses: actions/checkout@v5\n        with:\n          persist-credentials: false'
    it.each([
      ['is safe where nothing has the token', job('a', '', checkout) + job('b'), 'safe'],
      ['is not where the checkout leaves it', job('a', '', 'uses: actions/checkout@v5'), 'unsafe'],
      ['is not where a step takes it', job('a', '', 'run: x ${{ secrets.GITHUB_TOKEN }}'), 'unsafe'],
      ['is not where an unknown action may take it', job('a', '', 'uses: o/release@v1'), 'unsafe'],
    ])('R27: %s', async (_, jobs, safety) => {
      for (const lineEnd of ['\n', '\r\n']) {
        const files = { [path]: (ci('', jobs)[path] ?? '').replaceAll('\n', lineEnd) }
        const result = await judged('R27', files)
        expect(result.evidence.map(({ fix }) => fix?.safety)).toEqual([safety])
        const mended = repaired(result, files, 'unsafe')
        expect(mended[path]).toBe(
          files[path]?.replace('jobs:', ['permissions:', '  contents: read', '', 'jobs:'].join(lineEnd)),
        )
        expect((await judged('R27', mended)).outcome).toBe('PASS')
      }
    })
  })
})
