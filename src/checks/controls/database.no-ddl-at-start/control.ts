import type { Control } from '../../check.ts'
import { r20 } from './r20.ts'

export const noDdlAtStart: Control = {
  id: 'database.no-ddl-at-start',
  title: 'The application does not change the schema when it starts',
  severity: 'high',
  why: 'A role that may change the schema may also drop a trigger, a policy or a table: whoever gets one statement through the application owns the database with it.',
  remediation:
    'Run migrations as a step of the deployment with a role of their own, and give the application a role without DDL: remove create_all, AutoMigrate, synchronize and migrate commands from what it starts with.',
  references: [
    'https://cheatsheetseries.owasp.org/cheatsheets/Database_Security_Cheat_Sheet.html',
    'https://www.postgresql.org/docs/current/ddl-priv.html',
    'https://typeorm.io/docs/data-source/data-source-options/',
  ],
  rows: ['R20'],
  checks: [r20],
}
