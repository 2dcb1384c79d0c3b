import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isClientSecret, sha256Hex } from '#core'
import { startInstance, type Answer, type TestInstance } from './harness/instance.ts'

let instance: TestInstance
beforeAll(async () => {
  instance = await startInstance()
})
afterAll(() => instance.stop())

let count = 0
const unique = (): string => `app-${(count += 1)}`
const makeApp = (more: object = {}, options: Parameters<TestInstance['call']>[2] = {}): Promise<Answer> =>
  instance.call('IdentityService/CreateApp', { name: unique(), scopes: ['telemetry:write'], ...more }, options)

/** The entry of a call, as it was hashed. */
async function entryOf(answer: Answer): Promise<{ readonly body: Record<string, unknown>; readonly text: string }> {
  const requestId = answer.headers.get('x-request-id') ?? ''
  const { body } = await instance.call('LedgerService/Query', { requestId })
  const text: string = body.entries[0].entryJson
  return { body: JSON.parse(text).body, text }
}

describe('an app', () => {
  it('A5: is made with a secret that is shown once, stored as a digest, and in no entry', async () => {
    const { id: agentId } = await instance.agent('reporter', ['telemetry:write'])
    const made = await makeApp({ agentId, dpopBound: true })
    const { app, clientSecret } = made.body
    expect(made.status).toBe(200)
    expect(isClientSecret(clientSecret)).toBe(true)
    expect(app).toMatchObject({
      agentId,
      scopes: ['telemetry:write'],
      grantTypes: ['client_credentials'],
      authMethod: 'CLIENT_AUTH_METHOD_CLIENT_SECRET_BASIC',
      dpopBound: true,
      secretIsOld: false,
    })
    expect(app.id).toMatch(/^app_/)

    const admin = await instance.connect('postgres')
    const { rows } = await admin.query('select row_to_json(p)::text as row from portcullis.apps p')
    expect(JSON.stringify(rows)).not.toContain(clientSecret)
    expect(JSON.stringify(rows)).toContain(sha256Hex(clientSecret))
    const { text } = await entryOf(made)
    expect(text).toContain('IdentityService/CreateApp')
    expect(text).not.toContain(clientSecret)
    expect(text).not.toContain(sha256Hex(clientSecret))
  })

  it('A5: made twice under one idempotency key is one app, and the replay shows no secret', async () => {
    const request = { name: unique(), scopes: ['telemetry:write'], idempotencyKey: 'once' }
    const [first, second] = [await makeApp(request), await makeApp(request)]
    expect(second.headers.get('idempotency-replayed')).toBe('true')
    expect(second.body.app).toEqual(first.body.app)
    expect(second.body.clientSecret).toBe('')
    const other = await makeApp({ ...request, scopes: ['tasks:write'] })
    expect(other.body.code).toBe('idempotency.payload_mismatch')
  })

  it('A5: that cannot keep a secret, or shows who it is in another way, has none', async () => {
    const program = await makeApp({
      authMethod: 'none',
      grantTypes: ['authorization_code'],
      redirectUris: ['http://127.0.0.1/callback'],
    })
    expect(program.body).toMatchObject({ clientSecret: '', app: { authMethod: 'CLIENT_AUTH_METHOD_NONE' } })
    expect(program.body.app.secretCreatedAt).toBeUndefined()
    const rotated = await instance.call('IdentityService/RotateAppSecret', { appId: program.body.app.id })
    expect([rotated.status, rotated.body.code]).toEqual([412, 'object.state'])
    expect(rotated.body.detail).toContain('no secret')
  })

  it('A5: has a name of its own in its tenant, and an agent that is there', async () => {
    const name = unique()
    await makeApp({ name })
    expect((await makeApp({ name })).body.code).toBe('object.exists')
    const agentId = 'agt_0199d6a2-0000-7000-8000-000000000000'
    expect((await makeApp({ agentId })).body.code).toBe('object.not_found')
    const agent = await instance.agent('gone', ['telemetry:write'])
    await instance.call('IdentityService/DisableAgent', { agentId: agent.id })
    expect((await makeApp({ agentId: agent.id })).body.code).toBe('object.state')
  })

  it('A5: has scopes, all of which its maker has, and is made by operators', async () => {
    expect((await makeApp({ scopes: [] })).body).toMatchObject({ code: 'input.invalid' })
    expect((await makeApp({ scopes: ['cats:feed'] })).body).toMatchObject({ code: 'input.invalid' })
    const clerk = await instance.agent('clerk', ['identity:write', 'telemetry:write'])
    const refused = await makeApp({}, { key: clerk.key })
    expect([refused.status, refused.body.code]).toEqual([403, 'identity.scope_exceeds'])
    const { body } = await makeApp()
    const rotated = await instance.call('IdentityService/RotateAppSecret', { appId: body.app.id }, { key: clerk.key })
    expect(rotated.body.code).toBe('identity.scope_exceeds')
    // Of a tenant without power over tenants.
    const tenant = await instance.call('TenantService/Create', { name: unique() })
    const key: string = tenant.body.key
    expect((await makeApp({ scopes: ['tenants:write'] }, { key })).body.code).toBe('identity.scope_exceeds')
  })

  it.each([
    ['redirectUris', { grantTypes: ['authorization_code'], redirectUris: ['https://*.example/cb'] }],
    ['redirectUris', { grantTypes: ['authorization_code'], redirectUris: ['http://app.example/cb'] }],
    ['redirectUris', { grantTypes: ['authorization_code'] }],
    ['grantTypes', { grantTypes: ['implicit'] }],
    ['jwksJson', { authMethod: 'private_key_jwt', jwksJson: '{"keys":[]}' }],
    ['tlsSubjectDn', { authMethod: 'tls_client_auth' }],
    ['name', { name: 'Not A Name' }],
  ])('A5: with a wrong %s is refused, and told so', async (field, more) => {
    const refused = await makeApp(more)
    expect([refused.status, refused.body.code]).toEqual([400, 'input.invalid'])
    expect(refused.body.detail).toContain(field)
  })

  it('A5: is listed by its tenant, newest first and by name, without its secret', async () => {
    const [one, two] = [await makeApp(), await makeApp()]
    const { body } = await instance.call('IdentityService/ListApps', { pageSize: 2 })
    expect(body.apps.map(({ id }: { readonly id: string }) => id)).toEqual([two.body.app.id, one.body.app.id])
    expect(body.nextPageToken).not.toBe('')
    expect(JSON.stringify(body)).not.toMatch(/pcs_|digest/i)
    const named = await instance.call('IdentityService/ListApps', { name: one.body.app.name })
    expect(named.body.apps).toEqual([one.body.app])
    const other = await instance.call('TenantService/Create', { name: unique() })
    expect((await instance.call('IdentityService/ListApps', {}, { key: other.body.key })).body.apps).toEqual([])
    const foreign = await instance.call(
      'IdentityService/DisableApp',
      { appId: one.body.app.id },
      { key: other.body.key },
    )
    expect(foreign.body.code).toBe('object.not_found')
  })
})

