import { describe, expect, it } from 'vitest'
import { judged, places } from '../../checks.fixture.ts'

const path = '.github/workflows/ci.yml'
const steps = (text: string): Record<string, string> => ({
  [path]: `on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n${text}`,
})
const checkout = steps('      - uses: actions/checkout@v4\n')
const dependabot = (...names: readonly string[]): Record<string, string> => ({
  '.github/dependabot.yml': `version: 2\nupdates:\n${names.map((name) => `  - package-ecosystem: ${name}\n    directory: /\n`).join('')}`,
})
const renovate = (text = '{ "extends": ["config:recommended"] }'): Record<string, string> => ({ 'renovate.json': text })
const buf = (rest: string): Record<string, string> =>
  steps(`      - uses: bufbuild/buf-setup-action@v1\n        with:\n${rest}`)
const outcomes = async (files: Record<string, string>): Promise<readonly string[]> =>
  (await judged('R08', files)).evidence.map(({ outcome, path: at, line }) => `${outcome} ${at}:${line}`)

describe('R08', () => {
  it.each([
    ['Renovate looks after all of it', { ...checkout, ...renovate(), 'uv.lock': '', Dockerfile: '', 'go.sum': '' }],
    [
      'Dependabot looks after each',
      { ...checkout, ...dependabot('github-actions', 'npm', 'docker'), 'yarn.lock': '', Dockerfile: '' },
    ],
    ['managers are named', { 'poetry.lock': '', ...renovate('{ "enabledManagers": ["poetry"] }') }],
    [
      'requirements have no versions',
      {
        'requirements.txt': 'flask>=3\n',
        'a/requirements.txt': '',
        ...renovate('{ "enabledManagers": ["npm"] }'),
        'yarn.lock': '',
      },
    ],
    ['a lock is test data', { 'test/fixtures/yarn.lock': '', ...checkout, ...renovate() }],
    [
      'a comment marks the version',
      { ...buf('          version: v1.2.3 # renovate: datasource=github-releases\n'), ...dependabot('github-actions') },
    ],
    [
      'a comment above says how',
      {
        ...buf(
          '          # Raised by hand with every release\n          # of the schema.\n          version: v1.2.3\n',
        ),
        ...dependabot('github-actions'),
      },
    ],
    [
      'Renovate has a manager of its own for it',
      { ...buf('          version: v1.2.3\n'), ...renovate('{ "extends": ["customManagers:githubActionsVersions"] }') },
    ],
    [
      'Renovate knows the action',
      { ...steps('      - uses: astral-sh/setup-uv@v6\n        with: { version: 0.8.3 }\n'), ...renovate() },
    ],
    [
      'a language is no tool',
      {
        ...steps('      - uses: actions/setup-node@v4\n        with: { node-version: 22.1.0 }\n'),
        ...dependabot('github-actions'),
      },
    ],
  ])('R08: holds where %s', async (_, files: Record<string, string>) => {
    expect(await outcomes({ ...files, 'README.md': '' })).toEqual([])
  })

  it.each([
    ['no updater', checkout, [`FAIL ${path}:1`]],
    [
      'an updater for something else',
      { ...dependabot('npm'), ...checkout, 'uv.lock': '' },
      ['FAIL uv.lock:1', `FAIL ${path}:1`],
    ],
    [
      'managers that leave one out',
      { 'uv.lock': '', ...renovate('{ "enabledManagers": ["npm"] }') },
      ['FAIL uv.lock:1'],
    ],
    ['Renovate that is off', { 'uv.lock': '', ...renovate('{ "enabled": false }') }, ['FAIL uv.lock:1']],
    ['versions that nobody raises', { 'requirements.txt': 'flask==3.0.0\n' }, ['FAIL requirements.txt:1']],
    [
      'a tool that nobody raises',
      { ...buf('          version: v1.2.3\n'), ...dependabot('github-actions') },
      [`FAIL ${path}:8`],
    ],
    [
      'a command that nobody raises',
      { ...steps('      - run: npx cowsay@1.2.3\n'), ...renovate() },
      [`FAIL ${path}:6`],
    ],
    [
      'presets elsewhere',
      { ...buf('          version: v1.2.3\n'), ...renovate('{ "extends": ["github>org/x"] }') },
      [`WARN ${path}:8`],
    ],
    [
      'a workflow of its own',
      {
        'uv.lock': '',
        [path]:
          'on: { schedule: [{ cron: "1 1 1 * *" }] }\njobs: { a: { runs-on: x, steps: [{ run: gh pr create }] } }\n',
      },
      ['WARN uv.lock:1'],
    ],
  ])('R08: says so where there is %s', async (_, files: Record<string, string>, expected) => {
    expect(await outcomes(files)).toEqual(expected)
  })

  const bare = buf('          version: v1.2.3\n')
  it.each([
    [
      'flow style',
      steps('      - { uses: bufbuild/buf-setup-action@v1, with: { version: v1.2.3 } }\n'),
      `${path}:6:64 FAIL`,
    ],
    ['quoted', buf('          "version": "v1.2.3"\n'), `${path}:8:22 FAIL`],
    ['CRLF', { [path]: (bare[path] ?? '').replaceAll('\n', '\r\n') }, `${path}:8:20 FAIL`],
    [
      'anchored',
      buf('          version: &v v1.2.3\n      - uses: bufbuild/buf-setup-action@v1\n        with: { version: *v }\n'),
      `${path}:8:23 FAIL`,
    ],
  ])('R08: has the same finding in %s', async (_, files: Record<string, string>, place) => {
    expect(places(await judged('R08', { ...files, ...dependabot('github-actions') }))).toEqual([place])
  })

  it('R08: an updater whose settings cannot be read is an error', async () => {
    expect(await outcomes({ 'uv.lock': '', ...renovate('{ "a": ') })).toEqual(['ERROR renovate.json:1'])
  })

  it('R08: does not apply where nothing is pinned', async () => {
    expect((await judged('R08', { 'README.md': '' })).outcome).toBe('NOT_APPLICABLE')
  })
})
