import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client } from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { publicId, uuidv7, type Tenant } from '#core'
import {
  addKey,
  createKeyFile,
  Envelopes,
  openProvider,
  UnreadableSecret,
  WrapBudget,
  type SecretPlace,
} from '#secrets'
import { TestDatabase, verifyLog, type TestTenant } from '../../test/harness/postgres.ts'
import { PseudonymKeyStore } from './pseudonym-keys.ts'
import { StoredEnvelopes } from './stored-envelopes.ts'

let dir = ''
let database: TestDatabase
let admin: Client
let stored: StoredEnvelopes
const open: PseudonymKeyStore[] = []
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'secrets-'))
  database = await TestDatabase.start()
  admin = await database.connect('postgres')
  stored = new StoredEnvelopes(database.settings())
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()))
})
afterAll(async () => {
  await stored.close()
  await database.stop()
  rmSync(dir, { recursive: true })
})

let files = 0
/** Envelopes over a key file of their own, and the file. */
function withKeys(): { readonly envelopes: Envelopes; readonly file: string; readonly keyId: string } {
  files += 1
  const file = join(dir, `keys-${files}`)
  const { id } = createKeyFile(file)
  return { envelopes: envelopesOf(file), file, keyId: id }
}

function envelopesOf(file: string, step = 8): Envelopes {
  const budget = new WrapBudget({
    reserve: (keyId, count) => stored.reserveWraps(keyId, count),
    alarm: () => undefined,
    step,
  })
  const parts = { monotonic: () => performance.now(), budget, freshMs: 0, outageMs: 0 }
  return new Envelopes(openProvider({ kind: 'file', file }, parts).provider)
}

function keysOf(envelopes: Envelopes, woken?: () => void): PseudonymKeyStore {
  const store = new PseudonymKeyStore(database.settings(), envelopes, woken)
  open.push(store)
  return store
}

const named = ({ id, name }: TestTenant): Tenant => ({ id: publicId('ten', id), name })
const place = (tenant: string, row: string): SecretPlace => ({ tenant, table: 'secrets', column: 'envelope', row })

async function putSecret(envelopes: Envelopes, tenantId: string, text: string): Promise<string> {
  const id = uuidv7()
  const { envelope, keyId } = await envelopes.seal(Buffer.from(text), place(tenantId, id))
  await asTenant(tenantId, (app) =>
    app.query(
      `insert into portcullis.secrets (tenant_id, id, kind, name, envelope, key_id) values ($1, $2, 'webhook', $2::uuid::text, $3, $4)`,
      [tenantId, id, envelope, keyId],
    ),
  )
  return id
}

async function readSecret(envelopes: Envelopes, tenantId: string, id: string): Promise<string> {
  const { rows } = await asTenant(tenantId, (app) =>
    app.query<{ envelope: Buffer }>('select envelope from portcullis.secrets where id = $1', [id]),
  )
  return (await envelopes.open(rows[0]?.envelope ?? Buffer.alloc(0), place(tenantId, id))).toString()
}

let app: Client | undefined
async function asTenant<Result>(tenantId: string, work: (app: Client) => Promise<Result>): Promise<Result> {
  app ??= await database.connect('portcullis_app')
  await app.query('begin')
  await app.query(`select set_config('portcullis.tenant', $1, true)`, [tenantId])
  try {
    return await work(app)
  } finally {
    await app.query('commit')
  }
}

async function systemEntries(kind: string): Promise<readonly Record<string, unknown>[]> {
  const { rows } = await admin.query<{ entry: Buffer }>(
    `select entry from audits.entries where log = 'system' and action = $1 order by seq`,
    [kind],
  )
  return rows.map(({ entry }) => JSON.parse(entry.toString()).body.args)
}

const forget = async (): Promise<void> =>
  void (await admin.query('delete from portcullis.secrets; delete from portcullis.pseudonym_keys'))
afterEach(forget)

