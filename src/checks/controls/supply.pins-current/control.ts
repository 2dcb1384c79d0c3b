import type { Control } from '../../check.ts'
import { r08 } from './r08.ts'

export const pinsCurrent: Control = {
  id: 'supply.pins-current',
  title: 'What is pinned is kept up to date',
  severity: 'low',
  why: 'A version that is held and that nobody raises keeps every flaw that is found in it, and the way back to current ones gets longer each month.',
  remediation:
    'Set up Renovate, or an entry of Dependabot for each ecosystem. For tool versions in workflows use a custom manager of Renovate with a `# renovate: datasource=… depName=…` comment, or say in a comment how the version is raised.',
  references: [
    'https://docs.renovatebot.com/presets-customManagers/',
    'https://docs.github.com/en/code-security/dependabot/ecosystems-supported-by-dependabot/supported-ecosystems-and-repositories',
    'https://github.com/ossf/scorecard/blob/main/docs/checks.md#dependency-update-tool',
  ],
  rows: ['R08'],
  checks: [r08],
}
