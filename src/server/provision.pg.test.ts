import { mkdtemp, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrate } from '#store'
import { ensureFirstAdmin, recoverFirstAdmin } from './bootstrap.ts'
import { embeddedHome, startEmbedded, type EmbeddedPostgres } from './embedded/index.ts'
import { ensureKeyFiles } from './key-files.ts'
import { provision, type RoleAccess } from './provision.ts'

let dir: string
let home: string
let postgres: EmbeddedPostgres
beforeAll(async () => {
  dir = await realpath(await mkdtemp(join(tmpdir(), 'portcullis-provision-')))
  home = embeddedHome(dir).home
  postgres = await startEmbedded({ dir, log: () => undefined })
  home = embeddedHome(dir).home
})
afterAll(async () => {
  await postgres.stop('immediate')
  await rm(home, { recursive: true, force: true })
  await rm(dir, { recursive: true, force: true })
})

async function as<Result>(access: RoleAccess, work: (client: Client) => Promise<Result>): Promise<Result> {
  const client = new Client({ ...access })
  await client.connect()
  return work(client).finally(() => client.end())
}

const whoAmI = (client: Client): Promise<unknown> =>
  client.query('select current_user::text as name, current_database()::text as db').then(({ rows }) => rows)

describe('provision', () => {
  it('M1: makes database and roles with passwords of their own in a 0600 file, and only reads them later', async () => {
    const access = await provision(postgres, home)
    for (const role of ['portcullis_owner', 'portcullis_app', 'portcullis_reader', 'portcullis_maintenance'] as const) {
      expect(await as(access(role), whoAmI)).toEqual([{ name: role, db: 'portcullis' }])
    }
    const file = join(home, 'database-passwords.json')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    const text = await readFile(file, 'utf8')
    expect(new Set(Object.values(JSON.parse(text))).size).toBe(4)
    const again = await provision(postgres, home)
    expect(await readFile(file, 'utf8')).toBe(text)
    expect(again('portcullis_app')).toEqual(access('portcullis_app'))
  })

  it('M1: after a crash before the passwords were written it does everything again', async () => {
    await rm(join(home, 'database-passwords.json'))
    const access = await provision(postgres, home)
    expect(await as(access('portcullis_app'), whoAmI)).toEqual([{ name: 'portcullis_app', db: 'portcullis' }])
  })

  it('O2: the roles are unprivileged', async () => {
    const access = await provision(postgres, home)
    const { rows } = await as(access('portcullis_app'), (client) =>
      client.query(
        `select rolname from pg_roles where rolname like 'portcullis%' and (rolsuper or rolcreaterole or rolcreatedb or rolbypassrls or rolinherit or rolreplication)`,
      ),
    )
    expect(rows).toEqual([])
  })
})

describe('the first admin', () => {
  it('M1: is made once, recorded in the log system, and recovered with another key', async () => {
    const access = await provision(postgres, home)
    await as(access('portcullis_owner'), async (owner) => {
      await migrate(owner)
      const [first, second] = [await ensureFirstAdmin(owner), await ensureFirstAdmin(owner)]
      expect(first?.key.reveal()).toMatch(/^pc_/)
      expect(second).toBeUndefined()
      const recovered = await recoverFirstAdmin(owner)
      expect(recovered.key.reveal()).toMatch(/^pc_/)
      expect(recovered.key.reveal()).not.toBe(first?.key.reveal())
      const { rows } = await owner.query(
        `select action, convert_from(entry, 'UTF8') as entry from audits.entries where log = 'system' order by seq`,
      )
      expect(rows.map(({ action }) => action)).toEqual(['system.initialised', 'admin.recovered'])
      for (const { entry } of rows) {
        for (const secret of [first, recovered]) {
          expect(entry).not.toContain(secret?.key.reveal())
          expect(entry).not.toContain(secret?.signInCode)
        }
      }
    })
  })

  it('M1: two starts at the same time make one admin', async () => {
    const superuser = new Client({
      host: postgres.host,
      port: postgres.port,
      user: 'postgres',
      password: postgres.superuserPassword.reveal(),
      database: 'postgres',
    })
    await superuser.connect()
    await superuser.query('create database twice')
    await superuser.query('grant create, connect on database twice to portcullis_owner')
    await superuser.end()
    const access = { ...(await provision(postgres, home))('portcullis_owner'), database: 'twice' }
    await as(access, (owner) => migrate(owner))
    const made = await Promise.all([as(access, ensureFirstAdmin), as(access, ensureFirstAdmin)])
    expect(made.filter((one) => one !== undefined)).toHaveLength(1)
  })

  it('M1: recovering an instance that was never started says so', async () => {
    const superuser = new Client({
      host: postgres.host,
      port: postgres.port,
      user: 'postgres',
      password: postgres.superuserPassword.reveal(),
      database: 'postgres',
    })
    await superuser.connect()
    await superuser.query('create database unused')
    await superuser.query('grant create, connect on database unused to portcullis_owner')
    await superuser.end()
    const access = { ...(await provision(postgres, home))('portcullis_owner'), database: 'unused' }
    await as(access, (owner) => migrate(owner))
    await expect(as(access, recoverFirstAdmin)).rejects.toThrow(
      /there is no first admin to recover: start the server once/,
    )
  })
})

describe('key files', () => {
  it('M1: are made 0600 and never overwritten', async () => {
    await ensureKeyFiles(home)
    const files = ['signing-key.pem', 'master-key'].map((name) => join(home, name))
    const before = await Promise.all(files.map((file) => readFile(file, 'utf8')))
    expect(before[0]).toContain('BEGIN PRIVATE KEY')
    expect(Buffer.from(before[1] ?? '', 'base64')).toHaveLength(32)
    for (const file of files) expect((await stat(file)).mode & 0o777).toBe(0o600)
    await writeFile(files[1] ?? '', 'mine\n')
    await ensureKeyFiles(home)
    expect(await Promise.all(files.map((file) => readFile(file, 'utf8')))).toEqual([before[0], 'mine\n'])
  })
})