describe('pseudonym keys', () => {
  it('S1: are made, loaded by every replica, and destroyed for good, each with its entry', async () => {
    const tenant = named(await database.makeTenant('pseudonyms'))
    const { envelopes } = withKeys()
    const changed = Promise.withResolvers<void>()
    const [one, two] = [keysOf(envelopes), keysOf(envelopes, () => changed.resolve())]
    expect(await two.load()).toEqual({ keys: [], changed: false })
    const made = await one.create(tenant, { id: 'opr_1', kind: 'operator' })
    expect(made).toMatchObject({ tenant, version: 1, destroyedAtMs: undefined })
    await changed.promise
    const seen = await two.load()
    expect(seen.changed).toBe(true)
    expect(seen.keys[0]?.key?.export()).toEqual(made.key?.export())
    expect((await two.load()).changed).toBe(false)
    const secret = made.key?.export() ?? Buffer.alloc(0)
    const { rows } = await admin.query<{ envelope: Buffer }>('select envelope from portcullis.pseudonym_keys')
    expect(rows[0]?.envelope.includes(secret)).toBe(false)

    expect((await one.create(tenant)).version).toBe(2)
    expect(await one.destroy(tenant, 1)).toBe(true)
    expect(await one.destroy(tenant, 1)).toBe(false)
    expect(await one.destroy(tenant, 9)).toBe(false)
    const after = await two.load()
    expect(after.keys.map(({ version, key }) => [version, key === undefined])).toEqual([
      [1, true],
      [2, false],
    ])
    // The version of a destroyed key is never used again.
    await one.destroy(tenant, 2)
    expect((await one.create(tenant)).version).toBe(3)
    expect(await systemEntries('pseudonym_key.created')).toMatchObject([
      { tenant: tenant.id, version: 1 },
      { version: 2 },
      { version: 3 },
    ])
    expect(await systemEntries('pseudonym_key.destroyed')).toEqual([
      { tenant: tenant.id, version: 1 },
      { tenant: tenant.id, version: 2 },
    ])
    expect((await verifyLog(admin, 'system')).chain_valid).toBe(true)
  })

  it('S1: of replicas that make keys at once, each makes a version of its own', async () => {
    const tenant = named(await database.makeTenant('race'))
    const { envelopes } = withKeys()
    const stores = Array.from({ length: 4 }, () => keysOf(envelopes))
    const made = await Promise.all(stores.map((store) => store.create(tenant)))
    expect(made.map(({ version }) => version).toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4])
    const { keys } = await keysOf(envelopes).load()
    for (const { version, key } of made)
      expect(keys.find((one) => one.version === version)?.key?.export()).toEqual(key?.export())
  })

  it('S1: what is loaded while a key is made is there or is not, and never half of it', async () => {
    const tenant = named(await database.makeTenant('at-once'))
    const store = keysOf(withKeys().envelopes)
    const work = Array.from({ length: 12 }, (_, at) => (at % 3 === 0 ? store.create(tenant) : store.load()))
    const results = await Promise.all(work)
    const loaded = results.flatMap((result) => ('keys' in result ? [result.keys.length] : []))
    expect(loaded).toEqual([1, 1, 2, 2, 3, 3, 4, 4])
  })

  it('S1: an envelope that was moved to another version opens nothing', async () => {
    const tenant = await database.makeTenant('moved')
    const { envelopes } = withKeys()
    const store = keysOf(envelopes)
    await store.create(named(tenant))
    await store.create(named(tenant))
    await admin.query(
      `update portcullis.pseudonym_keys k set envelope = o.envelope from portcullis.pseudonym_keys o
        where k.tenant_id = $1 and o.tenant_id = $1 and k.version = 1 and o.version = 2`,
      [tenant.id],
    )
    await expect(keysOf(envelopes).load()).rejects.toThrow(UnreadableSecret)
  })
})

