import { describe, expect, it } from 'vitest'
import { judged, places, repaired } from '../../checks.fixture.ts'

const path = 'renovate.json5'
const config = (text: string): Record<string, string> => ({ [path]: text })
const details = async (text: string): Promise<readonly string[]> =>
  (await judged('R05', config(text))).evidence.map(({ outcome, detail }) => `${outcome} ${detail}`)

describe('R05', () => {
  it.each([
    ['the wait is at the root', `{ extends: ['config:recommended'], minimumReleaseAge: '3 days' }`],
    ['minors merge after a wait', `{ extends: [':automergeMinor'], minimumReleaseAge: '1 week', ignoreTests: false }`],
    ['in hours', `{ minimumReleaseAge: '72 hours' }`],
    ['in several parts', `{ minimumReleaseAge: '2 days 24h' }`],
    ['in months', `{ minimumReleaseAge: '1 month' }`],
    ['by its old name', `{ stabilityDays: 3 }`],
    ['a rule for all packages', `{ packageRules: [{ matchPackageNames: ['*'], minimumReleaseAge: '5 days' }] }`],
    [
      'majors are taken out by a later rule',
      `{ automerge: true, minimumReleaseAge: '3 days', packageRules: [{ matchUpdateTypes: ['major'], automerge: false }] }`,
    ],
    ['majors are off', `{ automerge: true, minimumReleaseAge: '3 days', major: { enabled: false } }`],
    [
      'a later rule without a wait takes none away',
      `{ minimumReleaseAge: '3 days', packageRules: [{ matchPackageNames: ['x'], matchUpdateTypes: ['minor'], automerge: true }] }`,
    ],
    [
      'a vulnerability may be mended at once',
      `{ minimumReleaseAge: '3 days', vulnerabilityAlerts: { minimumReleaseAge: null, labels: ['security'] } }`,
    ],
    [
      'pins and disabled packages need none',
      `{ minimumReleaseAge: '3 days', pin: { automerge: true }, packageRules: [{ matchPackageNames: ['x'], enabled: false, minimumReleaseAge: null }] }`,
    ],
  ])('R05: holds where %s', async (_, text) => {
    const result = await judged('R05', config(text))
    expect(result.evidence).toEqual([])
    expect(result.outcome).toBe('PASS')
  })

  it.each([
    ['nothing waits', `{ extends: ['config:recommended'] }`, 'FAIL Updates are offered as soon as they are released.'],
    [
      'minors merge at once',
      `{ extends: [':automergeMinor'] }`,
      'FAIL Updates are merged without anybody looking as soon as they are released.',
    ],
    ['the wait is short', `{ minimumReleaseAge: '2 days' }`, 'FAIL Updates are offered before they are 3 days old.'],
    [
      'a bare number is milliseconds',
      `{ minimumReleaseAge: '3' }`,
      'FAIL Updates are offered before they are 3 days old.',
    ],
    [
      'the wait is no stretch of time',
      `{ minimumReleaseAge: 'three days' }`,
      'FAIL "three days" is no stretch of time that Renovate understands.',
    ],
    ['majors merge', `{ automerge: true, minimumReleaseAge: '3 days' }`, 'FAIL Major updates merge by themselves.'],
    [
      'a rule lets majors merge',
      `{ minimumReleaseAge: '3 days', packageRules: [{ matchUpdateTypes: ['major', 'minor'], automerge: true }] }`,
      'FAIL Major updates merge by themselves.',
    ],
    [
      'a later rule takes the wait away',
      `{ minimumReleaseAge: '3 days', packageRules: [{ matchPackageNames: ['x'], minimumReleaseAge: null }] }`,
      'WARN Single packages are taken out of the wait: that is for packages of your own.',
    ],
    [
      'a later rule takes it away from what merges',
      `{ minimumReleaseAge: '3 days', packageRules: [{ matchPackageNames: ['x'], matchUpdateTypes: ['patch'], automerge: true, minimumReleaseAge: null }] }`,
      'FAIL The wait is taken away: updates are merged without anybody looking as soon as they are released.',
    ],
    [
      'a rule for packages of any kind merges, and only npm waits',
      `{ extends: ['security:minimumReleaseAgeNpm'], packageRules: [{ matchDepTypes: ['devDependencies'], matchUpdateTypes: ['minor', 'patch'], automerge: true }, { matchManagers: ['npm'], matchUpdateTypes: ['patch'], automerge: true }, { matchPackageNames: ['*'], matchUpdateTypes: ['minor', 'patch'], matchManagers: ['cargo'], minimumReleaseAge: '3 days' }], minor: { enabled: true } }`,
      'WARN Only some kinds of packages wait; updates of all others are offered at once.',
      'WARN Only some kinds of packages wait; what else this lets merge is merged at once.',
    ],
    [
      'a preset is ignored',
      `{ extends: ['config:best-practices'], ignorePresets: ['security:minimumReleaseAgeNpm'] }`,
      'FAIL Updates are offered as soon as they are released.',
    ],
    [
      'a manager has its own',
      `{ minimumReleaseAge: '3 days', npm: { minimumReleaseAge: '1 day' } }`,
      'FAIL Updates are offered before they are 3 days old.',
    ],
    [
      'without a pull request',
      `{ extends: [':automergePatch', ':automergeBranch'], minimumReleaseAge: '3 days' }`,
      'FAIL Updates are pushed to the branch without a pull request.',
    ],
    [
      'without tests',
      `{ patch: { automerge: true }, ignoreTests: true, minimumReleaseAge: '3 days' }`,
      'FAIL Updates merge by themselves without waiting for the tests.',
    ],
    [
      'the filter is off',
      `{ minimumReleaseAge: '3 days', internalChecksFilter: 'none' }`,
      'FAIL Updates are offered before they are old enough.',
    ],
    [
      'only npm waits',
      `{ extends: ['config:best-practices'] }`,
      'WARN Only some kinds of packages wait; updates of all others are offered at once.',
    ],
    [
      'renewed lock files merge',
      `{ extends: ['security:minimumReleaseAgeNpm'], packageRules: [{ matchPackageNames: ['*'], minimumReleaseAge: '3 days', matchUpdateTypes: ['minor', 'patch'] }], lockFileMaintenance: { enabled: true, automerge: true } }`,
      'WARN Renewed lock files merge by themselves, and nothing holds back what is new in them.',
    ],
    [
      'the presets lie elsewhere',
      `{ extends: ['github>org/presets'] }`,
      'UNKNOWN Whether updates wait is in a preset that lies elsewhere, and could not be looked at.',
    ],
    [
      'a preset might say otherwise',
      `{ extends: ['local>org/presets'], minimumReleaseAge: '3 days' }`,
      'WARN This preset lies elsewhere: it may let single packages merge sooner.',
    ],
  ])('R05: says so where %s', async (_, text, ...expected) => {
    expect(await details(text)).toEqual(expected)
  })

  it.each([
    ['json', { 'renovate.json': '{\n  "minimumReleaseAge": "1 day"\n}\n' }, 'renovate.json:2:24 FAIL'],
    [
      'CRLF',
      { '.github/renovate.json': '{\r\n  "minimumReleaseAge": "1 day"\r\n}\r\n' },
      '.github/renovate.json:2:24 FAIL',
    ],
    ['.renovaterc', { '.renovaterc': '{\n  "minimumReleaseAge": "1 day"\n}\n' }, '.renovaterc:2:24 FAIL'],
    ['json5', { 'renovate.json5': "{\n  // short\n  minimumReleaseAge: '1 day',\n}\n" }, 'renovate.json5:3:22 FAIL'],
    [
      'package.json',
      { 'package.json': '{ "name": "x",\n "renovate": { "minimumReleaseAge": "1 day" } }' },
      'package.json:2:37 FAIL',
    ],
    ['nothing set', { 'renovate.json': '{\n  "extends": ["config:recommended"]\n}\n' }, 'renovate.json:1:1 FAIL'],
  ])('R05: the fix leaves it holding (%s)', async (_, files, place) => {
    const result = await judged('R05', files)
    expect(places(result)).toEqual([place])
    const after = repaired(result, files)
    expect((await judged('R05', after)).outcome).toBe('PASS')
    for (const text of Object.values(after)) expect(text).toContain('3 days')
  })

  it('R05: a file that cannot be read is an error at its place', async () => {
    const result = await judged('R05', config('{\n  a: 1,\n  a: 2 }'))
    expect(places(result)).toEqual([`${path}:3:3 ERROR`])
  })

  it('R05: does not apply without Renovate, or where it is off', async () => {
    expect((await judged('R05', { 'package.json': '{ "name": "renovate" }' })).outcome).toBe('NOT_APPLICABLE')
    expect((await judged('R05', config('{ enabled: false }'))).outcome).toBe('NOT_APPLICABLE')
  })
})
