import type { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { methods } from '@portcullis/contract'
import { keyPartOf, makeKey, type Secret, sha256, systemClock, uuidv7, type Clock } from '#core'
import { decide, Gcra, type KeyRecord } from '#gate'
import { effect } from '#hub'
import { TestDatabase, type TestTenant } from '../../test/harness/postgres.ts'
import { CuttingProxy } from '../../test/harness/proxy.ts'
import { begin, effectStatements, groupByTenant } from './batch-statements.ts'
import { Connection, send } from './connection.ts'
import { KeyCache, keyCacheDefaults, type KeyCacheSettings } from './keys.ts'
import { recordOnly } from './members.fixture.ts'
import { Writer, writerDefaults } from './writer.ts'

let database: TestDatabase
let admin: Client
let writer: Writer
let tenant: TestTenant
const open: KeyCache[] = []
const never = 3_600_000

beforeAll(async () => {
  database = await TestDatabase.start()
  admin = await database.connect('postgres')
  writer = new Writer({ connection: database.settings(), ...writerDefaults }, systemClock)
})
afterAll(async () => {
  await writer.close()
  await database.stop()
})
let tenants = 0
beforeEach(async () => {
  tenants += 1
  tenant = await database.makeTenant(`keys-${tenants}`)
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((cache) => cache.close()))
})

async function cacheOf(more: Partial<KeyCacheSettings> = {}, clock: Clock = systemClock): Promise<KeyCache> {
  const cache = new KeyCache({ connection: database.settings(), ...keyCacheDefaults, ...more }, clock)
  open.push(cache)
  await cache.start()
  return cache
}

interface MadeKey {
  readonly id: string
  readonly agentId: string
  readonly text: Secret
}

async function makeAgentKey(expiresAt: Date | null = null): Promise<MadeKey> {
  const [agentId, id] = [uuidv7(), uuidv7()]
  const { text, secret } = makeKey(id)
  await admin.query(
    `insert into portcullis.agents (tenant_id, id, name, owner, labels, allowed_models, allowed_tools) values ($1, $2, $3, '', '{}', '{}', '{}')`,
    [tenant.id, agentId, `agent-${agentId}`],
  )
  await admin.query(
    `insert into portcullis.keys (tenant_id, id, agent_id, digest, scopes, expires_at) values ($1, $2, $3, $4, '{telemetry:write}', $5)`,
    [tenant.id, id, agentId, sha256(secret), expiresAt],
  )
  return { id, agentId, text }
}

const found = (cache: KeyCache, id: string): KeyRecord | undefined => cache.find(keyPartOf(id))
const isRevoked = (cache: KeyCache, id: string): boolean => found(cache, id)?.revokedAtMs !== undefined
// Not through the writer: without a notification, as if that had been lost.
const revokeQuietly = (client: Client, id: string): Promise<unknown> =>
  client.query('update portcullis.keys set revoked_at = now(), changed_xid = pg_current_xact_id() where id = $1', [id])

const submit = async (operation: 'key.revoke' | 'agent.disable', id: string): Promise<boolean> => {
  const work = effect({ operation, key: id, args: { id, atMs: Date.now() }, answer: () => ({}) })
  return (await writer.submit({ ...recordOnly(tenant, `req-${uuidv7()}`), effect: work })).refused
}

function decisionOf(cache: KeyCache, key: MadeKey, clock: Clock = systemClock): string {
  const method = methods.get('/portcullis.v1.HubService/StartRun') ?? expect.fail('no such method')
  const gcra = (): Gcra => new Gcra({ perSecond: 1000, burst: 1000 })
  const call = {
    method,
    credentials: [{ kind: 'api_key', text: key.text }],
    remote: '127.0.0.1',
    requestId: 'req-1',
    tenantId: undefined,
  } as const
  const decision = decide(call, { clock, keys: cache, failures: gcra(), addresses: gcra(), calls: gcra() })
  return decision.refused ? `${decision.refusal.code}: ${decision.refusal.reason}` : 'allowed'
}

describe('what is known besides', () => {
  it('G22: keys are found by whose they are, as they are now', async () => {
    const cache = await cacheOf()
    const key = await makeAgentKey()
    await cache.refresh()
    const owned = (): readonly (readonly [string, boolean])[] =>
      [...cache.ofOwner(`agt_${key.agentId}`)].map(({ id, revokedAtMs }) => [id, revokedAtMs !== undefined])
    expect(owned()).toEqual([[`key_${key.id}`, false]])
    const before = cache.epoch()
    await submit('key.revoke', key.id)
    await cache.refresh()
    expect(owned()).toEqual([[`key_${key.id}`, true]])
    expect(BigInt(cache.epoch())).toBeGreaterThan(BigInt(before))
    expect([...cache.ofOwner(`agt_${uuidv7()}`)]).toEqual([])
  })

  it('G8: a tenant is known by id and name until it is disabled', async () => {
    const cache = await cacheOf()
    await makeAgentKey()
    await cache.refresh()
    const known = { id: `ten_${tenant.id}`, name: tenant.name }
    expect([cache.tenant(known.id), cache.tenant(known.name)]).toEqual([known, known])
    expect(cache.tenant('nobody')).toBeUndefined()
    await admin.query('select portcullis.disable_tenant($1)', [tenant.id])
    await cache.refresh()
    expect([cache.tenant(known.id), cache.tenant(known.name)]).toEqual([undefined, undefined])
  })
})

