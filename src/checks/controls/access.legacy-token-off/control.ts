import type { Control } from '../../check.ts'
import { f17 } from './f17.ts'

export const legacyTokenOff: Control = {
  id: 'access.legacy-token-off',
  title: 'The legacy token is off',
  severity: 'high',
  why: 'One token that all old callers share leaks from the weakest of them, names nobody in the ledger, and cannot be taken from one without taking it from all.',
  remediation:
    'Give each caller a key of its own (`portcullis key create`), then set `legacyToken.enabled: false` (ALLOW_LEGACY_AUTH_TOKEN=false), remove AUTH_TOKEN and restart. Until then write the dated `legacyToken.waiver`.',
  references: [
    'https://cheatsheetseries.owasp.org/cheatsheets/Secrets_Management_Cheat_Sheet.html',
    'https://cwe.mitre.org/data/definitions/1391.html',
  ],
  rows: ['F17', 'G8'],
  checks: [f17],
}
