import type { Control } from '../../check.ts'
import { r05 } from './r05.ts'
import { r06 } from './r06.ts'

export const updatesSoaked: Control = {
  id: 'supply.updates-soaked',
  title: 'A release is some days old before it is taken',
  severity: 'high',
  why: 'A stolen maintainer account publishes a poisoned release, and an updater or an install takes it in the hours before anybody notices.',
  remediation:
    'Set `minimumReleaseAge: "3 days"` in Renovate, `cooldown: { default-days: 3 }` or more on each entry of Dependabot, and the wait of the package manager: `min-release-age` (npm, days), `minimumReleaseAge` (pnpm, minutes; bun, seconds), `npmMinimalAgeGate` (yarn), `exclude-newer` (uv). Let updates merge by pull request after the tests, and majors never.',
  references: [
    'https://docs.renovatebot.com/key-concepts/minimum-release-age/',
    'https://docs.github.com/en/code-security/dependabot/working-with-dependabot/dependabot-options-reference#cooldown-',
    'https://docs.npmjs.com/cli/v11/using-npm/config#min-release-age',
    'https://pnpm.io/settings#minimumreleaseage',
    'https://docs.astral.sh/uv/reference/settings/#exclude-newer',
    'https://docs.zizmor.sh/audits/#dependabot-cooldown',
  ],
  rows: ['R05', 'R06'],
  checks: [r05, r06],
}
