import type { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { sha256, systemClock, uuidv7 } from '#core'
import type { AppRecord } from '#authority'
import { effect, type AppCreate, type OperationName, type Operations } from '#hub'
import { TestDatabase, type TestTenant } from '../../test/harness/postgres.ts'
import { AppCache } from './apps.ts'
import { KeyCache, keyCacheDefaults } from './keys.ts'
import { recordOnly } from './members.fixture.ts'
import { DenialCache } from './token-denials.ts'
import { Writer, writerDefaults } from './writer.ts'

let database: TestDatabase
let admin: Client
let writer: Writer
let tenant: TestTenant
const open: KeyCache[] = []

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
  tenant = await database.makeTenant(`apps-${tenants}`)
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((cache) => cache.close()))
})

interface Replica {
  readonly apps: AppCache
  readonly denials: DenialCache
  readonly keys: KeyCache
}

/** What one replica knows; by default it looks only when it is told of a change. */
async function replica(pollMs = 3_600_000): Promise<Replica> {
  const apps = new AppCache()
  const denials = new DenialCache(systemClock)
  const settings = { connection: database.settings(), ...keyCacheDefaults, pollMs, tables: [apps, denials] }
  const keys = new KeyCache(settings, systemClock)
  open.push(keys)
  await keys.start()
  return { apps, denials, keys }
}

/** The row that the statement answered with; undefined where it was refused. */
async function submit<Name extends OperationName>(
  operation: Name,
  args: Operations[Name]['args'],
): Promise<Operations[Name]['row'] | undefined> {
  let found: Operations[Name]['row'] | undefined
  const work = effect<Name>({
    operation,
    key: 'test',
    args,
    answer: (row) => {
      found = row
      return {}
    },
  })
  await writer.submit({ ...recordOnly(tenant, `req-${uuidv7()}`), effect: work })
  return found
}

const grantable = ['telemetry:write']
const hex = (text: string): string => sha256(text).toString('hex')

function appOf(more: Partial<AppCreate> = {}): AppCreate {
  return {
    id: uuidv7(),
    name: `app-${uuidv7()}`,
    agentId: null,
    scopes: ['telemetry:write'],
    redirectUris: [],
    grantTypes: ['client_credentials'],
    authMethod: 'client_secret_basic',
    jwksJson: null,
    tlsSubjectDn: null,
    dpopBound: false,
    certificateBound: false,
    secretDigest: hex('first'),
    createdAtMs: Date.now(),
    ...more,
  }
}

async function makeAgent(): Promise<string> {
  const id = uuidv7()
  await admin.query(
    `insert into portcullis.agents (tenant_id, id, name, owner, labels, allowed_models, allowed_tools) values ($1, $2, $3, '', '{}', '{}', '{}')`,
    [tenant.id, id, `agent-${id}`],
  )
  return id
}

/** As the authorization server does when a token or a grant ends. */
async function deny(what: string, expiresAtMs: number): Promise<void> {
  const denials = [{ tenantId: tenant.id, digest: hex(what), reason: 'test', expiresAtMs }]
  await admin.query('select portcullis.oauth_revoke($1)', [JSON.stringify({ denials })])
}

function recordOf({ apps }: Replica, id: string): AppRecord {
  return apps.find(`app_${id}`) ?? expect.fail('the app is not there')
}

