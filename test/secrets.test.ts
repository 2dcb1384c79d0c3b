import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { once } from 'node:events'
import type { Client } from 'pg'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '#config'
import { systemClock, uuidv7 } from '#core'
import { listSecrets, migrateWith, rotateSecrets, serve, StartError } from '#server'
import { openSecrets } from '../src/server/secrets.ts'
import { createKeyFile, Envelopes, openProvider, readKeyFile } from '#secrets'
import { call as callOver, freePorts, type Answer } from './harness/instance.ts'
import { newFolder, Portcullis } from './harness/portcullis.ts'
import { misbehave } from './fakes/http-target.ts'
import { FakeVault } from './fakes/vault.ts'
import { TestDatabase } from './harness/postgres.ts'

let folder: string
let database: TestDatabase
beforeAll(async () => {
  ;[folder, database] = await Promise.all([newFolder(), TestDatabase.start()])
})
afterAll(async () => {
  await database.stop()
  await rm(folder, { recursive: true, force: true })
})

interface Deployment {
  readonly dir: string
  readonly config: string
  readonly keyFile: string
  readonly admin: Client
  readonly adminKey: string
  readonly tenantId: string
}

/** A migrated database of its own, with settings that name a key file. */
async function deploy(name: string, more = ''): Promise<Deployment> {
  await database.emptyDatabase(name)
  const dir = join(folder, name)
  await mkdir(dir)
  const keyFile = join(dir, 'master-key')
  createKeyFile(keyFile)
  const config = join(dir, 'portcullis.yaml')
  await writeFile(join(dir, 'app-url'), database.url('portcullis_app', name), { mode: 0o600 })
  await writeFile(join(dir, 'owner-url'), database.url('portcullis_owner', name), { mode: 0o600 })
  const settings = `database: { urlFile: app-url, owner: { urlFile: owner-url } }\nsecrets: { keyFile: master-key }\n${more}`
  await writeFile(config, settings, { mode: 0o600 })
  const { adminKey } = await migrateWith({ configFile: config, env: {}, plan: false })
  const admin = await database.connect('postgres', name)
  const { rows } = await admin.query<{ id: string }>(`select id from portcullis.tenants where name = 'main'`)
  return { dir, config, keyFile, admin, adminKey: adminKey ?? '', tenantId: rows[0]?.id ?? '' }
}

const quiet = { ...freePorts, PORTCULLIS__LOG__LEVEL: 'fatal' }
const start = (configFile: string): ReturnType<typeof serve> => serve({ configFile, env: quiet })
const rotate = (configFile: string, prepare = false): ReturnType<typeof rotateSecrets> =>
  rotateSecrets({ place: { configFile, env: {} }, prepare, progress: () => undefined })
const list = (configFile: string): ReturnType<typeof listSecrets> => listSecrets({ configFile, env: {} })

/** All that is said by a start that is refused. */
async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => expect.fail('it started'),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(StartError)
  return error instanceof StartError ? [error.message, ...error.problems].join('\n') : ''
}

async function putSecrets({ keyFile, admin, tenantId }: Deployment, many: number): Promise<void> {
  const parts = { monotonic: () => 0, freshMs: 0, outageMs: 0 }
  const envelopes = new Envelopes(openProvider({ kind: 'file', file: keyFile }, parts).provider)
  const rows = await Promise.all(
    Array.from({ length: many }, async () => {
      const id = uuidv7()
      const place = { tenant: tenantId, table: 'secrets', column: 'envelope', row: id }
      const { envelope, keyId } = await envelopes.seal(Buffer.from('a stored secret'), place)
      return { id, envelope: envelope.toString('hex'), keyId }
    }),
  )
  await admin.query(
    `insert into portcullis.secrets (tenant_id, id, kind, name, envelope, key_id)
     select $1, id, 'webhook', id::text, decode(envelope, 'hex'), "keyId" from json_to_recordset($2) as r(id uuid, envelope text, "keyId" text)`,
    [tenantId, JSON.stringify(rows)],
  )
}

async function rotations(admin: Client): Promise<readonly unknown[]> {
  const { rows } = await admin.query<{ entry: Buffer }>(
    `select entry from audits.entries where log = 'system' and action = 'key.rotated' order by seq`,
  )
  return rows.map(({ entry }) => JSON.parse(entry.toString()).body.args.phase)
}

