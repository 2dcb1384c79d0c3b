import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Client, escapeIdentifier, escapeLiteral } from 'pg'
import * as z from 'zod'
import type { EmbeddedPostgres } from './embedded/index.ts'

/** Written last when an instance is made: where it is, there is one. */
export const passwordsFile = 'database-passwords.json'
const database = 'portcullis'
const roles = ['portcullis_owner', 'portcullis_app', 'portcullis_reader', 'portcullis_maintenance'] as const
type RoleName = (typeof roles)[number]
const passwordsSchema = z.record(z.enum(roles), z.string().min(32))
const rolesSql = new URL('../store/roles.sql', import.meta.url)

/** How to reach a database as one of its roles. */
export interface RoleAccess {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: RoleName
  readonly password: string
}

/**
 * Makes the database and its roles in an embedded PostgreSQL, once; later starts only read the passwords (0600). Safe to run
 * again after a crash at any point.
 */
export async function provision(postgres: EmbeddedPostgres, home: string): Promise<(user: RoleName) => RoleAccess> {
  const file = join(home, passwordsFile)
  const fresh = !existsSync(file)
  const passwords = fresh
    ? Object.fromEntries(roles.map((role) => [role, randomBytes(24).toString('hex')]))
    : passwordsSchema.parse(JSON.parse(await readFile(file, 'utf8')))
  const access = (user: RoleName): RoleAccess => ({
    host: postgres.host,
    port: postgres.port,
    database,
    user,
    password: passwords[user] ?? '',
  })
  if (!fresh) return access
  await withSuperuser(postgres, 'postgres', async (superuser) => {
    const { rowCount } = await superuser.query('select from pg_database where datname = $1', [database])
    if (rowCount === 0) await superuser.query(`create database ${escapeIdentifier(database)}`)
  })
  await withSuperuser(postgres, database, async (superuser) => {
    await superuser.query(await readFile(rolesSql, 'utf8'))
    for (const role of roles) {
      await superuser.query(`alter role ${escapeIdentifier(role)} password ${escapeLiteral(passwords[role] ?? '')}`)
    }
  })
  // Written last: as long as it is missing, everything above is done again.
  await writeFile(file, JSON.stringify(passwords), { mode: 0o600, flag: 'wx' })
  return access
}

async function withSuperuser(
  postgres: EmbeddedPostgres,
  name: string,
  work: (client: Client) => Promise<void>,
): Promise<void> {
  const client = new Client({
    host: postgres.host,
    port: postgres.port,
    user: 'postgres',
    password: postgres.superuserPassword.reveal(),
    database: name,
    connectionTimeoutMillis: 5000,
  })
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}
