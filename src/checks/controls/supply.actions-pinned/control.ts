import type { Control } from '../../check.ts'
import { r26 } from './r26.ts'

export const actionsPinned: Control = {
  id: 'supply.actions-pinned',
  title: 'Actions and reusable workflows are pinned by commit',
  severity: 'high',
  why: 'Whoever takes over the repository of an action moves its tag or branch to their own code, and every run after that executes it with our token and secrets.',
  remediation:
    'Write the full commit SHA after the `@` and the version in a comment behind it, as in `actions/checkout@<40 hex digits> # v5.0.0`; let Renovate or Dependabot move both.',
  references: [
    'https://docs.github.com/en/actions/reference/security/secure-use#using-third-party-actions',
    'https://docs.zizmor.sh/audits/#unpinned-uses',
    'https://github.com/ossf/scorecard/blob/main/docs/checks.md#pinned-dependencies',
  ],
  rows: ['R26'],
  checks: [r26],
}
