import * as z from 'zod'
import { filePath, integer, optionalSection, secretFile, secretText, section, type FieldMeta } from './fields.ts'

const hour = 3_600
const databaseUrl = 'postgres://user:password@host:port/name'

export const database = section('PostgreSQL 15 to 18: exactly one of `url`, `urlFile` and `embedded`.', {
  url: secretText('URL of the unprivileged app role.', {
    form: databaseUrl,
    plain: 'DATABASE_URL',
  }),
  urlFile: secretFile('A file that holds the URL.'),
  owner: section(
    'The role that owns the schema. `portcullis migrate`, `admin recover` and `operator password` use it; no server does.',
    {
      url: secretText('URL of the owner role.', { form: databaseUrl }),
      urlFile: secretFile('A file that holds the URL of the owner role.'),
    },
  ),
  maintenance: section(
    'The role that archives and prunes. `portcullis ledger prune`, `hold` and `retention` use it, and the job `retention` where `audit.retention.archiveDir` is set.',
    {
      url: secretText('URL of the maintenance role.', { form: databaseUrl }),
      urlFile: secretFile('A file that holds the URL of the maintenance role.'),
    },
  ),
  embedded: optionalSection('A PostgreSQL of its own, started and stopped with the server; not for production.', {
    dir: z
      .string()
      .min(1)
      .default('.portcullis')
      .meta({
        description: 'The folder of its data, password and log.',
        form: 'the name of a folder',
        filePath: true,
      } satisfies FieldMeta),
  }),
  pool: section('Connections to the database.', {
    clients: integer(4, 1, 64, 'Connections, shared by all calls.'),
    connectTimeoutMs: integer(5_000, 100, 60_000, 'Time for a connection to be made.'),
    statementTimeoutMs: integer(3_000, 100, 600_000, 'Time for one statement.'),
    idleTimeoutMs: integer(
      300_000,
      1_000,
      3_600_000,
      'A connection that was without work for longer is replaced at its next use.',
    ),
    maxLifetimeSeconds: integer(hour, 60, 24 * hour, 'A connection is replaced after this time.'),
  }),
  tls: section('Encryption towards the database.', {
    mode: z
      .enum(['verify-full', 'disable'])
      .optional()
      .meta({
        description: '`verify-full` checks certificate and host name; `disable` is for this machine only.',
        defaultText: '`disable` where the host is this machine, else `verify-full`',
      } satisfies FieldMeta),
    caFile: filePath('Certificates (PEM) of the authorities to trust instead of those of Node.'),
  }),
})
