import { describe, expect, it } from 'vitest'
import { judged, places, repaired } from '../../checks.fixture.ts'

const path = '.github/dependabot.yml'
const entry = (rest = ''): string =>
  `version: 2\nupdates:\n  - package-ecosystem: npm\n    directory: /\n    schedule:\n      interval: weekly\n${rest}`

describe('R06', () => {
  it.each([
    ['every entry waits', { [path]: entry('    cooldown:\n      default-days: 3\n') }],
    [
      'single packages are taken out',
      { [path]: entry('    cooldown:\n      default-days: 7\n      exclude: ["@own/*"]\n') },
    ],
    ['only vulnerabilities are updated', { [path]: entry('    open-pull-requests-limit: 0\n') }],
    ['npm waits', { 'package-lock.json': '{}', '.npmrc': '# why\nmin-release-age = 3\n' }],
    ['pnpm waits, told above', { 'a/b/pnpm-lock.yaml': '', 'a/pnpm-workspace.yaml': 'minimumReleaseAge: 4320\n' }],
    ['yarn waits', { 'yarn.lock': '', '.yarnrc.yml': 'npmMinimalAgeGate: 3d\n' }],
    ['bun waits', { 'bun.lock': '', 'bunfig.toml': '[install]\nminimumReleaseAge = 259200\n' }],
    ['uv waits', { 'uv.lock': '', 'pyproject.toml': '[tool.uv]\nexclude-newer = "P3D"\n' }],
    ['uv stands still', { 'uv.lock': '', 'uv.toml': 'exclude-newer = "2025-01-01T00:00:00Z"\n' }],
    [
      'the lock is test data',
      { 'test/fixtures/package-lock.json': '{}', [path]: entry('    cooldown: { default-days: 3 }\n') },
    ],
  ])('R06: holds where %s', async (_, files) => {
    expect((await judged('R06', files)).outcome).toBe('PASS')
  })

  const warned = { [path]: entry('    cooldown:\n      default-days: 3\n'), 'package-lock.json': '{}' }
  it('R06: a lock file under an updater, with a package manager that takes anything, is a hint', async () => {
    expect(places(await judged('R06', warned))).toEqual(['package-lock.json:1:1 WARN'])
  })

  it.each([
    ['a lock file nobody looks after', { 'uv.lock': '' }, ['uv.lock:1:1 FAIL']],
    ['npm that waits too short', { 'package-lock.json': '', '.npmrc': 'min-release-age=1' }, ['.npmrc:1:17 FAIL']],
    [
      'pnpm that waits too short',
      { 'pnpm-lock.yaml': '', 'pnpm-workspace.yaml': 'minimumReleaseAge: 3' },
      ['pnpm-workspace.yaml:1:20 FAIL'],
    ],
    [
      'npm that is told nonsense',
      { 'package-lock.json': '', '.npmrc': 'min-release-age=3 days' },
      ['.npmrc:1:17 FAIL'],
    ],
    [
      'a wait for some packages',
      { [path]: entry('    cooldown:\n      default-days: 5\n      include: [lodash]\n') },
      [`${path}:9:16 FAIL`],
    ],
    [
      'a wait that takes out every package',
      { [path]: entry('    cooldown:\n      default-days: 5\n      exclude: ["*"]\n') },
      [`${path}:9:16 FAIL`],
    ],
  ])('R06: is broken by %s', async (_, files, expected) => {
    expect(places(await judged('R06', files))).toEqual(expected)
  })

  it.each([
    ['no cooldown', entry(), 3],
    ['a short one', entry('    cooldown:\n      default-days: 1\n'), 8],
    ['none for patches', entry('    cooldown:\n      default-days: 3\n      semver-patch-days: 0\n'), 9],
    ['none by default', entry('    cooldown:\n      semver-major-days: 30\n'), 3],
    [
      'flow style',
      'version: 2\nupdates:\n  - { package-ecosystem: npm, directory: /, schedule: { interval: daily } }\n',
      3,
    ],
    ['quoted', entry().replace('package-ecosystem: npm', '"package-ecosystem": "npm"'), 3],
    ['CRLF', entry().replaceAll('\n', '\r\n'), 3],
    ['anchored', entry().replace('- package', '- &npm\n    package') + '  - *npm\n', 4],
  ])('R06: is broken by %s, and the fix mends it', async (_, text, line) => {
    const files = { [path]: text }
    const result = await judged('R06', files)
    expect(result.evidence.map((each) => `${each.line} ${each.outcome}`)).toEqual([`${line} FAIL`])
    expect((await judged('R06', repaired(result, files, 'unsafe'))).outcome).toBe('PASS')
  })

  it('R06: what cannot be read is an error at its place', async () => {
    expect(places(await judged('R06', { [path]: 'version: 2\nupdates: {}\n' }))).toEqual([`${path}:2:10 ERROR`])
    expect(places(await judged('R06', { 'uv.lock': '', 'uv.toml': 'a = [1' }))).toContain('uv.toml:1:7 ERROR')
  })

  it('R06: does not apply without Dependabot and lock files', async () => {
    expect((await judged('R06', { 'README.md': '' })).outcome).toBe('NOT_APPLICABLE')
  })
})
