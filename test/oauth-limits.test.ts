import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startInstance, type TestInstance } from './harness/instance.ts'
import { basic, makeApp, post, type TestApp } from './harness/oauth.ts'

let instance: TestInstance
let app: TestApp
let local: TestApp

beforeAll(async () => {
  instance = await startInstance({
    PORTCULLIS__TRUSTED_PROXIES: '127.0.0.1/32',
    PORTCULLIS__LIMITS__RATE__ADDRESS__PER_SECOND: '1',
    PORTCULLIS__LIMITS__RATE__ADDRESS__BURST: '10',
    PORTCULLIS__LIMITS__RATE__FAILURES__PER_SECOND: '1',
    PORTCULLIS__LIMITS__RATE__FAILURES__BURST: '10',
  })
  app = await makeApp(instance, { name: 'reports', grantTypes: ['client_credentials'] })
  local = await makeApp(instance, {
    name: 'local',
    redirectUris: ['http://127.0.0.1/callback'],
    grantTypes: ['authorization_code'],
    authMethod: 'CLIENT_AUTH_METHOD_NONE',
  })
})

afterAll(async () => instance.stop())

const from = (address: string) => ({ 'x-forwarded-for': address })

async function statuses(times: number, ask: () => Promise<{ readonly status: number }>): Promise<ReadonlySet<number>> {
  const found = new Set<number>()
  for (let time = 0; time < times; time += 1) found.add((await ask()).status)
  return found
}

describe('the routes of the authorization server for programs', () => {
  it.each([
    ['revoke', { token: 'no-token' }],
    [
      'par',
      {
        response_type: 'code',
        redirect_uri: 'http://127.0.0.1:9/callback',
        state: 's',
        code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
        code_challenge_method: 'S256',
      },
    ],
  ])('G7: %s lets somebody who shows nothing call as often as the address may', async (name, fields) => {
    const headers = from(name === 'par' ? '192.0.2.1' : '192.0.2.2')
    const ask = () => post(instance.url, `/v1/oauth/${name}`, { ...fields, client_id: local.id }, headers)
    expect((await ask()).status).toBeLessThan(300)
    expect(await statuses(15, ask)).toContain(429)
    // Whoever shows who it is has a bucket of its own.
    const other = await post(instance.url, '/v1/oauth/revoke', { token: 'no-token' }, { ...headers, ...basic(app) })
    expect(other.status).toBe(200)
  })

  it.each([
    ['no way to show who it is', '192.0.2.3', {}, { authorization: 'Basic x' }],
    ['no grant that there is', '192.0.2.4', { grant_type: 'none' }, {}],
  ])('G7: %s is charged to the address', async (_, address, fields, headers) => {
    const body = { ...fields, ...('authorization' in headers ? {} : { client_id: local.id }) }
    const ask = () => post(instance.url, '/v1/oauth/token', body, { ...headers, ...from(address) })
    expect((await ask()).status).toBe(400)
    expect(await statuses(15, ask)).toContain(429)
  })
})

it('A11: behind a proxy the entries name the address that asked', async () => {
  await post(
    instance.url,
    '/v1/oauth/token',
    { grant_type: 'client_credentials' },
    { ...from('192.0.2.9'), ...basic(app) },
  )
  const { body } = await instance.call('LedgerService/Query', { action: 'token.issued', pageSize: 1 })
  expect(JSON.parse(body.entries[0].entryJson).body.remote).toBe('192.0.2.9')
})

it('A11: what anybody can do in the name of an app is not in the log of its tenant', async () => {
  const headers = from('192.0.2.10')
  const path = `/v1/oauth/authorize?client_id=${local.id}&response_type=code&redirect_uri=http://127.0.0.1:9/callback&state=s`
  await fetch(`${instance.url}${path}`, { headers, redirect: 'manual' })
  await post(instance.url, '/v1/oauth/revoke', { token: 'no-token', client_id: local.id }, headers)
  const { body } = await instance.call('LedgerService/Query', { log: 'main', pageSize: 100 })
  const told = body.entries.map(({ entryJson }: { readonly entryJson: string }) => JSON.parse(entryJson).body)
  expect(told.filter(({ remote }: { readonly remote: string }) => remote === '192.0.2.10')).toEqual([])
  const system = await instance.call('LedgerService/Query', { log: 'system', pageSize: 100 })
  const entries = JSON.stringify(system.body.entries)
  expect(entries).toContain('192.0.2.10')
  expect(entries).toContain(local.id)
})

describe('a sign-in under way', () => {
  it('G7: is looked up as often as the address may', async () => {
    const headers = { ...from('192.0.2.5'), cookie: 'portcullis_interaction=abcdefghijklmnopq' }
    const ask = () => fetch(`${instance.url}/v1/oauth/interaction/abcdefghijklmnopq`, { headers })
    expect((await ask()).status).toBe(404)
    expect(await statuses(15, ask)).toContain(429)
  })

  it('A1: does not begin with a parameter that holds NUL', async () => {
    const url = `${instance.url}/v1/oauth/authorize?client_id=${local.id}&state=a%00b`
    expect((await fetch(url, { headers: from('192.0.2.8'), redirect: 'manual' })).status).toBe(400)
  })

  it.each(['a%2Fb', '..%2Flogout', 'x%3Fy', '%24%26', '%00'])('A1: is none where its name is %s', async (name) => {
    const reply = await fetch(`${instance.url}/v1/oauth/authorize/${name}`, {
      headers: from(`198.51.100.${name.length}`),
    })
    expect(reply.status).toBe(400)
  })
})
