import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import type { Client } from 'pg'

const folder = new URL('./migrations/', import.meta.url)
const lockKey = 7_053_180

export interface Migration {
  readonly version: number
  readonly name: string
  readonly text: string
  readonly checksum: string
  /**
   * The oldest schema version whose binaries may go on serving once this migration has run. A migration that only adds says so
   * in its first line, `-- serves from 0004`; any other one is its own (SPEC O13).
   */
  readonly servesFrom: number
}

/** The migrations that this version brings, in order. */
export async function readMigrations(): Promise<readonly Migration[]> {
  const files = (await readdir(folder)).filter((file) => /^\d{4}_[a-z_]+\.sql$/.test(file)).toSorted()
  return Promise.all(
    files.map(async (file) => {
      const text = await readFile(new URL(file, folder), 'utf8')
      return {
        version: Number(file.slice(0, 4)),
        name: file.slice(5, -4),
        text,
        checksum: createHash('sha256').update(text).digest('hex'),
        servesFrom: Number(/^-- serves from (\d{4})$/m.exec(text.slice(0, 200))?.[1] ?? file.slice(0, 4)),
      }
    }),
  )
}

/** What `migrate` would run. Throws where the database is newer than this version, or was migrated with other files. */
export async function pendingMigrations(client: Client): Promise<readonly Migration[]> {
  const known = await readMigrations()
  const applied = await appliedMigrations(client)
  for (const { version, checksum } of applied) {
    const ours = known.find((migration) => migration.version === version)
    if (ours === undefined) {
      throw new Error(
        `the database has schema version ${version}, which this version of Portcullis does not know; install the newer version`,
      )
    }
    if (ours.checksum !== checksum) {
      throw new Error(
        `migration ${version} in the database differs from the file ${ours.name}; restore the released files`,
      )
    }
  }
  return known.filter(({ version }) => !applied.some((one) => one.version === version))
}

/** Brings the schema up to date, as the owner role; one transaction per migration, one process at a time. */
export async function migrate(client: Client): Promise<readonly Migration[]> {
  await client.query('select pg_advisory_lock($1)', [lockKey])
  try {
    const pending = await pendingMigrations(client)
    for (const migration of pending) await apply(client, migration)
    return pending
  } finally {
    await client.query('select pg_advisory_unlock($1)', [lockKey])
  }
}

/** The version recorded in the database, 0 where there is no schema. */
export async function schemaVersion(client: Client): Promise<number> {
  return Math.max(0, ...(await appliedMigrations(client)).map(({ version }) => version))
}

/** The oldest version whose binaries may serve from the schema as it is. */
export async function servesFrom(client: Client): Promise<number> {
  return Math.max(0, ...(await appliedMigrations(client)).map((applied) => applied.serves_from))
}

async function apply(client: Client, migration: Migration): Promise<void> {
  await client.query('begin')
  try {
    await client.query(migration.text)
    await client.query(`create table if not exists portcullis.schema_migrations
      (version int primary key, name text not null, checksum text not null, applied_at timestamptz not null default now(),
       serves_from int not null)`)
    await client.query(
      'grant select on portcullis.schema_migrations to portcullis_app, portcullis_reader, portcullis_maintenance',
    )
    await client.query(
      'insert into portcullis.schema_migrations (version, name, checksum, serves_from) values ($1, $2, $3, $4)',
      [migration.version, migration.name, migration.checksum, migration.servesFrom],
    )
    await client.query('commit')
  } catch (error) {
    await client.query('rollback')
    throw new Error(`migration ${migration.version} (${migration.name}) failed; the schema is as it was before it`, {
      cause: error,
    })
  }
}

interface Applied {
  readonly version: number
  readonly checksum: string
  readonly serves_from: number
}

async function appliedMigrations(client: Client): Promise<readonly Applied[]> {
  const table = await client.query<{ there: boolean }>(
    `select to_regclass('portcullis.schema_migrations') is not null as there`,
  )
  if (table.rows[0]?.there !== true) return []
  const rows = await client.query<Applied>(
    'select version, checksum, serves_from from portcullis.schema_migrations order by version',
  )
  return rows.rows
}
