import { describe, expect, it } from 'vitest'
import { judged } from '../../checks.fixture.ts'

const outcome = async (text: string): Promise<string> => (await judged('R05', { 'renovate.json5': text })).outcome
const waiting = (preset: string): string => `{ extends: ['${preset}'], minimumReleaseAge: '3 days' }`

describe('presets of Renovate', () => {
  it.each([
    ':automergePatch',
    ':automergeDigest',
    ':automergePr',
    ':automergeDisabled',
    ':automergeStableNonMajor',
    ':automergeRequireAllStatusChecks',
    ':disableMajorUpdates',
    ':disableDigestUpdates',
    ':maintainLockFilesWeekly',
    ':maintainLockFilesDisabled',
    'config:recommended',
    'config:semverAllMonthly',
    'default:automergeMinor',
    'group:all',
    'schedule:weekly',
  ])('R05: beside a wait %s takes nothing away', async (preset) => {
    expect(await outcome(waiting(preset))).toBe('PASS')
  })

  it.each([':automergeAll', ':automergeMajor', ':automergeLinters', ':automergeTesters', ':automergeTypes'])(
    'R05: %s lets majors merge by themselves',
    async (preset) => {
      expect(await outcome(waiting(preset))).toBe('FAIL')
    },
  )

  it('R05: majors that are off do not merge', async () => {
    expect(await outcome(`{ extends: [':automergeAll', ':disableMajorUpdates'], minimumReleaseAge: '3 days' }`)).toBe(
      'PASS',
    )
  })

  it.each(['npm:unpublishSafe', 'security:minimumReleaseAgeNpm', 'config:best-practices'])(
    'R05: the wait of %s is one of npm alone',
    async (preset) => {
      expect(await outcome(`{ extends: ['${preset}'] }`)).toBe('WARN')
    },
  )

  it.each([':disableRenovate', 'security:only-security-updates'])(
    'R05: under %s nothing is offered',
    async (preset) => {
      expect(await outcome(`{ extends: ['${preset}'] }`)).toBe('NOT_APPLICABLE')
    },
  )

  it('R05: what a preset of others says is not known', async () => {
    expect(await outcome(`{ extends: ['github>a/b'] }`)).not.toMatch(/PASS|FAIL/)
  })

  it('R05: a preset with parentheses without end takes no time', async () => {
    const before = performance.now()
    expect(await outcome(`{ extends: ['${'a('.repeat(500_000)}'] }`)).not.toMatch(/PASS|FAIL/)
    expect(performance.now() - before).toBeLessThan(4000)
  })
})
