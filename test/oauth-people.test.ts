import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Browser, type Page } from './harness/browser.ts'
import { startInstance, type TestInstance } from './harness/instance.ts'

const password = 'a lantern over water'
const redirectUri = 'https://app.example/callback'
const challenge = createHash('sha256').update(randomBytes(32).toString('base64url')).digest('base64url')
let instance: TestInstance
beforeAll(async () => {
  instance = await startInstance({ PORTCULLIS__LOG__LEVEL: 'fatal' })
})
afterAll(() => instance.stop())

async function makeApp(name: string, key = instance.adminKey): Promise<string> {
  const more = { scopes: ['telemetry:read'], redirectUris: [redirectUri], grantTypes: ['authorization_code'] }
  const { body } = await instance.call('IdentityService/CreateApp', { name, ...more }, { key })
  return body.app.id
}

/** A person with a password, signed in in a browser of their own. */
async function signedIn(name: string): Promise<{ readonly id: string; readonly browser: Browser }> {
  const { body } = await instance.call('IdentityService/CreateOperator', { name, role: 'OPERATOR_ROLE_VIEWER' })
  const browser = new Browser(instance.url)
  await browser.submit(await browser.get(body.signInUrl), { password, again: password })
  return { id: body.operator.id, browser }
}

/** Follows an app's request to the page where somebody is asked, or back to the app. */
async function authorize(browser: Browser, clientId: string): Promise<Page> {
  const asked = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    scope: 'telemetry:read',
    state: 'a-state-of-the-app',
    code_challenge: challenge,
    code_challenge_method: 'S256',
  })
  let page = await browser.get(`/v1/oauth/authorize?${asked.toString()}`)
  for (let step = 0; step < 8 && page.location !== undefined && !page.location.startsWith(redirectUri); step += 1)
    page = await browser.get(page.location)
  return page
}

function errorOf({ location = '' }: Page): string | null {
  expect(location).toMatch(/^https:\/\/app\.example\/callback\?/)
  const { searchParams } = new URL(location)
  expect([searchParams.get('state'), searchParams.get('iss')]).toEqual(['a-state-of-the-app', instance.url])
  return searchParams.get('error')
}

describe('who is signed in, at an app that is not for them', () => {
  it('A1: an app of another tenant hears that access is denied, and nobody is asked', async () => {
    const tenant = await instance.call('TenantService/Create', { name: 'elsewhere' })
    const foreign = await makeApp('foreign', tenant.body.key)
    const { browser } = await signedIn('ada')
    expect(errorOf(await authorize(browser, foreign))).toBe('access_denied')
    expect((await authorize(browser, await makeApp('own'))).text).toContain('Allow own?')
  })

  it('A10: a person who was disabled since is asked for nothing more', async () => {
    const app = await makeApp('later')
    const { browser, id } = await signedIn('grace')
    expect((await authorize(browser, app)).text).toContain('Allow later?')
    await instance.call('IdentityService/DisableOperator', { operatorId: id })
    expect(errorOf(await authorize(browser, app))).toBe('access_denied')
  })
})
