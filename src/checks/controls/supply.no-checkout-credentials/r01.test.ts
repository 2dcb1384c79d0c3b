import { describe, expect, it } from 'vitest'
import { judged, places, repaired } from '../../checks.fixture.ts'

const path = '.github/workflows/ci.yml'
const ci = (steps: string): Record<string, string> => ({
  [path]: `on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n${steps}`,
})
const checkout = '      - uses: actions/checkout@v4\n'
const run = (script: string): string => `      - run: ${script}\n`

describe('R01', () => {
  it.each(['false', "'false'", '"false"', 'False', '${{ false }}', 'no'])(
    'R01: holds where the checkout leaves no credentials (%s)',
    async (value) => {
      const result = await judged('R01', ci(`${checkout}        with:\n          persist-credentials: ${value}\n`))
      expect(result.outcome).toBe('PASS')
    },
  )

  it('R01: does not apply without a workflow', async () => {
    expect((await judged('R01', { 'README.md': '# nothing' })).outcome).toBe('NOT_APPLICABLE')
  })

  it('R01: a workflow that cannot be read is an error at its place', async () => {
    const result = await judged('R01', { [path]: 'on: push\njobs:\n  test: [unclosed\n' })
    expect(result.outcome).toBe('ERROR')
    expect(places(result)).toEqual([`${path}:4:1 ERROR`])
  })

  it.each([
    ['block style', ci(checkout), `${path}:6:15 FAIL`],
    ['flow style', ci('      - { uses: actions/checkout@v4 }\n'), `${path}:6:17 FAIL`],
    ['quoted', ci('      - "uses": "actions/checkout@v4"\n'), `${path}:6:17 FAIL`],
    ['CRLF', { [path]: ci(checkout)[path]?.replaceAll('\n', '\r\n') ?? '' }, `${path}:6:15 FAIL`],
    ['anchored', ci('      - &checkout\n        uses: actions/checkout@v4\n      - *checkout\n'), `${path}:7:15 FAIL`],
    ['another case', ci('      - uses: Actions/Checkout@v4\n'), `${path}:6:15 FAIL`],
  ])('R01: is broken by a bare checkout (%s)', async (_, files, place) => {
    const result = await judged('R01', files)
    expect(places(result)).toEqual([place])
    expect((await judged('R01', repaired(result, files))).outcome).toBe('PASS')
  })

  it('R01: an explicit true in a job that does not push fails, and its fix is not safe', async () => {
    const files = ci(`${checkout}        with:\n          persist-credentials: true\n`)
    const result = await judged('R01', files)
    expect(places(result)).toEqual([`${path}:8:32 FAIL`])
    expect(result.evidence[0]?.fix?.safety).toBe('unsafe')
    expect((await judged('R01', repaired(result, files, 'unsafe'))).outcome).toBe('PASS')
  })

  it('R01: an expression that nobody can evaluate is a doubt', async () => {
    const result = await judged(
      'R01',
      ci(`${checkout}        with:\n          persist-credentials: \${{ inputs.keep }}\n`),
    )
    expect(result.outcome).toBe('WARN')
  })

  it.each([
    'git push origin main',
    'git -C . push',
    'git -c user.name=bot push --tags',
    'sudo -E git push',
    'env GIT_TRACE=1 timeout 60 git push',
    "bash -c 'git push'",
    'f() { git push; }; f',
    'if true; then git push https://x:${{ secrets.T }}@github.com/o/r; fi',
    'git subtree push --prefix docs origin gh-pages',
    'npx semantic-release',
    'pnpm exec lerna version --yes',
    'mkdocs gh-deploy --force',
    'cargo release --execute',
    'python -m mkdocs gh-deploy',
  ])('R01: a job that pushes keeps its credentials (%s)', async (script) => {
    expect((await judged('R01', ci(checkout + run(JSON.stringify(script))))).outcome).toBe('PASS')
  })

  it.each([
    'git stash push',
    'git remote set-url --push origin x',
    'docker push ghcr.io/o/i:1',
    'echo git push',
    'git commit -m "push"',
    'gh release create v1',
    'npx semantic-release --dry-run',
    'npm test',
    'make test',
    './gradlew publish',
  ])('R01: what is no push of this repository does not count (%s)', async (script) => {
    expect((await judged('R01', ci(checkout + run(JSON.stringify(script))))).outcome).toBe('FAIL')
  })

  it.each([
    'stefanzweifel/git-auto-commit-action@v5',
    'peter-evans/create-pull-request@v7',
    'changesets/action@v1',
    'JamesIves/github-pages-deploy-action@v4',
    'EndBug/add-and-commit@v9',
  ])('R01: an action that pushes keeps its credentials (%s)', async (action) => {
    expect((await judged('R01', ci(`${checkout}      - uses: ${action}\n`))).outcome).toBe('PASS')
  })

  it('R01: a push before the checkout does not excuse it', async () => {
    const result = await judged('R01', ci(`${run('git push')}${checkout}`))
    expect(places(result)).toEqual([`${path}:7:15 FAIL`])
  })

  it('R01: of several checkouts only that of the pushed folder keeps its credentials', async () => {
    const second =
      '      - uses: actions/checkout@v4\n        with:\n          repository: o/site\n          path: site\n'
    const result = await judged(
      'R01',
      ci(`${checkout}${second}      - run: git push\n        working-directory: site\n`),
    )
    expect(places(result)).toEqual([`${path}:6:15 FAIL`])
    const inScript = await judged('R01', ci(`${checkout}${second}${run('cd site && git push')}`))
    expect(places(inScript)).toEqual([`${path}:6:15 FAIL`])
  })

  it.each([
    [
      'npm run release',
      { 'package.json': '{"scripts":{"release":"npm version patch && git push --follow-tags"}}' },
      'PASS',
    ],
    ['npm run ship', { 'package.json': '{"scripts":{"postship":"git push","ship":"true"}}' }, 'PASS'],
    [
      'yarn ship',
      { 'package.json': '{"scripts":{"ship":"sh scripts/ship.sh"}}', 'scripts/ship.sh': 'git push\n' },
      'PASS',
    ],
    ['./scripts/ship.sh', { 'scripts/ship.sh': '#!/bin/bash\ngit push\n' }, 'PASS'],
    ['./scripts/ship.sh', { 'scripts/ship.sh': '#!/bin/bash\nnpm test\n' }, 'FAIL'],
    ['./scripts/ship', { 'scripts/ship': '#!/usr/bin/env bash\ngit push\n' }, 'PASS'],
    ['./scripts/release.sh', {}, 'WARN'],
    ['npm run release', {}, 'WARN'],
    ['npm run build', {}, 'FAIL'],
    ['make ship', { Makefile: 'ship:\n\tgit push\n' }, 'WARN'],
    ['make ship', { Makefile: 'ship:\n\tgo build\n' }, 'FAIL'],
    ['node tools/publish.js', {}, 'WARN'],
  ])('R01: looks into what a step runs (%s, case %#)', async (script, files, outcome) => {
    const result = await judged('R01', { ...ci(checkout + run(script)), ...files })
    expect(result.outcome).toBe(outcome)
    if (outcome === 'WARN') expect(result.evidence[0]?.fix).toMatchObject({ safety: 'unsafe' })
  })

  it('R01: a later fetch makes the fix unsafe, not the finding doubtful', async () => {
    const result = await judged('R01', ci(`${checkout}${run('git fetch --tags')}`))
    expect(result.outcome).toBe('FAIL')
    expect(result.evidence[0]?.fix).toMatchObject({ safety: 'unsafe' })
  })

  it.each([
    ['pushes', 'git push', 'PASS'],
    ['does not push', 'npm ci', 'FAIL'],
  ])('R01: a composite action of the repository that %s', async (_, script, outcome) => {
    const action = `name: x\nruns:\n  using: composite\n  steps:\n    - run: ${script}\n      shell: bash\n`
    const files = { ...ci(`${checkout}      - uses: ./.github/actions/x\n`), '.github/actions/x/action.yml': action }
    expect((await judged('R01', files)).outcome).toBe(outcome)
  })

  it('R01: a checkout in a composite action is a doubt, because its callers are not known', async () => {
    const action = `name: x\nruns:\n  using: composite\n  steps:\n${checkout.replace('      -', '    -')}`
    const result = await judged('R01', { '.github/actions/x/action.yml': action })
    expect(places(result)).toContain('.github/actions/x/action.yml:5:13 WARN')
  })

  it('R01: the fingerprint stays when the job is renamed and lines move', async () => {
    const before = await judged('R01', ci(checkout))
    const text = `# moved\n${ci(checkout)[path]?.replace('  test:', '  unit:') ?? ''}`
    const after = await judged('R01', { [path]: text })
    expect(after.evidence[0]?.fingerprint).toBe(before.evidence[0]?.fingerprint)
  })

  it.each(["${{ 'true' }}", "${{ 'TRUE' }}", "${{ '' }}true", "tr${{ 'ue' }}"])(
    'R01: an expression of which the action makes true keeps the token: %s',
    async (persist) => {
      const text = `on: push\njobs:\n  a:\n    steps:\n      - uses: actions/checkout@v4\n        with:\n          persist-credentials: ${persist}\n`
      expect((await judged('R01', { '.github/workflows/a.yml': text })).outcome).toBe('FAIL')
    },
  )

  it('R01: the name of the input is written in any case, and is never there twice after the fix', async () => {
    const at = (value: string): Record<string, string> => ({
      '.github/workflows/a.yml': `on: push\njobs:\n  a:\n    steps:\n      - uses: actions/checkout@v4\n        with:\n          Persist-Credentials: ${value}\n`,
    })
    expect((await judged('R01', at('false'))).outcome).toBe('PASS')
    expect(repaired(await judged('R01', at('true')), at('true'), 'unsafe')).toEqual(at('false'))
  })
})
