import type { Control } from '../../check.ts'
import { r21 } from './r21.ts'

export const tablesAppendOnly: Control = {
  id: 'audit.tables-append-only',
  title: 'Audit tables can only be added to',
  severity: 'high',
  why: 'Whoever takes over the application, or makes one injection work, changes or empties the record of what they did.',
  remediation:
    'Grant the application INSERT and SELECT alone on audit tables, revoke the rest, and add a BEFORE UPDATE OR DELETE OR TRUNCATE trigger FOR EACH STATEMENT whose function raises an exception.',
  references: [
    'https://www.postgresql.org/docs/current/sql-createtrigger.html',
    'https://www.postgresql.org/docs/current/ddl-priv.html',
    'https://cheatsheetseries.owasp.org/cheatsheets/Logging_Cheat_Sheet.html',
  ],
  rows: ['R21'],
  checks: [r21],
}
