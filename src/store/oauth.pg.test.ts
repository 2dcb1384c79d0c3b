import { randomBytes } from 'node:crypto'
import type { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { sha256Hex, uuidv7 } from '#core'
import { Envelopes } from '#secrets'
import { TestDatabase, type TestTenant } from '../../test/harness/postgres.ts'
import { OAuthArtefacts } from './oauth-artefacts.ts'
import { OAuthKeys } from './oauth-keys.ts'
import type { TokenKey } from '#authority'

let database: TestDatabase
let tenant: TestTenant
let app: Client
let admin: Client
let store: OAuthArtefacts

beforeAll(async () => {
  database = await TestDatabase.start()
  tenant = await database.makeTenant('mine')
  app = await database.connect('portcullis_app')
  admin = await database.connect('postgres')
  store = new OAuthArtefacts(database.settings())
})

afterAll(async () => {
  await store.close()
  await database.stop()
})

let grant: string
const inHour = Date.now() + 3_600_000

beforeEach(async () => {
  grant = sha256Hex(uuidv7())
  await store.keep({ upsert: [row('Grant', grant), row('RefreshToken', digest('first'))] })
})

function digest(name: string): string {
  return sha256Hex(`${grant} ${name}`)
}

function row(model: string, of: string, expiresAtMs = inHour) {
  return { model, digest: of, payload: { kind: model }, grantDigest: grant, uidDigest: null, expiresAtMs }
}

function use(name: string, next: string) {
  const denials = [{ tenantId: tenant.id, digest: grant, reason: 'used twice', expiresAtMs: inHour }]
  return {
    consume: [{ model: 'RefreshToken', digest: digest(name), keepSeconds: 60 }],
    upsert: [row('RefreshToken', digest(next))],
    lost: { grants: [grant], denials },
  }
}

async function left(): Promise<number> {
  const { rows } = await admin.query<{ many: string }>(
    `select count(*) as many from portcullis.oauth_artefacts where grant_digest = decode($1, 'hex')`,
    [grant],
  )
  return Number(rows[0]?.many)
}

async function denied(): Promise<boolean> {
  const { rows } = await admin.query(`select from portcullis.token_denials where digest = decode($1, 'hex')`, [grant])
  return rows.length > 0
}

describe('the storage of the authorization server', () => {
  it('A7: the second use of a refresh token ends its family, and writes nothing else', async () => {
    expect(await store.keep(use('first', 'second'))).toBe('done')
    expect(await denied()).toBe(false)
    expect(await store.keep(use('first', 'third'))).toBe('lost')
    expect([await left(), await denied()]).toEqual([0, true])
  })

  it('A6: of many that use one at the same time on connections of their own, exactly one is first', async () => {
    const stores = Array.from({ length: 4 }, () => new OAuthArtefacts(database.settings()))
    const verdicts = await Promise.all(stores.map((each, at) => each.keep(use('first', `next ${at}`))))
    expect(verdicts.filter((verdict) => verdict === 'done')).toHaveLength(1)
    expect(verdicts.filter((verdict) => verdict === 'lost')).toHaveLength(3)
    // The winner's next token is gone as well, or has no grant any more.
    expect(await store.find('Grant', grant)).toBeUndefined()
    expect(await denied()).toBe(true)
    await Promise.all(stores.map((each) => each.close()))
  })

  it('A6: what is used stays as used, and is known as such later', async () => {
    await store.keep(use('first', 'second'))
    expect(await store.find('RefreshToken', digest('first'))).toMatchObject({ consumed: true, expired: false })
    expect(await store.find('RefreshToken', digest('second'))).toMatchObject({ consumed: false })
  })

  it('A1: a proof is good once, and again only long after it has expired', async () => {
    const once = (expiresAtMs: number) => ({
      once: [{ model: 'ReplayDetection', digest: digest('proof'), expiresAtMs }],
    })
    expect(await store.keep(once(Date.now() - 3_600_000))).toBe('done')
    expect(await store.keep(once(inHour))).toBe('done')
    expect(await store.keep({ ...once(inHour), upsert: [row('Session', digest('session'))] })).toBe('replayed')
    expect(await store.find('Session', digest('session'))).toBeUndefined()
  })

  it('A6: what has expired is taken away in steps', async () => {
    const past = Date.now() - 3_600_000
    await store.keep({ upsert: [row('Interaction', digest('a'), past), row('Interaction', digest('b'), past)] })
    const purge = async () => Number((await app.query('select portcullis.purge_oauth(1) as many')).rows[0]?.many)
    expect([await purge(), await purge(), await purge()]).toEqual([1, 1, 0])
    expect(await left()).toBe(2)
  })

  it('A6: the role that serves reaches it through the functions alone', async () => {
    for (const table of ['oauth_artefacts', 'oauth_keys'])
      await expect(app.query(`select * from portcullis.${table}`)).rejects.toThrow(/permission denied/)
    await expect(app.query(`select portcullis.oauth_revoke('{}')`)).rejects.toThrow(/permission denied/)
  })
})

describe('the keys of tokens', () => {
  const provider = {
    wrap: async (dataKey: Uint8Array) => ({ keyId: 'test:1', bytes: Buffer.from(dataKey) }),
    unwrap: async ({ bytes }: { readonly bytes: Uint8Array }) => bytes,
    prove: async () => undefined,
    newest: async () => 'test:1',
    knows: async () => true,
  }

  it('A2: are made by one replica, retire the last one, and are opened by all', async () => {
    const envelopes = new Envelopes(provider as never)
    let seen: readonly TokenKey[] = []
    const keys = new OAuthKeys({
      connection: database.settings(),
      envelopes: () => envelopes,
      changed: (known) => (seen = known),
      failed: (error) => {
        throw error
      },
    })
    const make = (ageSeconds: number) => {
      const kid = randomBytes(8).toString('hex')
      const jwk = { kid, secret: 'd' }
      const times = { delaySeconds: 60, overlapSeconds: 600, ageSeconds }
      return keys.create({ id: uuidv7(), kid, algorithm: 'ES256', publicJwk: { kid }, privateJwk: jwk, ...times })
    }
    const load = async () => {
      const { rows } = await app.query(keys.text, ['0'])
      await keys.keep(rows)
    }
    expect(await make(3600)).toBe(true)
    expect(await make(3600)).toBe(false)
    await load()
    expect(seen).toHaveLength(1)
    // Nobody has fetched another: the first one signs at once.
    expect(seen[0]?.activatesAtMs).toBeLessThanOrEqual(Date.now() + 1000)
    expect(seen[0]?.retiresAtMs).toBeUndefined()
    expect(await make(0)).toBe(true)
    await load()
    const [first, second] = seen.toSorted((a, b) => a.activatesAtMs - b.activatesAtMs)
    expect(second?.privateJwk).toMatchObject({ kid: second?.kid, secret: 'd' })
    expect(first?.retiresAtMs).toBe((second?.activatesAtMs ?? 0) + 600_000)
    await keys.close()
  })
})
