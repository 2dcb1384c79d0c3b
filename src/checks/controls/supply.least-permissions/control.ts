import type { Control } from '../../check.ts'
import { r27 } from './r27.ts'

export const leastPermissions: Control = {
  id: 'supply.least-permissions',
  title: 'The token of a run may do what its jobs need and nothing else',
  severity: 'medium',
  why: 'Code that gets into a job, through a dependency or an action, pushes, releases or approves with the token that the job was given without need.',
  remediation:
    'Put `permissions: {}` or `permissions: { contents: read }` at the top of the workflow, and on each job that needs more name just those scopes with `write`.',
  references: [
    'https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#permissions',
    'https://docs.github.com/en/actions/reference/security/secure-use',
    'https://docs.zizmor.sh/audits/#excessive-permissions',
    'https://github.com/ossf/scorecard/blob/main/docs/checks.md#token-permissions',
  ],
  rows: ['R27'],
  checks: [r27],
}
