import { create, toBinary } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { StartRunRequestSchema } from '@portcullis/contract'
import { grpcClient } from './harness/grpc.ts'
import { startInstance, type Answer, type TestInstance } from './harness/instance.ts'

const token = 'an-old-token-that-many-share'
let instance: TestInstance
beforeAll(async () => {
  instance = await startInstance({
    ALLOW_LEGACY_AUTH_TOKEN: 'true',
    AUTH_TOKEN: token,
    PORTCULLIS__LEGACY_TOKEN__TENANT: 'main',
    PORTCULLIS__LEGACY_TOKEN__SCOPES: 'telemetry:write,admin:read',
    PORTCULLIS__SERVICES: 'tickets:read,tickets:write',
  })
})
afterAll(() => instance.stop())

/** The newest entry of that method in the log of the tenant. */
async function lastEntry(action: string): Promise<Record<string, unknown>> {
  const database = await instance.connect('postgres')
  let body: Record<string, unknown> | undefined
  // Entries of best effort follow the reply.
  await expect
    .poll(async () => {
      const { rows } = await database.query<{ entry: string }>(
        `select convert_from(entry, 'UTF8') as entry from audits.entries where log = 'main' and action = $1 order by seq desc limit 1`,
        [`/portcullis.v1.${action}`],
      )
      body = rows[0] && JSON.parse(rows[0].entry).body
      return body !== undefined
    })
    .toBe(true)
  return body ?? {}
}

describe('callers with the legacy token', () => {
  const legacy = (method: string, body: object = {}, headers: Readonly<Record<string, string>> = {}): Promise<Answer> =>
    instance.call(method, body, { key: token, headers })

  it('G8: do what their scopes allow, recorded as legacy', async () => {
    const { status, body } = await legacy('HubService/StartRun', { workflow: 'old' })
    expect([status, body.run.agentId]).toEqual([200, ''])
    expect((await legacy('HubService/FinishRun', { runId: body.run.id, status: 'COMPLETED' })).status).toBe(200)
    expect((await legacy('HubService/ListRuns')).status).toBe(200)
    expect(await lastEntry('HubService/FinishRun')).toMatchObject({
      caller: { id: 'legacy', kind: 'service' },
      credential: { id: 'legacy', kind: 'legacy_token' },
      outcome: 'allow',
    })
  })

  it('G8: keep their idempotency keys', async () => {
    const body = { workflow: 'old', idempotencyKey: 'one-of-legacy' }
    const [first, again] = [await legacy('HubService/StartRun', body), await legacy('HubService/StartRun', body)]
    expect(again.body.run.id).toBe(first.body.run.id)
    expect(again.headers.get('idempotency-replayed')).toBe('true')
  })

  it.each([
    ['IdentityService/CreateKey', 403],
    ['TenantService/List', 403],
    ['LedgerService/Query', 403],
    ['AuthorizationService/Check', 403],
  ])('G8: are refused %s', async (method, status) => {
    expect((await legacy(method)).status).toBe(status)
  })

  it('G8: must name their own tenant where they name one', async () => {
    const of = async (tenant: string): Promise<number> =>
      (await legacy('HubService/StartRun', { workflow: 'old' }, { 'x-tenant-id': tenant })).status
    expect([await of('main'), await of('other')]).toEqual([200, 403])
  })

  it('G8: must have the token to the letter', async () => {
    for (const text of [token.toUpperCase(), `${token}x`, token.slice(1), `${token}, ${token}`]) {
      const { status, body } = await instance.call('HubService/StartRun', { workflow: 'old' }, { key: text })
      expect([status, body.code]).toEqual([401, 'auth.credential_invalid'])
    }
  })
})

describe('RateLimit and RateLimit-Policy', () => {
  it('G7: are in every HTTP reply to a caller that is known, and in no other', async () => {
    const { key } = await instance.agent('told', ['telemetry:write'])
    const call = (method: string, body: object): Promise<Answer> => instance.call(method, body, { key })
    for (const answer of [
      await call('HubService/StartRun', { workflow: 'w' }),
      await call('HubService/StartRun', { workflow: 7 }),
      await call('HubService/FinishRun', { runId: 'nothing' }),
      await call('TenantService/List', {}),
    ]) {
      expect(answer.headers.get('ratelimit')).toMatch(/^"key";r=1\d{3};t=\d+$/)
      expect(answer.headers.get('ratelimit-policy')).toBe('"key";q=2000;w=2')
    }
    const unknown = await instance.call('HubService/StartRun', {}, { key: 'nonsense' })
    expect([unknown.status, unknown.headers.get('ratelimit')]).toEqual([401, null])
  })

  it('G7: are in a 429, and in gRPC metadata of a refusal only', async () => {
    const created = await instance.call('IdentityService/CreateAgent', { name: 'slow' })
    const { body } = await instance.call('IdentityService/CreateKey', {
      agentId: created.body.agent.id,
      scopes: ['telemetry:write'],
      ratePerSecond: 1,
      rateBurst: 2,
    })
    const client = grpcClient(instance.grpc)
    const message = toBinary(StartRunRequestSchema, create(StartRunRequestSchema, { workflow: 'w' }))
    const metadata = { authorization: `Bearer ${body.key}` }
    const path = '/portcullis.v1.HubService/StartRun'
    const allowed = await client.call(path, message, metadata)
    expect(allowed.code).toBe(0)
    expect(allowed.metadata).not.toHaveProperty('ratelimit')
    let refused = await client.call(path, message, metadata)
    while (refused.code === 0) refused = await client.call(path, message, metadata)
    expect(refused.code).toBe(8)
    expect(refused.metadata['ratelimit']).toBe('"key";r=0;t=1')
    expect(refused.metadata['ratelimit-policy']).toBe('"key";q=2;w=2')
    client.close()
    const again = await instance.call('HubService/StartRun', { workflow: 'w' }, { key: body.key })
    if (again.status === 429) expect(again.headers.get('ratelimit')).toBe('"key";r=0;t=1')
    else expect(again.headers.get('ratelimit-policy')).toBe('"key";q=2;w=2')
  })
})