describe('an app', () => {
  it('A5: is in memory with all that a token endpoint asks for', async () => {
    const agentId = await makeAgent()
    const app = appOf({ agentId, redirectUris: ['https://a.example/cb'], dpopBound: true })
    expect(await submit('app.create', app)).toMatchObject({ verdict: 'done' })
    const here = await replica()
    expect(recordOf(here, app.id)).toEqual({
      id: `app_${app.id}`,
      name: app.name,
      tenant: { id: `ten_${tenant.id}`, name: tenant.name },
      agent: { id: `agt_${agentId}`, disabled: false },
      scopes: new Set(['telemetry:write']),
      redirectUris: ['https://a.example/cb'],
      grantTypes: ['client_credentials'],
      authMethod: 'client_secret_basic',
      jwksJson: undefined,
      tlsSubjectDn: undefined,
      dpopBound: true,
      certificateBound: false,
      secrets: [{ digest: sha256('first'), expiresAtMs: undefined }],
      disabled: false,
      tenantDisabled: false,
    })
    expect(here.apps.find(app.id)).toBeUndefined()
  })

  it('A5: is refused where its name is taken, or its agent is disabled or not there', async () => {
    const app = appOf()
    await submit('app.create', app)
    expect(await submit('app.create', appOf({ name: app.name }))).toMatchObject({ verdict: 'object.exists' })
    expect(await submit('app.create', appOf({ agentId: uuidv7() }))).toBeUndefined()
    const agentId = await makeAgent()
    await submit('agent.disable', { id: agentId, atMs: Date.now() })
    expect(await submit('app.create', appOf({ agentId }))).toMatchObject({ verdict: 'object.state' })
    // The same name twice in one batch.
    const name = `twice-${uuidv7()}`
    const both = await Promise.all([submit('app.create', appOf({ name })), submit('app.create', appOf({ name }))])
    expect(both.map((row) => String(row?.verdict)).toSorted()).toEqual(['done', 'object.exists'])
  })

  it('A5: a rotation with overlap leaves two secrets, one without ends the old at once, and never are there three', async () => {
    const app = appOf()
    await submit('app.create', app)
    const here = await replica()
    const atMs = Date.now()
    const rotate = (text: string, overlapSeconds: number): ReturnType<typeof submit> =>
      submit('app.rotate_secret', { id: app.id, secretDigest: hex(text), overlapSeconds, grantable, atMs })
    const digests = async (): Promise<readonly string[]> => {
      await here.keys.refresh()
      return recordOf(here, app.id).secrets.map(({ digest }) => Buffer.from(digest).toString('hex'))
    }
    expect(await rotate('second', 60)).toMatchObject({ verdict: 'done', secretCreatedAtMs: atMs })
    expect(await digests()).toEqual([hex('second'), hex('first')])
    const [present, old] = recordOf(here, app.id).secrets
    expect([present?.expiresAtMs, old?.expiresAtMs]).toEqual([undefined, atMs + 60_000])
    await rotate('third', 60)
    expect(await digests()).toEqual([hex('third'), hex('second')])
    expect(await rotate('fourth', 0)).toMatchObject({ oldSecretExpiresAtMs: null })
    expect(await digests()).toEqual([hex('fourth')])
  })

  it('A5: is told where its secret is old, as long as it is in use', async () => {
    const [app, keyed] = [
      appOf({ createdAtMs: 1000 }),
      appOf({ authMethod: 'none', secretDigest: null, createdAtMs: 1000 }),
    ]
    await submit('app.create', app)
    await submit('app.create', keyed)
    const here = await replica()
    const old = (): readonly string[] =>
      here.apps.secretsBefore(2000).flatMap(({ app: one, sinceMs }) => (sinceMs === 1000 ? [one.name] : []))
    expect(old()).toEqual([app.name])
    expect(here.apps.secretsBefore(1000)).toEqual([])
    await submit('app.disable', { id: app.id, atMs: Date.now() })
    await here.keys.refresh()
    expect(old()).toEqual([])
  })

  it('A5: of two rotations in one batch one is done, and the other is not there as if it were', async () => {
    const app = appOf()
    await submit('app.create', app)
    const rotate = (text: string): ReturnType<typeof submit<'app.rotate_secret'>> =>
      submit('app.rotate_secret', {
        id: app.id,
        secretDigest: hex(text),
        overlapSeconds: 0,
        grantable,
        atMs: Date.now(),
      })
    // Asked for at once they come in one batch. No secret is lost without a word.
    const rows = await Promise.all([rotate('a'), rotate('b')])
    const here = await replica()
    const stored = recordOf(here, app.id).secrets.map(({ digest }) => Buffer.from(digest).toString('hex'))
    const done = ['a', 'b'].filter((_, at) => rows[at]?.verdict === 'done').map(hex)
    expect(done.length).toBeGreaterThan(0)
    expect(done).toContain(stored[0])
    expect(rows.map((row) => String(row?.verdict)).toSorted()).toEqual(['done', 'rotating'])
  })

  it('A5: without a secret, or disabled, has none to rotate', async () => {
    const publicApp = appOf({ authMethod: 'none', secretDigest: null })
    const ended = appOf()
    await submit('app.create', publicApp)
    await submit('app.create', ended)
    await submit('app.disable', { id: ended.id, atMs: Date.now() })
    const rotate = (id: string): ReturnType<typeof submit<'app.rotate_secret'>> =>
      submit('app.rotate_secret', { id, secretDigest: hex('x'), overlapSeconds: 0, grantable, atMs: Date.now() })
    expect((await rotate(publicApp.id))?.verdict).toBe('no_secret')
    expect((await rotate(ended.id))?.verdict).toBe('disabled')
    expect(await rotate(uuidv7())).toBeUndefined()
  })

  it('A5: gives a secret to nobody who could not grant its scopes', async () => {
    const app = appOf()
    await submit('app.create', app)
    const args = { id: app.id, secretDigest: hex('x'), overlapSeconds: 0, grantable: ['identity:write'], atMs: 0 }
    expect((await submit('app.rotate_secret', args))?.verdict).toBe('scopes')
    expect(recordOf(await replica(), app.id).secrets.map(({ digest }) => digest)).toEqual([sha256('first')])
  })

  it('G11: of another tenant is not there', async () => {
    const app = appOf()
    await submit('app.create', app)
    tenant = await database.makeTenant(`apps-other-${tenants}`)
    expect(await submit('app.disable', { id: app.id, atMs: Date.now() })).toBeUndefined()
    expect(
      await submit('app.rotate_secret', {
        id: app.id,
        secretDigest: hex('x'),
        overlapSeconds: 0,
        grantable,
        atMs: Date.now(),
      }),
    ).toBeUndefined()
  })
})

