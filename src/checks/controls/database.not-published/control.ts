import type { Control } from '../../check.ts'
import { r17 } from './r17.ts'

export const databaseNotPublished: Control = {
  id: 'database.not-published',
  title: 'The database is reached by the services beside it alone',
  severity: 'critical',
  why: 'A database that answers on the network is found by scanners within the hour, and one guessed password is everything that it holds.',
  remediation:
    'Remove `ports` from the database and put it on a network with the services that use it; look into it with `docker compose exec` or `kubectl port-forward`.',
  references: [
    'https://docs.docker.com/compose/how-tos/networking/',
    'https://www.postgresql.org/docs/current/runtime-config-connection.html',
    'https://kubernetes.io/docs/concepts/services-networking/service/#type-clusterip',
  ],
  rows: ['R17'],
  checks: [r17],
}
