import type { Control } from '../../check.ts'
import { r29 } from './r29.ts'

export const secretsNotInherited: Control = {
  id: 'supply.secrets-not-inherited',
  title: 'Secrets are handed on one by one',
  severity: 'medium',
  why: 'One compromised step in a called workflow reads every secret of the repository, and not just the one that it was called with.',
  remediation:
    'Name each secret: `secrets: { TOKEN: "${{ secrets.TOKEN }}" }` for a reusable workflow that declares it under `on.workflow_call.secrets`; `secrets.NAME` in place of `toJSON(secrets)` and of `secrets[…]` with a computed name.',
  references: [
    'https://docs.github.com/en/actions/how-tos/reuse-automations/reuse-workflows#passing-inputs-and-secrets-to-a-reusable-workflow',
    'https://docs.zizmor.sh/audits/#secrets-inherit',
    'https://docs.zizmor.sh/audits/#overprovisioned-secrets',
  ],
  rows: ['R29'],
  checks: [r29],
}
