import type { Control } from '../../check.ts'
import { r31 } from './r31.ts'

export const noUntrustedCheckout: Control = {
  id: 'supply.no-untrusted-checkout',
  title: 'No privileged event runs the code of outsiders',
  severity: 'critical',
  why: 'Anybody opens a pull request whose build script, test or package hook runs with the write token and the secrets that `pull_request_target`, `workflow_run` and `issue_comment` bring.',
  remediation:
    'Build and test code of pull requests under `pull_request`, which has neither; hand results to a second workflow as data, and let that one check out nothing of the pull request. What must stay takes a guard that only lets branches of this repository through, an environment with approval, and `permissions: {}`.',
  references: [
    'https://securitylab.github.com/resources/github-actions-preventing-pwn-requests/',
    'https://docs.github.com/en/actions/reference/security/secure-use#mitigating-the-risks-of-untrusted-code-checkout',
    'https://docs.zizmor.sh/audits/#dangerous-triggers',
    'https://github.com/ossf/scorecard/blob/main/docs/checks.md#dangerous-workflow',
  ],
  rows: ['R31'],
  checks: [r31],
}
