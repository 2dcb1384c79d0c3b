import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TestDatabase } from '../../test/harness/postgres.ts'
import { inspectDatabase } from './inspect.ts'

let database: TestDatabase
let admin: Client
beforeAll(async () => {
  database = await TestDatabase.start()
  admin = await database.connect('postgres')
})
afterAll(() => database.stop())

/** What the app role would be told after that change of the database, which is undone. */
async function after(change: string): Promise<readonly string[]> {
  await admin.query('begin')
  try {
    await admin.query(change)
    await admin.query('set local role portcullis_app')
    return await inspectDatabase(admin)
  } finally {
    await admin.query('rollback')
  }
}

const advice = 'serve as portcullis_app, and give that role no more than the migrations do'

describe('inspectDatabase', () => {
  it('O2: finds nothing wrong with a migrated database and the app role', async () => {
    expect(await inspectDatabase(await database.connect('portcullis_app'))).toEqual([])
    expect(await after('select 1')).toEqual([])
  })

  it('O2: refuses a superuser and says each thing that is wrong with it', async () => {
    const problems = await inspectDatabase(admin)
    for (const claim of [
      'is a superuser',
      'bypasses row-level security',
      'may create roles or databases',
      'may create objects',
    ]) {
      expect(problems).toContain(`the role postgres ${claim}: ${advice}`)
    }
  })

  it('O2: refuses the owner role', async () => {
    const problems = await inspectDatabase(await database.connect('portcullis_owner'))
    expect(problems).toContain(
      `the role portcullis_owner owns tables of Portcullis, itself or through a role: ${advice}`,
    )
    expect(problems).toContain(`the role portcullis_owner may create objects: ${advice}`)
  })

  it.each([
    ['grant insert on audits.entries to portcullis_app', 'may write the ledger past the append function'],
    ['grant update on audits.entries to portcullis_app', 'may write the ledger past the append function'],
    ['grant delete on audits.heads to portcullis_app', 'may write the ledger past the append function'],
    ['grant update (size) on audits.heads to portcullis_app', 'may write the ledger past the append function'],
    ['grant trigger on audits.entries to portcullis_app', 'may write the ledger past the append function'],
    ['grant truncate on audits.entries to public', 'may write the ledger past the append function'],
    ['grant portcullis_owner to portcullis_app', 'owns tables of Portcullis, itself or through a role'],
    ['grant create on schema portcullis to portcullis_app', 'may create objects'],
    ['grant create on schema audits to public', 'may create objects'],
    ['grant create on database portcullis to portcullis_app', 'may create objects'],
    ['alter role portcullis_app bypassrls', 'bypasses row-level security'],
    ['alter role portcullis_app createrole', 'may create roles or databases'],
    ['alter table portcullis.runs owner to portcullis_app', 'owns tables of Portcullis, itself or through a role'],
  ])('L6: after `%s` it says that the role %s', async (change, claim) => {
    expect(await after(change)).toEqual(expect.arrayContaining([`the role portcullis_app ${claim}: ${advice}`]))
  })

  it.each([
    ['alter table audits.entries disable trigger entries_refuse_row', 'entries_refuse_row of audits.entries'],
    [
      'alter table audits.entries enable trigger entries_refuse_statement',
      'entries_refuse_statement of audits.entries',
    ],
    ['alter table audits.entries enable replica trigger entries_refuse_row', 'entries_refuse_row of audits.entries'],
    ['drop trigger entries_refuse_row on audits.entries', 'entries_refuse_row of audits.entries'],
    ['drop trigger entries_refuse_statement on audits.entries', 'entries_refuse_statement of audits.entries'],
    ['drop trigger heads_only_grow on audits.heads', 'heads_only_grow of audits.heads'],
    [
      'alter table audits.heads disable trigger all',
      'heads_only_grow, heads_refuse_row, heads_refuse_statement of audits.heads',
    ],
  ])('L6: after `%s` it names %s', async (change, names) => {
    const problems = await after(change)
    expect(problems).toContain(
      `the append-only triggers ${names} are missing or not ENABLE ALWAYS: restore them from the migrations`,
    )
    // A row trigger of the table is that of its partitions, too.
    expect(problems.filter((text) => !/ of audits\.(?:entries(?:_\w+)?|heads) /.test(text))).toEqual([])
  })

  it.each([
    ['alter table audits.entries disable row level security', 'audits.entries'],
    ['alter table audits.heads no force row level security', 'audits.heads'],
    ['alter table portcullis.runs disable row level security', 'portcullis.runs'],
    ['alter table portcullis.keys no force row level security', 'portcullis.keys'],
    ['alter table portcullis.tenants no force row level security', 'portcullis.tenants'],
  ])('G11: after `%s` it names %s', async (change, table) => {
    expect(await after(change)).toEqual([
      `row-level security of ${table} is not forced: restore it from the migrations`,
    ])
  })

  it('L6: a missing table is named', async () => {
    expect(await after('drop table audits.entries cascade')).toEqual([
      'the table audits.entries is missing: restore the schema from the migrations',
    ])
  })

  it('O2: a schema of an older version says to migrate, one of a newer says to install it', async () => {
    const newest = 'where version = (select max(version) from portcullis.schema_migrations)'
    expect((await after('delete from portcullis.schema_migrations'))[0]).toMatch(
      /^the schema has version 0 .*: run `portcullis migrate --config FILE` as the owner role$/,
    )
    expect(
      (await after(`update portcullis.schema_migrations set version = 99, serves_from = 99 ${newest}`))[0],
    ).toMatch(/^the schema has version 99 .*: install the version of Portcullis that made it$/)
  })

  it('O13: during an upgrade a binary goes on serving from a newer schema that only added to its own', async () => {
    const newest = 'where version = (select max(version) from portcullis.schema_migrations)'
    expect(await after(`update portcullis.schema_migrations set version = version + 1 ${newest}`)).toEqual([])
  })

  it('O2: a database without a schema says to migrate', async () => {
    await database.emptyDatabase('bare')
    const problems = await inspectDatabase(await database.connect('portcullis_app', 'bare'))
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain('run `portcullis migrate --config FILE` as the owner role')
  })
})