describe('the secret of an app', () => {
  it('A5: rotates with an overlap that it tells, or at once', async () => {
    const made = await makeApp()
    const appId: string = made.body.app.id
    const overlap = await instance.call('IdentityService/RotateAppSecret', { appId, overlapSeconds: 3600 })
    expect(isClientSecret(overlap.body.clientSecret)).toBe(true)
    expect(overlap.body.clientSecret).not.toBe(made.body.clientSecret)
    const until = Date.parse(overlap.body.app.oldSecretExpiresAt)
    expect(Math.abs(until - Date.now() - 3_600_000)).toBeLessThan(60_000)
    const atOnce = await instance.call('IdentityService/RotateAppSecret', { appId })
    expect(atOnce.body.app.oldSecretExpiresAt).toBeUndefined()
    for (const overlapSeconds of [-1, 30 * 86_400 + 1]) {
      const wrong = await instance.call('IdentityService/RotateAppSecret', { appId, overlapSeconds })
      expect(wrong.body.code).toBe('input.invalid')
    }
  })

  it('A5: is flagged where it is older than 90 days', async () => {
    const { body } = await makeApp()
    const admin = await instance.connect('postgres')
    await admin.query(
      `update portcullis.apps set secret_created_at = now() - interval '91 days', created_at = now() - interval '91 days' where id = $1`,
      [body.app.id.slice(4)],
    )
    const flagged = async (): Promise<boolean> =>
      (await instance.call('IdentityService/ListApps', { name: body.app.name })).body.apps[0].secretIsOld
    expect(await flagged()).toBe(true)
    await instance.call('IdentityService/RotateAppSecret', { appId: body.app.id })
    expect(await flagged()).toBe(false)
  })

  it('A5: of a disabled app cannot be rotated; disabling says since when, and again says the same', async () => {
    const { body } = await makeApp()
    const appId: string = body.app.id
    const [first, second] = [
      await instance.call('IdentityService/DisableApp', { appId }),
      await instance.call('IdentityService/DisableApp', { appId }),
    ]
    expect(second.body.app.disabledAt).toBe(first.body.app.disabledAt)
    const rotated = await instance.call('IdentityService/RotateAppSecret', { appId })
    expect(rotated.body).toMatchObject({ code: 'object.state', detail: 'the app is disabled' })
  })
})

