import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TestDatabase } from '../../test/harness/postgres.ts'
import { inspectDatabase } from './inspect.ts'
import { migrate, pendingMigrations, readMigrations, schemaVersion } from './migrate.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await TestDatabase.start()
})
afterAll(() => database.stop())

let databases = 0
async function newOwner(): Promise<{ name: string; owner: Client }> {
  databases += 1
  const name = `migrate_${databases}`
  await database.emptyDatabase(name)
  return { name, owner: await database.connect('portcullis_owner', name) }
}

describe('migrate', () => {
  it('O2: as the owner role it makes a schema that the app role may serve from, and run again does nothing', async () => {
    const { name, owner } = await newOwner()
    const known = await readMigrations()
    expect((await migrate(owner)).map(({ version }) => version)).toEqual(known.map(({ version }) => version))
    expect(await inspectDatabase(await database.connect('portcullis_app', name))).toEqual([])
    const before = await owner.query('select * from portcullis.schema_migrations order by version')
    expect(await migrate(owner)).toEqual([])
    expect((await owner.query('select * from portcullis.schema_migrations order by version')).rows).toEqual(before.rows)
  })

  it('O2: a plan names what is pending and writes nothing', async () => {
    const { owner } = await newOwner()
    expect((await pendingMigrations(owner)).map(({ version }) => version)).toEqual(
      (await readMigrations()).map(({ version }) => version),
    )
    expect(await schemaVersion(owner)).toBe(0)
    expect((await owner.query(`select to_regnamespace('portcullis') is null as clean`)).rows).toEqual([{ clean: true }])
  })

  it('O2: migrations that were applied from other files are refused', async () => {
    const { owner } = await newOwner()
    await migrate(owner)
    await owner.query(`update portcullis.schema_migrations set checksum = 'another' where version = 1`)
    await expect(migrate(owner)).rejects.toThrow(/migration 1 .* differs from the file .*; restore the released files/)
    await expect(pendingMigrations(owner)).rejects.toThrow(/differs/)
  })

  it('O2: a schema of a newer version is refused', async () => {
    const { owner } = await newOwner()
    await migrate(owner)
    await owner.query(
      `insert into portcullis.schema_migrations (version, name, checksum, serves_from) values (99, 'later', 'x', 99)`,
    )
    await expect(migrate(owner)).rejects.toThrow(/schema version 99, .*install the newer version/)
  })

  it('O2: two at the same time end with one schema', async () => {
    const { name, owner } = await newOwner()
    const other = await database.connect('portcullis_owner', name)
    const applied = await Promise.all([migrate(owner), migrate(other)])
    expect(applied.map((list) => list.length).toSorted((a, b) => a - b)).toEqual([0, (await readMigrations()).length])
  })

  it('O2: a migration that fails leaves the schema as it was before it', async () => {
    const { owner } = await newOwner()
    // In the way of the first one.
    const last = (await readMigrations()).at(-1)?.version ?? 0
    await owner.query('create schema portcullis')
    await expect(migrate(owner)).rejects.toThrow(/migration 1 .* failed; the schema is as it was before it/)
    expect(await schemaVersion(owner)).toBe(0)
    await owner.query('drop schema portcullis')
    await migrate(owner)
    expect(await schemaVersion(owner)).toBe(last)
  })
})
