import type { Control } from '../../check.ts'
import { r01 } from './r01.ts'

export const noCheckoutCredentials: Control = {
  id: 'supply.no-checkout-credentials',
  title: 'A checkout leaves no credentials behind where nothing is pushed',
  severity: 'high',
  why: 'Whatever runs after the checkout, a test or a dependency, can read the token that the checkout left on disk and push with it.',
  remediation:
    'Set `persist-credentials: false` on `actions/checkout` in each job that does not push; a job that pushes keeps them and should do nothing else.',
  references: ['https://docs.zizmor.sh/audits/#artipacked', 'https://github.com/actions/checkout#usage'],
  rows: ['R01'],
  checks: [r01],
}
