import type { Control } from '../../check.ts'
import { r16 } from './r16.ts'

export const credentialsFromSecrets: Control = {
  id: 'database.credentials-from-secrets',
  title: 'Credentials of databases come from secrets',
  severity: 'high',
  why: 'A password in a file of the repository is known to everybody who ever cloned it, and one in the environment to everybody who may inspect the container.',
  remediation:
    'Keep the password in a secret and hand over its file: `POSTGRES_PASSWORD_FILE: /run/secrets/db-password` (compose), `valueFrom.secretKeyRef` or a mounted secret (Kubernetes). Change the one that was in the file.',
  references: [
    'https://docs.docker.com/compose/how-tos/use-secrets/',
    'https://hub.docker.com/_/postgres',
    'https://kubernetes.io/docs/concepts/configuration/secret/',
  ],
  rows: ['R16'],
  checks: [r16],
}