describe('the paths of OAuth apps', () => {
  const send = async (method: string, path: string, body?: object, key = instance.adminKey): Promise<Answer> => {
    const response = await fetch(`${instance.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(10_000),
    })
    return { status: response.status, headers: response.headers, body: await response.json() }
  }

  it('A5: make, list and rotate by the same methods through the same gate', async () => {
    const name = unique()
    const made = await send('POST', '/v1/oauth/apps', { name, scopes: ['telemetry:write'] })
    expect(made.status).toBe(200)
    expect((await entryOf(made)).body).toMatchObject({ method: '/portcullis.v1.IdentityService/CreateApp' })
    const listed = await send('GET', `/v1/oauth/apps?name=${name}`)
    expect(listed.body.apps).toEqual([made.body.app])
    expect(listed.headers.get('cache-control')).toBe('no-store')
    const path = `/v1/oauth/apps/${made.body.app.id}/rotate-secret`
    const rotated = await send('POST', path, { overlap_seconds: 60 })
    expect(rotated.body.app.oldSecretExpiresAt).toBeDefined()
    expect(isClientSecret(rotated.body.clientSecret)).toBe(true)
    const idle = await instance.agent('idle', ['telemetry:write'])
    for (const [method, at] of [
      ['POST', '/v1/oauth/apps'],
      ['GET', '/v1/oauth/apps'],
      ['POST', path],
    ] as const) {
      const refused = await send(method, at, method === 'POST' ? {} : undefined, idle.key)
      expect([at, refused.status, refused.body.code]).toEqual([at, 403, 'auth.scope_missing'])
      expect((await send(method, at, method === 'POST' ? {} : undefined, 'pc_x')).status).toBe(401)
    }
  })

  it('A5: refuse what contradicts the path, and parameters that mean nothing', async () => {
    const { body } = await makeApp()
    const path = `/v1/oauth/apps/${body.app.id}/rotate-secret`
    expect((await send('POST', path, { appId: 'app_0199d6a2-0000-7000-8000-000000000000' })).status).toBe(400)
    expect((await send('POST', '/v1/oauth/apps/x/rotate-secret', {})).body.code).toBe('input.invalid')
    for (const query of ['?nam=a', '?name=a&name=b', '?page_size=many', '?access_token=x'])
      expect([query, (await send('GET', `/v1/oauth/apps${query}`)).status]).toEqual([
        query,
        query.includes('token') ? 401 : 400,
      ])
    expect((await send('DELETE', '/v1/oauth/apps')).status).toBe(405)
  })
})