describe('revocation', () => {
  it('G4: reaches another replica by notification', async () => {
    const key = await makeAgentKey()
    // A poll that never comes: only the notification can tell.
    const other = await cacheOf({ pollMs: never, leaseMs: never })
    expect(decisionOf(other, key)).toBe('allowed')
    expect(await submit('key.revoke', key.id)).toBe(false)
    await vi.waitFor(() => expect(isRevoked(other, key.id)).toBe(true), { timeout: 10_000, interval: 5 })
    expect(decisionOf(other, key)).toBe(`auth.credential_invalid: key key_${key.id} revoked`)
  })

  it('G4: reaches another replica by the poll where no notification comes', async () => {
    const key = await makeAgentKey()
    const other = await cacheOf({ pollMs: 20 })
    expect(decisionOf(other, key)).toBe('allowed')
    await revokeQuietly(admin, key.id)
    await vi.waitFor(() => expect(isRevoked(other, key.id)).toBe(true), { timeout: 10_000, interval: 5 })
  })

  it('G4: committed while the connection is cut is found when it is back', async () => {
    const proxy = await CuttingProxy.start(database.postgres.port)
    try {
      const key = await makeAgentKey()
      const other = await cacheOf({ connection: database.settings(proxy.port), pollMs: 20 })
      proxy.refuse()
      expect(await submit('key.revoke', key.id)).toBe(false)
      expect(isRevoked(other, key.id)).toBe(false)
      proxy.accept()
      await vi.waitFor(() => expect(isRevoked(other, key.id)).toBe(true), { timeout: 10_000, interval: 5 })
      // It listens again, too.
      const second = await makeAgentKey()
      await submit('key.revoke', second.id)
      await vi.waitFor(() => expect(isRevoked(other, second.id)).toBe(true), { timeout: 10_000, interval: 5 })
    } finally {
      await Promise.all(open.splice(0).map((cache) => cache.close()))
      await proxy.stop()
    }
  })

  it('G4: no change is missed where transactions commit in another order than they began', async () => {
    const [first, second] = [await makeAgentKey(), await makeAgentKey()]
    const cache = await cacheOf({ pollMs: never, leaseMs: never })
    const [a, b] = [await database.connect('postgres'), await database.connect('postgres')]
    await a.query('begin')
    await revokeQuietly(a, first.id)
    await b.query('begin')
    await revokeQuietly(b, second.id)
    await b.query('commit')
    await cache.refresh()
    expect([isRevoked(cache, first.id), isRevoked(cache, second.id)]).toEqual([false, true])
    await cache.refresh()
    await a.query('commit')
    await cache.refresh()
    expect([isRevoked(cache, first.id), isRevoked(cache, second.id)]).toEqual([true, true])
  })

  it('G4: a look that began before the question does not answer it', async () => {
    const key = await makeAgentKey()
    const cache = await cacheOf({ pollMs: never, leaseMs: never })
    const early = cache.refresh()
    await revokeQuietly(admin, key.id)
    await Promise.all([early, cache.refresh()])
    expect(isRevoked(cache, key.id)).toBe(true)
  })
})