describe('the end of an app', () => {
  it('A10: disabled on one replica it is disabled on the others in less than a second', async () => {
    const app = appOf()
    await submit('app.create', app)
    const there = await replica()
    const begunAt = performance.now()
    await submit('app.disable', { id: app.id, atMs: Date.now() })
    await expect.poll(() => recordOf(there, app.id).disabled, { interval: 5, timeout: 1000 }).toBe(true)
    expect(performance.now() - begunAt).toBeLessThan(1000)
  })

  it('A10: follows its agent, on every replica', async () => {
    const agentId = await makeAgent()
    const app = appOf({ agentId })
    await submit('app.create', app)
    const there = await replica()
    await submit('agent.disable', { id: agentId, atMs: Date.now() })
    await expect
      .poll(() => recordOf(there, app.id).agent, { interval: 5, timeout: 1000 })
      .toEqual({ id: `agt_${agentId}`, disabled: true })
  })

  it('A10: follows its tenant, on every replica', async () => {
    const app = appOf()
    await submit('app.create', app)
    const there = await replica()
    await admin.query('select portcullis.disable_tenant($1)', [tenant.id])
    await expect.poll(() => recordOf(there, app.id).tenantDisabled, { interval: 5, timeout: 1000 }).toBe(true)
  })

  it('A10: is not missed by a replica where the app was made while its agent was being disabled', async () => {
    const agentId = await makeAgent()
    const app = appOf({ agentId })
    const [disabling, making] = [await database.connect('portcullis_app'), await database.connect('portcullis_app')]
    for (const client of [disabling, making]) {
      await client.query('begin')
      await client.query(`select set_config('portcullis.tenant', $1, true)`, [tenant.id])
    }
    await making.query(
      `insert into portcullis.apps (tenant_id, id, name, agent_id, scopes, redirect_uris, grant_types, auth_method, dpop_bound, certificate_bound)
         values ($1, $2, $3, $4, '{}', '{}', '{}', 'none', false, false)`,
      [tenant.id, app.id, app.name, agentId],
    )
    // Waits for the app that is being made, and then sees it.
    const disabled = disabling.query(
      'update portcullis.agents set disabled_at = now() where tenant_id = $1 and id = $2',
      [tenant.id, agentId],
    )
    const there = await replica()
    await making.query('commit')
    await disabled
    await there.keys.refresh()
    expect(recordOf(there, app.id).agent?.disabled).toBe(false)
    await disabling.query('commit')
    await there.keys.refresh()
    expect(recordOf(there, app.id).agent?.disabled).toBe(true)
  })
})

describe('a token that was denied', () => {
  it('A10: by its id is refused on every replica in less than a second, and no other is', async () => {
    const there = await replica()
    const begunAt = performance.now()
    await deny('token:one', Date.now() + 60_000)
    await expect.poll(() => there.denials.denied('one', undefined), { interval: 5, timeout: 1000 }).toBe(true)
    expect(performance.now() - begunAt).toBeLessThan(1000)
    expect(there.denials.denied('two', undefined)).toBe(false)
    // The name of a grant is not the name of a token.
    expect(there.denials.denied('two', 'one')).toBe(false)
  })

  it('A10: with its grant ends all tokens of the grant', async () => {
    const there = await replica()
    await deny('grant:family', Date.now() + 60_000)
    await expect.poll(() => there.denials.denied('any', 'family'), { interval: 5, timeout: 1000 }).toBe(true)
    expect(there.denials.denied('family', undefined)).toBe(false)
    expect(there.denials.denied('any', 'other')).toBe(false)
  })

  it('A10: again is denied until the later end; a denial is never shortened', async () => {
    const late = Date.now() + 600_000
    for (const until of [late - 1000, late, late - 2000]) await deny('token:again', until)
    const { rows } = await admin.query<{ ms: number }>(
      `select (extract(epoch from expires_at) * 1000)::float8 as ms from portcullis.token_denials where tenant_id = $1`,
      [tenant.id],
    )
    expect(rows).toEqual([{ ms: late }])
  })

  it('A10: is forgotten where it would have expired long ago, in memory and in the database', async () => {
    let now = Date.now()
    let monotonic = 0
    const cache = new DenialCache({ now: () => now, monotonic: () => monotonic })
    cache.keep([{ digest: sha256('token:old').toString('hex'), expires_at_ms: now + 1000 }])
    expect(cache.denied('old', undefined)).toBe(true)
    now += 61_000
    monotonic += 61_000
    cache.keep([])
    expect(cache.denied('old', undefined)).toBe(true)
    now += 600_000
    monotonic += 600_000
    cache.keep([])
    expect(cache.size).toBe(0)

    await admin.query(
      `insert into portcullis.token_denials (tenant_id, digest, reason, expires_at) values
         ($1, sha256('a'), '', now() - interval '2 hours'), ($1, sha256('b'), '', now() + interval '1 hour')`,
      [tenant.id],
    )
    const app = await database.connect('portcullis_app')
    const { rows } = await app.query('select portcullis.purge_token_denials(100) as purged')
    expect(rows).toEqual([{ purged: '1' }])
    const left = await admin.query('select from portcullis.token_denials where tenant_id = $1', [tenant.id])
    expect(left.rowCount).toBe(1)
  })
})