describe('stored secrets', () => {
  it('G11: are seen by their tenant alone, and envelopes that change rows or tenants open nowhere', async () => {
    const [mine, other] = [await database.makeTenant('mine'), await database.makeTenant('other')]
    const { envelopes } = withKeys()
    const [a, b] = [await putSecret(envelopes, mine.id, 'a'), await putSecret(envelopes, mine.id, 'b')]
    const theirs = await putSecret(envelopes, other.id, 'theirs')
    expect(await readSecret(envelopes, mine.id, a)).toBe('a')
    await expect(readSecret(envelopes, mine.id, theirs)).rejects.toThrow(UnreadableSecret)
    const keys = await asTenant(mine.id, (client) => client.query('select from portcullis.secrets'))
    expect(keys.rowCount).toBe(2)
    const copy = `update portcullis.secrets s set envelope = o.envelope from portcullis.secrets o where s.id = $1 and o.id = $2`
    await admin.query(copy, [a, b])
    await expect(readSecret(envelopes, mine.id, a)).rejects.toThrow(UnreadableSecret)
    await admin.query(copy, [b, theirs])
    await expect(readSecret(envelopes, mine.id, b)).rejects.toThrow(UnreadableSecret)
    await expect(asTenant(mine.id, (client) => client.query('select from portcullis.pseudonym_keys'))).rejects.toThrow(
      /permission denied/,
    )
  })

  it('S2: a rotation moves every envelope to the newest key while readers go on, and says so in the ledger', async () => {
    const tenants = [await database.makeTenant('rotated-1'), await database.makeTenant('rotated-2')]
    const { envelopes, file, keyId } = withKeys()
    const ids: (readonly [string, string])[] = []
    for (let at = 0; at < 130; at += 1) {
      const tenant = tenants[at % 2]?.id ?? ''
      ids.push([tenant, await putSecret(envelopes, tenant, `secret ${at}`)])
    }
    const keys = keysOf(envelopes)
    await keys.create(named(tenants[0] ?? expect.fail('no tenant')))

    // A replica that began with the old file and is told nothing.
    const replica = envelopesOf(file)
    let reads = 0
    const over = new AbortController()
    const reader = (async () => {
      while (!over.signal.aborted) {
        const [tenant = '', id = ''] = ids[reads % ids.length] ?? []
        expect(await readSecret(replica, tenant, id)).toBe(`secret ${reads % ids.length}`)
        reads += 1
      }
    })()
    let newest = ''
    const shown: string[] = []
    const result = await stored.rewrap(
      envelopes,
      (stale) => {
        expect(stale).toBe(0)
        newest = addKey(file, { prepared: false }).id
        return Promise.resolve()
      },
      (done, total) => shown.push(`${done}/${total}`),
    )
    over.abort()
    await reader
    expect(reads).toBeGreaterThan(0)
    expect(result).toEqual({ rewrapped: 131, skipped: 0, newest })
    expect(shown).toEqual(['100/131', '131/131'])
    expect(await stored.count()).toMatchObject([
      { kind: 'pseudonym key', keyId: newest, envelopes: 1 },
      { kind: 'webhook', keyId: newest, envelopes: 130, tenants: 2 },
    ])
    for (const [at, [tenant, id]] of ids.entries()) expect(await readSecret(replica, tenant, id)).toBe(`secret ${at}`)
    expect((await keysOf(envelopes).load()).keys).toHaveLength(1)
    expect((await systemEntries('key.rotated')).slice(-2)).toEqual([
      { phase: 'begun', from: keyId, to: newest, envelopes: 131 },
      { phase: 'finished', from: keyId, to: newest, rewrapped: 131, skipped: 0 },
    ])
  })

  it('S2: a rotation that breaks in the middle is finished by the next one, without a further key', async () => {
    const { id: tenant } = await database.makeTenant('interrupted')
    const { envelopes, file } = withKeys()
    const ids: string[] = []
    for (let at = 0; at < 120; at += 1) ids.push(await putSecret(envelopes, tenant, `secret ${at}`))
    const { id: newest } = addKey(file, { prepared: false })
    const breaks = (done: number): void => {
      if (done === 100) throw new Error('broken here')
    }
    await expect(stored.rewrap(envelopes, () => Promise.resolve(), breaks)).rejects.toThrow('broken here')
    expect((await stored.count()).map(({ envelopes: many }) => many).toSorted((a, b) => a - b)).toEqual([20, 100])
    let stale = 0
    const result = await stored.rewrap(
      envelopesOf(file),
      (found) => Promise.resolve(void (stale = found)),
      () => undefined,
    )
    expect([stale, result]).toEqual([20, { rewrapped: 20, skipped: 0, newest }])
    for (const [at, id] of ids.entries()) expect(await readSecret(envelopes, tenant, id)).toBe(`secret ${at}`)
  })

  it('S2: two rotations at once: one works, the other says so', async () => {
    const { envelopes } = withKeys()
    const inside = Promise.withResolvers<void>()
    const goOn = Promise.withResolvers<void>()
    const first = stored.rewrap(
      envelopes,
      () => {
        inside.resolve()
        return goOn.promise
      },
      () => undefined,
    )
    await inside.promise
    expect(
      await stored.rewrap(
        envelopes,
        () => Promise.resolve(),
        () => undefined,
      ),
    ).toBeUndefined()
    goOn.resolve()
    expect(await first).toMatchObject({ rewrapped: 0 })
  })

  it('S1: wraps are counted over replicas and restarts, in steps', async () => {
    const { id: tenant } = await database.makeTenant('counted')
    const { file, keyId } = withKeys()
    for (const replica of [envelopesOf(file), envelopesOf(file)])
      for (let at = 0; at < 9; at += 1) await putSecret(replica, tenant, 'x')
    expect((await stored.count()).find((one) => one.keyId === keyId)?.wraps).toBe(32)
  })
})