describe('what ends a key', () => {
  it('G4: an expired key authenticates nobody', async () => {
    const key = await makeAgentKey(new Date(Date.now() - 1))
    expect(decisionOf(await cacheOf(), key)).toBe(`auth.credential_invalid: key key_${key.id} expired`)
  })

  it('G4: the key of a disabled agent authenticates nobody, on the other replica too', async () => {
    const key = await makeAgentKey()
    const other = await cacheOf({ pollMs: never, leaseMs: never })
    expect(await submit('agent.disable', key.agentId)).toBe(false)
    await vi.waitFor(() => expect(found(other, key.id)?.ownerDisabled).toBe(true), { timeout: 10_000, interval: 5 })
    expect(decisionOf(other, key)).toBe(`auth.credential_invalid: owner agt_${key.agentId} disabled`)
  })

  it('G4: the keys of a disabled tenant authenticate nobody, on the other replica too', async () => {
    const key = await makeAgentKey()
    const other = await cacheOf({ pollMs: never, leaseMs: never })
    const app = await database.connect('portcullis_app')
    await app.query('select portcullis.disable_tenant($1)', [tenant.id])
    await vi.waitFor(() => expect(found(other, key.id)?.tenantDisabled).toBe(true), { timeout: 10_000, interval: 5 })
    expect(decisionOf(other, key)).toBe(`auth.credential_invalid: tenant ten_${tenant.id} disabled`)
  })

  const insertKey = `insert into portcullis.keys (tenant_id, id, agent_id, digest, scopes) values ($1, $2, $3, $4, '{telemetry:write}')`

  it.each(['agent', 'tenant'] as const)(
    'G4: a key that is being made while its %s is disabled never stays usable',
    async (what) => {
      const { agentId } = await makeAgentKey()
      const id = uuidv7()
      const cache = await cacheOf({ pollMs: never, leaseMs: never })
      const maker = await database.connect('postgres')
      await maker.query('begin')
      await maker.query(insertKey, [tenant.id, id, agentId, sha256('')])
      // Disabling begins before the key is there to be seen.
      const disabling = new Connection(database.settings(), 'disabling')
      const client = await disabling.client()
      const work =
        what === 'agent'
          ? effectStatements(disableGroup(agentId))
          : [{ name: 'tenant', text: 'select portcullis.disable_tenant($1)', values: [tenant.id] }]
      const disabled = Promise.all([begin, ...work].map((statement) => send(client, statement)))
      const waits = `select count(*)::int as n from pg_stat_activity where application_name = 'portcullis disabling' and wait_event_type = 'Lock'`
      await vi.waitFor(async () => expect((await admin.query(waits)).rows).toEqual([{ n: 1 }]), {
        timeout: 5000,
        interval: 5,
      })
      await maker.query('commit')
      await disabled
      await cache.refresh()
      expect(found(cache, id)).toMatchObject({ ownerDisabled: false, tenantDisabled: false })
      await client.query('commit')
      await cache.refresh()
      expect(found(cache, id)).toMatchObject({ ownerDisabled: what === 'agent', tenantDisabled: what === 'tenant' })
      await disabling.close()
    },
  )

  function disableGroup(agentId: string): Parameters<typeof effectStatements>[0] {
    const work = effect({
      operation: 'agent.disable',
      key: agentId,
      args: { id: agentId, atMs: Date.now() },
      answer: () => ({}),
    })
    const [group] = groupByTenant([{ ...recordOnly(tenant, 'req-1'), effect: work }])
    return group ?? expect.fail('no group')
  }
})

describe('stale state', () => {
  it('G20: older than its lease it authenticates nobody, and it recovers by itself', async () => {
    const proxy = await CuttingProxy.start(database.postgres.port)
    try {
      const key = await makeAgentKey()
      let ahead = 0
      const clock = { now: () => Date.now(), monotonic: () => performance.now() + ahead }
      const cache = await cacheOf({ connection: database.settings(proxy.port), pollMs: 20 }, clock)
      expect([cache.fresh(), decisionOf(cache, key, clock)]).toEqual([true, 'allowed'])
      proxy.refuse()
      await expect(cache.refresh()).rejects.toThrow()
      ahead += keyCacheDefaults.leaseMs + 1
      expect(cache.fresh()).toBe(false)
      expect(decisionOf(cache, key, clock)).toBe('store.unavailable: key state is older than its lease')
      proxy.accept()
      await vi.waitFor(() => expect(cache.fresh()).toBe(true), { timeout: 10_000, interval: 5 })
      expect(decisionOf(cache, key, clock)).toBe('allowed')
    } finally {
      await Promise.all(open.splice(0).map((cache) => cache.close()))
      await proxy.stop()
    }
  })

  it('G20: a start without a database rejects instead of serving with no keys', async () => {
    const cache = new KeyCache({ connection: database.settings(1), ...keyCacheDefaults }, systemClock)
    await expect(cache.start()).rejects.toThrow()
    expect(cache.fresh()).toBe(false)
    await cache.close()
  })

  it('G4: the last use of a key reaches the database when the cache is closed', async () => {
    const key = await makeAgentKey()
    const cache = await cacheOf()
    expect(decisionOf(cache, key)).toBe('allowed')
    await cache.close()
    const { rows } = await admin.query<{ used: boolean }>(
      'select last_used_at is not null as used from portcullis.keys where id = $1',
      [key.id],
    )
    expect(rows).toEqual([{ used: true }])
  })
})

describe('the clock of the database', () => {
  it('O15: is compared with that of this process at every look', async () => {
    for (const aheadMs of [0, 45_000, -45_000]) {
      const clock: Clock = { now: () => systemClock.now() + aheadMs, monotonic: () => systemClock.monotonic() }
      const seen: (readonly [number, number])[] = []
      await cacheOf({ pollMs: never, clockSeen: (skewMs, withinMs) => seen.push([skewMs, withinMs]) }, clock)
      const [skewMs = Number.NaN, withinMs = 0] = seen[0] ?? []
      expect(Math.abs(skewMs - aheadMs)).toBeLessThanOrEqual(withinMs + 1000)
    }
  })
})