describe('AuthorizationService', () => {
  it('G22: decides for a service what its callers may do', async () => {
    const service = await instance.agent('helpdesk', ['authz:check'])
    const reader = await instance.agent('reader', ['tickets:read', 'telemetry:write'])
    const check = async (asked: object) =>
      (await instance.call('AuthorizationService/Check', asked, { key: service.key })).body
    const allowed = await check({ credential: reader.key, action: 'tickets:read', resource: 'ticket 7' })
    expect(allowed).toMatchObject({ allow: true, code: '', ttlSeconds: 5, caller: reader.id })
    expect(allowed.epoch).toMatch(/^\d+-k\d+$/)
    expect(await lastEntry('AuthorizationService/Check')).toMatchObject({
      args: { action: 'tickets:read', resource: 'ticket 7', allow: true, found: reader.id },
      outcome: 'allow',
    })
    expect(JSON.stringify(await lastEntry('AuthorizationService/Check'))).not.toContain(reader.key)
    expect(await check({ caller: reader.id, action: 'tickets:write' })).toMatchObject({
      allow: false,
      code: 'auth.scope_missing',
      ttlSeconds: 0,
    })
    expect(await check({ credential: reader.key, action: 'tickets:burn' })).toMatchObject({
      code: 'authz.action_unknown',
    })
    expect(await check({ credential: 'nonsense', action: 'tickets:read' })).toMatchObject({
      allow: false,
      code: 'auth.credential_invalid',
    })
    // A service could guess at the legacy token by the hundred; so it is no answer here, also where it is right.
    expect(await check({ credential: token, action: 'telemetry:write' })).toMatchObject({
      allow: false,
      code: 'auth.credential_invalid',
    })
    await instance.call('IdentityService/RevokeKey', { keyId: reader.keyId })
    expect(await check({ credential: reader.key, action: 'tickets:read' })).toMatchObject({
      allow: false,
      code: 'auth.credential_invalid',
    })
    expect(await check({ caller: reader.id, action: 'tickets:read' })).toMatchObject({ code: 'object.not_found' })
  })

  it('G22: answers for the tenant of the service and no other', async () => {
    const other = await instance.call('TenantService/Create', { name: 'elsewhere' })
    const service = await instance.agent('helpdesk-2', ['authz:check'])
    const { body } = await instance.call(
      'AuthorizationService/CheckBatch',
      {
        checks: [
          { credential: other.body.key, action: 'telemetry:write' },
          { credential: instance.adminKey, action: 'telemetry:write', tenant: 'elsewhere' },
          { credential: instance.adminKey, action: 'telemetry:write', tenant: 'main' },
        ],
      },
      { key: service.key },
    )
    // A credential of another tenant is answered for as one of nobody.
    expect(body.decisions.map(({ code, allow }: { code: string; allow: boolean }) => code || allow)).toEqual([
      'auth.credential_invalid',
      'tenant.mismatch',
      true,
    ])
    expect(await lastEntry('AuthorizationService/CheckBatch')).toMatchObject({
      args: { checks: 3, allowed: 1, denied: 2 },
    })
  })

  it('G22: needs the scope, and keys get scopes of registered services only', async () => {
    const agent = await instance.agent('plain', ['tickets:read'])
    const asked = { credential: agent.key, action: 'tickets:read' }
    expect((await instance.call('AuthorizationService/Check', asked, { key: agent.key })).status).toBe(403)
    const keyWith = (key: string, scopes: readonly string[]): Promise<Answer> =>
      instance.call('IdentityService/CreateKey', { agentId: agent.id, scopes }, { key })
    expect((await keyWith(instance.adminKey, ['nobody:read'])).body.code).toBe('input.invalid')
    expect((await keyWith(instance.adminKey, ['tickets:write'])).status).toBe(200)
    const maker = await instance.agent('maker', ['identity:write', 'tickets:read'])
    expect((await keyWith(maker.key, ['tickets:read'])).body.code).toBe('identity.scope_exceeds')
  })
})