describe('a start with stored secrets', () => {
  it('S1: is refused with another key or none, names the key by its id and shows none; with the right one it serves', async () => {
    const deployment = await deploy('wrong_key')
    await putSecrets(deployment, 3)
    const { config, dir, keyFile } = deployment
    const [{ id, key } = expect.fail('no key')] = readKeyFile(keyFile)
    await copyFile(keyFile, join(dir, 'saved'))
    await rm(keyFile)
    createKeyFile(keyFile)
    const wrong = await refusal(start(config))
    expect(wrong).toContain(`3 of kind webhook need the key ${id}: restore it from its backup into secrets.keyFile`)
    expect(wrong).not.toContain(key.toString('base64'))
    expect((await list(config)).keys).toContainEqual(
      expect.objectContaining({ name: `master key ${id}`, state: 'missing: restore it', count: 3 }),
    )

    const none = join(dir, 'none.yaml')
    await writeFile(none, 'database: { urlFile: app-url }\n', { mode: 0o600 })
    expect(await refusal(start(none))).toMatch(/need a master key.*\n.*set secrets\.keyFile/)

    await writeFile(keyFile, 'hunter2-hunter2\n')
    const broken = await refusal(start(config))
    expect(broken).toMatch(/master-key: line 1: an encryption key has exactly 32/)
    expect(broken).not.toContain('hunter2')

    await copyFile(join(dir, 'saved'), keyFile)
    const server = await start(config)
    expect(server.ready.event).toBe('ready')
    await server.stop()
  })
})

describe('a start with a damaged secret', () => {
  it('S1: is refused, and says what it is without saying which bytes', async () => {
    const { config, keyFile, admin, tenantId } = await deploy('damaged')
    const [{ id } = expect.fail('no key')] = readKeyFile(keyFile)
    await admin.query(
      `insert into portcullis.pseudonym_keys (tenant_id, version, envelope, key_id) values ($1, 1, sha512('x'), $2)`,
      [tenantId, id],
    )
    expect(await refusal(start(config))).toMatch(
      /^a stored secret is damaged\na stored secret cannot be read: it was changed/,
    )
  })
})

describe('portcullis secrets rotate', () => {
  it('S2: killed in the middle, it is finished by the next one, while a server serves', async () => {
    const deployment = await deploy('rotated')
    await putSecrets(deployment, 2000)
    const { config, keyFile, admin, adminKey } = deployment
    const server = await start(config)
    const call = (): Promise<Answer> =>
      callOver(`http://${server.ready.http}`, 'HubService/StartRun', { workflow: 'x' }, { key: adminKey })
    const [first] = readKeyFile(keyFile)

    const killed = new Portcullis(['secrets', 'rotate', '--config', config], freePorts)
    const ended = killed.exited.then(({ stderr }) => expect.fail(`it ended before it was killed: ${stderr}`))
    ended.catch(() => undefined)
    while (!killed.stderr.includes(' %, '))
      await Promise.race([ended, once(killed.child.stderr ?? killed.child, 'data')])
    await killed.end('SIGKILL')
    const half = await admin.query<{ key_id: string }>('select distinct key_id from portcullis.secrets')
    expect(half.rowCount).toBe(2)
    expect((await call()).status).toBe(200)

    const report = await rotate(config)
    expect(report).toMatchObject({ resumed: true, prepared: false, skipped: 0 })
    const keys = readKeyFile(keyFile)
    expect(keys.map(({ id }) => id)).toEqual([first?.id, report.newest])
    const after = await admin.query('select distinct key_id from portcullis.secrets')
    expect(after.rows).toEqual([{ key_id: report.newest }])
    expect(await rotations(admin)).toEqual(['begun', 'begun', 'finished'])
    expect((await call()).status).toBe(200)
    await server.stop()
  })

  it('S2: a key that is prepared waits, and the next rotation takes it', async () => {
    const deployment = await deploy('prepared')
    await putSecrets(deployment, 2)
    const { config, keyFile, admin } = deployment
    const prepared = await rotate(config, true)
    expect(readKeyFile(keyFile)[1]).toMatchObject({ id: prepared.newest, prepared: true })
    expect(await rotations(admin)).toEqual([])
    const rotated = await rotate(config)
    expect(rotated).toMatchObject({ newest: prepared.newest, rewrapped: 2, resumed: false })
    expect(readKeyFile(keyFile)).toHaveLength(2)
  })

  it('S2: without a provider it says what to set', async () => {
    const { dir } = await deploy('no_provider')
    const none = join(dir, 'none.yaml')
    await writeFile(none, 'database: { urlFile: app-url }\n', { mode: 0o600 })
    expect(await refusal(rotate(none))).toMatch(/no provider of master keys is configured\n.*generate-key --out/)
  })
})

