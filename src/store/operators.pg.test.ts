import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { platformAdminScopes, publicId, systemClock, tenantAdminScopes, uuidv7 } from '#core'
import { TestDatabase, type TestTenant } from '../../test/harness/postgres.ts'
import { KeyCache, keyCacheDefaults } from './keys.ts'
import { OperatorCache } from './operator-cache.ts'

let database: TestDatabase
let admin: Client
let app: Client
let tenant: TestTenant
let keys: KeyCache
const operators = new OperatorCache()

beforeAll(async () => {
  database = await TestDatabase.start()
  admin = await database.connect('postgres')
  app = await database.connect('portcullis_app')
  tenant = await database.makeTenant('people')
  keys = new KeyCache({ connection: database.settings(), ...keyCacheDefaults, tables: [operators] }, systemClock)
  await keys.start()
})
afterAll(async () => {
  await keys.close()
  await database.stop()
})

async function add(role: string): Promise<string> {
  const id = uuidv7()
  await admin.query(`insert into portcullis.operators (tenant_id, id, name, role) values ($1, $2, $3, $4)`, [
    tenant.id,
    id,
    `${role}-${id}`,
    role,
  ])
  await admin.query(`select pg_notify('portcullis_credentials', '')`)
  await expect.poll(() => operators.find(publicId('opr', id))).toBeDefined()
  return id
}

describe('operators in memory', () => {
  it('A9: the first admin of main has power over tenants, that of another tenant has not', async () => {
    const { rows } = await admin.query<{ id: string }>(`select id from portcullis.operators where platform`)
    expect(rows).toHaveLength(1)
    const first = operators.find(publicId('opr', rows[0]?.id ?? ''))
    expect([...(first?.scopes ?? [])].toSorted()).toEqual([...platformAdminScopes].toSorted())
    const other = operators.find(publicId('opr', tenant.operatorId))
    expect([...(other?.scopes ?? [])].toSorted()).toEqual([...tenantAdminScopes].toSorted())
  })

  it('A9: a role has its scopes: viewers only read, and nobody but admins has identity:write', async () => {
    const scopesOf = async (role: string): Promise<readonly string[]> => [
      ...(operators.find(publicId('opr', await add(role)))?.scopes ?? []),
    ]
    const viewer = await scopesOf('viewer')
    expect(viewer.length).toBeGreaterThan(0)
    expect(viewer.filter((scope) => !scope.endsWith(':read'))).toEqual([])
    const middle = await scopesOf('operator')
    expect(middle).toEqual(expect.arrayContaining([...viewer, 'tasks:write', 'telemetry:write']))
    expect(middle).not.toContain('identity:write')
    expect(await scopesOf('admin')).toContain('identity:write')
  })

  it('A10: operators follow their tenant', async () => {
    const id = publicId('opr', await add('viewer'))
    await app.query(`select portcullis.disable_tenant($1)`, [tenant.id])
    await expect.poll(() => operators.find(id)?.tenantDisabled).toBe(true)
  })
})

describe('sessions', () => {
  it('A8: ids that the database makes are UUIDs of version 7, in order of time', async () => {
    const { rows } = await admin.query<{ id: string }>('select portcullis.new_id() as id from generate_series(1, 100)')
    const now = Date.now()
    for (const { id } of rows) {
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      expect(Math.abs(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16) - now)).toBeLessThan(60_000)
    }
  })

  it('A8: what ended long ago goes away, and nothing else', async () => {
    const session = `insert into portcullis.sessions (digest, tenant_id, operator_id, expires_at) values ($3, $1, $2, now() - $4::interval)`
    const code = `insert into portcullis.sign_in_codes (digest, tenant_id, operator_id, expires_at) values ($3, $1, $2, now() - $4::interval)`
    for (const [at, age] of ['8 days', '6 days', '-1 hour'].entries())
      await admin.query(session, [tenant.id, tenant.operatorId, Buffer.alloc(32, at), age])
    for (const [at, age] of ['2 days', '1 hour'].entries())
      await admin.query(code, [tenant.id, tenant.operatorId, Buffer.alloc(32, at), age])
    const { rows } = await app.query<{ purged: string }>('select portcullis.purge_sessions(100) as purged')
    expect(rows[0]?.purged).toBe('2')
    const left = await admin.query('select from portcullis.sessions')
    expect(left.rowCount).toBe(2)
  })

  it('A9: of two that set a password under one link, one wins', async () => {
    const operatorId = (await database.makeTenant('race')).operatorId
    const { rows } = await admin.query<{ tenant_id: string }>(
      'select tenant_id from portcullis.operators where id = $1',
      [operatorId],
    )
    await admin.query(
      `insert into portcullis.sign_in_codes (digest, tenant_id, operator_id, expires_at, purpose)
         values ($1, $2, $3, now() + interval '1 hour', 'password')`,
      [Buffer.alloc(32, 7), rows[0]?.tenant_id, operatorId],
    )
    const clients = await Promise.all([1, 2, 3].map(() => database.connect('portcullis_app')))
    const won = await Promise.all(
      clients.map(async (client, at) => {
        const set = await client.query('select * from portcullis.set_password($1, null, $2, $3, $4)', [
          Buffer.alloc(32, 7),
          '$argon2id$v=19$x',
          uuidv7(),
          Buffer.alloc(32, 100 + at),
        ])
        return set.rowCount
      }),
    )
    expect([won.length, won.filter((changed) => changed === 1).length]).toEqual([3, 1])
  })
})
