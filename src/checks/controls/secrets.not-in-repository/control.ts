import type { Control } from '../../check.ts'
import { r10 } from './r10.ts'

export const noSecrets: Control = {
  id: 'secrets.not-in-repository',
  title: 'No secret is in the repository, in a default or in a log',
  severity: 'critical',
  why: 'Whoever reads the repository, a fork, an image layer or a build log has the secret, and a default that was never changed signs tokens for everybody.',
  remediation:
    'Take the value from a secret manager or the environment and stop at start where it is missing; replace the one that was published, since its history stays; commit `.env.example` with empty values instead of `.env`; pass a secret to a command by its input or a file, never through `echo`.',
  references: [
    'https://cheatsheetseries.owasp.org/cheatsheets/Secrets_Management_Cheat_Sheet.html',
    'https://cwe.mitre.org/data/definitions/798.html',
    'https://docs.github.com/en/actions/security-for-github-actions/security-guides/using-secrets-in-github-actions',
    'https://github.com/secretlint/secretlint',
  ],
  rows: ['R10'],
  checks: [r10],
}
