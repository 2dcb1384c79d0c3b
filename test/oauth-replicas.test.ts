import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Browser } from './harness/browser.ts'
import { startInstance, type TestInstance } from './harness/instance.ts'
import { claimsOf, makeApp, newCode, post, redirectUri, signedInBrowser, token, type TestApp } from './harness/oauth.ts'
import { startReplica, type Replica } from './harness/replica.ts'

let instance: TestInstance
let replica: Replica
let browser: Browser
let app: TestApp

beforeAll(async () => {
  instance = await startInstance()
  replica = await startReplica(instance, [], { oauth: { issuer: instance.url } })
  browser = await signedInBrowser(instance)
  app = await makeApp(instance, {
    name: 'notes',
    scopes: ['tasks:read'],
    redirectUris: [redirectUri],
    grantTypes: ['authorization_code', 'refresh_token'],
  })
  await until(
    async () => (await post(replica.url, '/v1/oauth/introspect', { token: 'x', ...secrets() })).status === 200,
  )
})

afterAll(async () => {
  await replica.stop()
  await instance.stop()
})

const secrets = () => ({ client_id: app.id, client_secret: app.secret })
const refresh = (value: string) => ({ grant_type: 'refresh_token', refresh_token: value })
const rounds = 5

describe('two replicas', () => {
  it('A6: never both redeem one code, and what was given ends', async () => {
    for (let round = 0; round < rounds; round += 1) {
      const { fields } = await newCode(browser, app)
      const both = await Promise.all([instance.url, replica.url].map((url) => token(url, app, fields)))
      const won = both.filter(({ status }) => status === 200)
      expect(won).toHaveLength(1)
      expect(both.find(({ status }) => status !== 200)?.body.error).toBe('invalid_grant')
      await refusedEverywhere(won[0]?.body.access_token)
      expect((await token(instance.url, app, refresh(won[0]?.body.refresh_token))).body.error).toBe('invalid_grant')
    }
  })

  it('A7: never both use one refresh token, and the family ends', async () => {
    for (let round = 0; round < rounds; round += 1) {
      const { fields } = await newCode(browser, app)
      const first = await token(instance.url, app, fields)
      const uses = await Promise.all(
        [instance.url, replica.url].map((url) => token(url, app, refresh(first.body.refresh_token))),
      )
      const won = uses.filter(({ status }) => status === 200)
      expect(won).toHaveLength(1)
      await refusedEverywhere(won[0]?.body.access_token)
      const grant = String(claimsOf(first.body.access_token)['grant_id'])
      expect((await entries()).some((text) => text.includes('"refresh_replay"') && text.includes(grant))).toBe(true)
    }
  })

  it('A10: a token that is revoked at one is refused at the other within a second', async () => {
    const { fields } = await newCode(browser, app)
    const { body } = await token(replica.url, app, fields)
    expect(await replica.post('HubService/ListTasks', body.access_token)).toBe(200)
    const startedAt = performance.now()
    await post(instance.url, '/v1/oauth/revoke', { token: body.access_token, ...secrets() })
    await until(async () => (await replica.post('HubService/ListTasks', body.access_token)) === 401)
    expect(performance.now() - startedAt).toBeLessThan(1000)
  })

  it('A2: sign with one key, and each takes the tokens of the other', async () => {
    const [mine, theirs] = await Promise.all(
      [instance.url, replica.url].map(
        async (url) => (await (await fetch(`${url}/.well-known/jwks.json`)).json()) as object,
      ),
    )
    expect(mine).toEqual(theirs)
  })
})

async function refusedEverywhere(access: string): Promise<void> {
  await until(async () => (await replica.post('HubService/ListTasks', access)) === 401)
  await until(async () => (await instance.call('HubService/ListTasks', {}, { key: access })).status === 401)
}

async function until(done: () => Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + 5000
  while (!(await done())) {
    if (performance.now() > giveUpAt) throw new Error('it did not become so in 5 s')
  }
}

async function entries(): Promise<readonly string[]> {
  const admin = await instance.connect('postgres')
  const { rows } = await admin.query<{ entry: Buffer }>(
    'select entry from audits.entries where log = $1 order by seq',
    ['main'],
  )
  await admin.end()
  return rows.map(({ entry }) => entry.toString())
}
