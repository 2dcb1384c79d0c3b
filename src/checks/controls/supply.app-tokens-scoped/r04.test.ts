import { describe, expect, it } from 'vitest'
import { judged, places, repaired } from '../../checks.fixture.ts'

const path = '.github/workflows/sync.yml'
const job = (steps: string): Record<string, string> => ({
  [path]: `on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n${steps}`,
})
const token = (inputs: readonly string[], id = 't'): string =>
  `      - uses: actions/create-github-app-token@v2\n        id: ${id}\n        with:\n${['app-id: 1', ...inputs].map((line) => `          ${line}\n`).join('')}`
const permission = 'permission-contents: write'

describe('R04', () => {
  it.each([
    ['one name', 'repositories: site'],
    ['one name of an owner', 'repositories: site\n          owner: o'],
    ['the own repository', 'repositories: ${{ github.event.repository.name }}'],
    ['one for each run of the matrix', 'repositories: ${{ matrix.repository }}'],
    ['a list of one', 'repositories: |\n            site'],
  ])('R04: holds for a token with permissions and %s', async (_, repositories) => {
    expect((await judged('R04', job(token([repositories, permission])))).outcome).toBe('PASS')
  })

  it('R04: does not apply without a token of an app', async () => {
    expect((await judged('R04', job('      - run: npm test\n'))).outcome).toBe('NOT_APPLICABLE')
    expect((await judged('R04', { 'README.md': '' })).outcome).toBe('NOT_APPLICABLE')
  })

  it('R04: a workflow that cannot be read is an error', async () => {
    expect((await judged('R04', { [path]: 'jobs: [' })).outcome).toBe('ERROR')
  })

  it.each([
    ['several repositories', `repositories: site,docs`, `${path}:10:25 FAIL`],
    ['several on lines of their own', `repositories: |\n            site\n            docs`, `${path}:10:25 FAIL`],
    ['a whole owner', 'owner: o', `${path}:10:18 FAIL`],
    ['several, computed', 'repositories: site,${{ inputs.other }}', `${path}:10:25 FAIL`],
  ])('R04: is broken by a token for %s', async (_, repositories, place) => {
    expect(places(await judged('R04', job(token([repositories, permission]))))).toEqual([place])
  })

  it.each([
    ['block style', token(['repositories: site']), `${path}:6:15 FAIL`],
    [
      'flow style',
      '      - { uses: actions/create-github-app-token@v2, with: { repositories: site } }\n',
      `${path}:6:17 FAIL`,
    ],
    [
      'quoted',
      '      - "uses": "actions/create-github-app-token@v2"\n        with: { "repositories": "site" }\n',
      `${path}:6:17 FAIL`,
    ],
    ['CRLF', token(['repositories: site']).replaceAll('\n', '\r\n'), `${path}:6:15 FAIL`],
    [
      'anchored',
      `      - &t\n        uses: actions/create-github-app-token@v2\n        with: { repositories: site }\n      - *t\n`,
      `${path}:7:15 FAIL`,
    ],
  ])('R04: is broken without permissions (%s)', async (_, steps, place) => {
    expect(places(await judged('R04', job(steps)))).toEqual([place])
  })

  it('R04: a token that names no repository is broken, and naming the own one is safe', async () => {
    const files = job(token([permission]))
    const result = await judged('R04', files)
    expect(places(result)).toEqual([`${path}:6:15 FAIL`])
    expect((await judged('R04', repaired(result, files))).outcome).toBe('PASS')
  })

  it.each([
    'tibdex/github-app-token@v2',
    'peter-murray/workflow-application-token-action@v4',
    'getsentry/action-github-app-token@v3',
  ])('R04: other actions for it are judged as well (%s)', async (uses) => {
    const result = await judged('R04', job(`      - uses: ${uses}\n        with: { app_id: 1 }\n`))
    expect(result.evidence.map(({ outcome }) => outcome)).toEqual(['FAIL', 'FAIL'])
  })

  it('R04: where only the version of an action tells what a token reaches, it is a doubt', async () => {
    const uses = 'tibdex/github-app-token@b62528385c34dbc9f38e5f4225ac829252d1ea92'
    const steps = `      - uses: ${uses}\n        with: { app_id: 1, permissions: '{}' }\n`
    expect((await judged('R04', job(steps))).outcome).toBe('WARN')
  })

  it('R04: repositories that an expression names are a doubt', async () => {
    expect((await judged('R04', job(token(['repositories: ${{ vars.REPOSITORIES }}', permission])))).outcome).toBe(
      'WARN',
    )
  })

  const good = (id: string): string => token([`repositories: ${id}`, permission], id)
  const checkout = (repository: string, id: string): string =>
    `      - uses: actions/checkout@v4\n        with:\n          repository: ${repository}\n          token: \${{ steps.${id}.outputs.token }}\n`

  it('R04: one token for two repositories is broken', async () => {
    const both = await judged('R04', job(good('t') + checkout('o/site', 't') + checkout('o/docs', 't')))
    expect(places(both)).toEqual([`${path}:19:18 FAIL`])
    const each = await judged('R04', job(good('t') + good('u') + checkout('o/site', 't') + checkout('o/docs', 'u')))
    expect(each.outcome).toBe('PASS')
    const gh = (repository: string): string =>
      `      - run: gh pr list -R ${repository}\n        env: { GH_TOKEN: "\${{ steps.t.outputs.token }}" }\n`
    expect((await judged('R04', job(good('t') + gh('o/site') + gh('o/docs')))).outcome).toBe('FAIL')
  })

  it('R04: one token in two variables of a step is broken; two names of one tool are not', async () => {
    const env = (first: string, second: string): string =>
      `      - run: goreleaser release\n        env:\n          ${first}: \${{ steps.t.outputs.token }}\n          ${second}: \${{ steps.t.outputs.token }}\n`
    expect((await judged('R04', job(good('t') + env('TAP_TOKEN', 'BUCKET_TOKEN')))).outcome).toBe('FAIL')
    expect((await judged('R04', job(good('t') + env('GH_TOKEN', 'GITHUB_TOKEN')))).outcome).toBe('PASS')
  })

  it('R04: two tokens in one variable are a doubt, unless a tool dictates the name', async () => {
    const use = (name: string, id: string): string =>
      `      - run: x\n        env: { ${name}: "\${{ steps.${id}.outputs.token }}" }\n`
    const files = (name: string): Record<string, string> => job(good('t') + good('u') + use(name, 't') + use(name, 'u'))
    expect((await judged('R04', files('TARGET_TOKEN'))).outcome).toBe('WARN')
    expect((await judged('R04', files('GH_TOKEN'))).outcome).toBe('PASS')
  })

  it('R04: a stored token that pushes to another repository is a doubt', async () => {
    const steps =
      '      - uses: actions/checkout@v4\n        with: { repository: o/site, token: "${{ secrets.PAT }}" }\n'
    expect((await judged('R04', job(`${steps}      - run: git push\n`))).outcome).toBe('WARN')
    expect((await judged('R04', job(steps))).outcome).toBe('NOT_APPLICABLE')
  })

  it('R04: a token in a composite action is judged', async () => {
    const action = `name: x\nruns:\n  using: composite\n  steps:\n${token(['repositories: site'])}`
    const result = await judged('R04', { '.github/actions/x/action.yml': action })
    expect(places(result)).toEqual(['.github/actions/x/action.yml:5:15 FAIL'])
  })
})