describe('portcullis secrets list', () => {
  it('S7: names every key, where it is and what its loss means, and shows none, also without a database', async () => {
    const deployment = await deploy('listed')
    const { config, keyFile, dir } = deployment
    await putSecrets(deployment, 5)
    const { keys, databaseProblem } = await list(config)
    expect(databaseProblem).toBeNull()
    const names = keys.map(({ name }) => name)
    expect(names).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^master key file:/),
        'checkpoint signing key',
        'pseudonym keys',
        'database password of the app role',
        'database password of the owner role',
        'API keys',
        'legacy token',
        'service tokens',
        'TLS key of the listeners',
      ]),
    )
    for (const key of keys) expect(Object.values(key).every((text) => text !== '')).toBe(true)
    expect(keys[0]).toMatchObject({ count: 5, where: expect.stringMatching(/^file master-key/) })
    for (const secret of [
      (await readFile(keyFile, 'utf8')).trim(),
      database.url('portcullis_app', 'listed').split(':')[2]?.split('@')[0] ?? '',
    ]) {
      expect(secret.length).toBeGreaterThan(20)
      expect(JSON.stringify(keys)).not.toContain(secret)
    }

    await writeFile(join(dir, 'app-url'), 'postgres://portcullis_app:x@127.0.0.1:1/x', { mode: 0o600 })
    const away = await list(config)
    expect(away.databaseProblem).toMatch(/could not be asked/)
    expect(away.keys.find(({ name }) => name === 'API keys')?.count).toBeNull()
  })
})

describe('keys in Vault', () => {
  it('S1: are used by a server, rotated, and missed at a start while Vault is away', async () => {
    const vault = await FakeVault.start()
    const { dir, tenantId, admin } = await deploy('in_vault')
    await writeFile(join(dir, 'secret-id'), 'secret-1\n', { mode: 0o600 })
    const config = join(dir, 'vault.yaml')
    const login = 'roleId: role-1, secretIdFile: secret-id, timeoutMs: 5000'
    await writeFile(
      config,
      `database: { urlFile: app-url }\nsecrets: { provider: vault, vault: { address: "${vault.target.url}", keyName: portcullis, ${login} } }\n`,
      { mode: 0o600 },
    )
    const loaded = loadConfig({ file: config, env: {}, mode: 'serve' })
    const connection = {
      ...database.settings(),
      client: { connectionString: database.url('portcullis_app', 'in_vault') },
    }
    const log = pino({ level: 'silent' })
    if (!loaded.ok) expect.fail('the settings are not usable')
    const store = (await openSecrets(loaded.config, connection, systemClock, log)) ?? expect.fail('no provider')
    const place = { tenant: tenantId, table: 'secrets', column: 'envelope', row: uuidv7() }
    const { envelope, keyId } = await store.envelopes.seal(Buffer.from('a stored secret'), place)
    await admin.query(
      `insert into portcullis.secrets (tenant_id, id, kind, name, envelope, key_id) values ($1, $2, 'webhook', 'w', $3, $4)`,
      [tenantId, place.row, envelope, keyId],
    )
    const server = await start(config)
    expect(await rotate(config)).toMatchObject({ newest: 'vault:transit/portcullis:v2', rewrapped: 1, resumed: false })
    const { rows } = await admin.query<{ envelope: Buffer }>('select envelope from portcullis.secrets')
    expect((await store.envelopes.open(rows[0]?.envelope ?? Buffer.alloc(0), place)).toString()).toBe('a stored secret')
    expect(await refusal(rotate(config, true))).toMatch(/only a key file can be prepared/)
    const { keys } = await list(config)
    expect(keys[0]).toMatchObject({ name: 'master key vault:transit/portcullis:v2', count: 1, where: 'Vault, transit' })
    expect(keys.map(({ name }) => name)).toContain('secrets.vault.secretIdFile')

    vault.target.always = misbehave.fail
    expect((await store.envelopes.open(rows[0]?.envelope ?? Buffer.alloc(0), place)).toString()).toBe('a stored secret')
    for (const work of [rotate(config), start(config)]) {
      const said = await refusal(work)
      expect(said + JSON.stringify(keys)).not.toMatch(/secret-1|s\.login/)
      expect(said).toMatch(/the provider of master keys cannot be used\nVault answered 500/)
    }
    await server.stop()
    await store.close()
    await vault.target.stop()
  })
})
