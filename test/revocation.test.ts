import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startInstance, type TestInstance } from './harness/instance.ts'
import { basic, makeApp, newCode, post, redirectUri, signedInBrowser, token, type TestApp } from './harness/oauth.ts'
import { startReplica, type Replica } from './harness/replica.ts'

const boundMs = 1000
let instance: TestInstance
let replica: Replica
beforeAll(async () => {
  instance = await startInstance()
  replica = await startReplica(instance, [], { oauth: { issuer: instance.url } })
})
afterAll(async () => {
  await replica.stop()
  await instance.stop()
})

let count = 0
const unique = (): string => `r${(count += 1)}`

async function machineToken(app: TestApp): Promise<string> {
  const { body, status } = await token(instance.url, app, { grant_type: 'client_credentials' })
  expect(status).toBe(200)
  return body.access_token
}

/** What the other replica says to the credential: until it was ended there, and at the latest a second after. */
async function expectEndsThere(credential: string, end: () => Promise<unknown>): Promise<void> {
  const ask = (): Promise<number> => replica.post('HubService/ListTasks', credential)
  // It may not have heard yet of what was made there.
  await expect.poll(ask, { timeout: boundMs }).toBe(200)
  await end()
  const endedAt = performance.now()
  while ((await ask()) !== 401) expect(performance.now() - endedAt).toBeLessThan(boundMs)
  expect(performance.now() - endedAt).toBeLessThan(boundMs)
  // And stays so, here as there.
  expect(await ask()).toBe(401)
  expect((await instance.call('HubService/ListTasks', {}, { key: credential })).status).toBe(401)
}

async function call(method: string, message: object): Promise<void> {
  expect((await instance.call(method, message)).status).toBe(200)
}

describe('what is ended at one replica is refused at the other in less than a second', () => {
  it('A10: a key', async () => {
    const { key, keyId } = await instance.agent(unique(), ['tasks:read'])
    await expectEndsThere(key, () => call('IdentityService/RevokeKey', { keyId }))
  })

  it('A10: a token', async () => {
    const app = await makeApp(instance, { name: unique() })
    const text = await machineToken(app)
    const other = await machineToken(app)
    await expectEndsThere(text, async () => {
      expect((await post(instance.url, '/v1/oauth/revoke', { token: text }, basic(app))).status).toBe(200)
    })
    expect(await replica.post('HubService/ListTasks', other)).toBe(200)
  })

  it('A10: a client, with every token that it was given', async () => {
    const app = await makeApp(instance, { name: unique() })
    await expectEndsThere(await machineToken(app), () => call('IdentityService/DisableApp', { appId: app.id }))
    const refused = await token(replica.url, app, { grant_type: 'client_credentials' })
    expect([refused.status, refused.body.error]).toEqual([401, 'invalid_client'])
  })

  it('A10: an agent, with the tokens and the keys of it', async () => {
    const agent = await instance.agent(unique(), ['tasks:read'])
    const app = await makeApp(instance, { name: unique(), agentId: agent.id })
    await expectEndsThere(await machineToken(app), () => call('IdentityService/DisableAgent', { agentId: agent.id }))
    expect(await replica.post('HubService/ListTasks', agent.key)).toBe(401)
  })

  it('A10: a tenant, with the tokens of its apps', async () => {
    const { body } = await instance.call('TenantService/Create', { name: unique() })
    const asTenant: TestInstance['call'] = (method, message) => instance.call(method, message, { key: body.key })
    const app = await makeApp({ ...instance, call: asTenant }, { name: unique() })
    await expectEndsThere(await machineToken(app), () => call('TenantService/Disable', { tenantId: body.tenant.id }))
  })

  it('A10: the session of a person, with the tokens of every app that they agreed to', async () => {
    const browser = await signedInBrowser(instance)
    const app = await makeApp(instance, {
      name: unique(),
      grantTypes: ['authorization_code', 'refresh_token'],
      redirectUris: [redirectUri],
    })
    const { fields } = await newCode(browser, app)
    const given = await token(instance.url, app, fields)
    const { body } = await instance.call('IdentityService/ListSessions', {})
    const session = body.sessions.find(({ appId }: { readonly appId: string }) => appId === app.id)
    expect(session).toBeDefined()
    await expectEndsThere(given.body.access_token, () =>
      call('IdentityService/RevokeSession', { sessionId: session.id }),
    )
    const refresh = { grant_type: 'refresh_token', refresh_token: given.body.refresh_token }
    expect((await token(replica.url, app, refresh)).status).toBe(400)
  })

  it('A5, A10: the old secret of an app, where it is rotated without overlap; with overlap both are good', async () => {
    const app = await makeApp(instance, { name: unique() })
    const ask = async (secret: string): Promise<number> =>
      (await token(replica.url, { ...app, secret }, { grant_type: 'client_credentials' })).status
    const rotate = async (overlapSeconds: number): Promise<string> =>
      (await instance.call('IdentityService/RotateAppSecret', { appId: app.id, overlapSeconds })).body.clientSecret
    const second = await rotate(600)
    await expect.poll(() => ask(second), { interval: 10, timeout: boundMs }).toBe(200)
    expect(await ask(app.secret)).toBe(200)
    const third = await rotate(0)
    await expect.poll(() => ask(second), { interval: 10, timeout: boundMs }).toBe(401)
    expect([await ask(app.secret), await ask(third)]).toEqual([401, 200])
  })
})
