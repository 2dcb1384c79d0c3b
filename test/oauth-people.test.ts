import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Browser, type Page } from './harness/browser.ts'
import { startInstance, type TestInstance } from './harness/instance.ts'
import * as oauth from './harness/oauth.ts'

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

describe('who signs out', () => {
  const fields = {
    scopes: ['tasks:read'],
    redirectUris: [redirectUri],
    grantTypes: ['authorization_code', 'refresh_token'],
  }

  /** Tokens of one more sign-in with the app. */
  async function tokensOf(browser: Browser, app: oauth.TestApp) {
    const { body } = await oauth.token(instance.url, app, (await oauth.newCode(browser, app)).fields)
    return { access: String(body.access_token), refresh: String(body.refresh_token) }
  }

  /** Whether the access token is good, and what a refresh comes to. */
  async function state(app: oauth.TestApp, { access, refresh }: { readonly access: string; readonly refresh: string }) {
    const asked = { token: access }
    const { body } = await oauth.post(instance.url, '/v1/oauth/introspect', asked, oauth.basic(app))
    const refreshed = { grant_type: 'refresh_token', refresh_token: refresh }
    return [body.active, (await oauth.token(instance.url, app, refreshed)).status]
  }

  async function signOut(browser: Browser, query: string, answer: Readonly<Record<string, string>>): Promise<void> {
    const page = await browser.get(`/v1/oauth/logout${query}`)
    const [, action = ''] = /action="([^"]+)"/.exec(page.text) ?? []
    const [, xsrf = ''] = /name="xsrf" value="([^"]+)"/.exec(page.text) ?? []
    expect((await browser.post(action, { xsrf, ...answer })).status).toBe(303)
  }

  it('A7: ends every sign-in of the session with every app, and none of another session', async () => {
    const [first, second] = [
      await oauth.makeApp(instance, { ...fields, name: 'first' }),
      await oauth.makeApp(instance, { ...fields, name: 'second' }),
    ]
    const { browser } = await signedIn('mary')
    const other = await signedIn('joan')
    const own = [
      [first, await tokensOf(browser, first)],
      [first, await tokensOf(browser, first)],
      [first, await tokensOf(browser, first)],
      [second, await tokensOf(browser, second)],
      [second, await tokensOf(browser, second)],
    ] as const
    const theirs = await tokensOf(other.browser, first)
    await signOut(browser, '', { logout: 'yes' })
    for (const [app, tokens] of own) expect(await state(app, tokens)).toEqual([false, 400])
    expect(await state(first, theirs)).toEqual([true, 200])
  })

  it('A7: of one app alone ends every sign-in with that one', async () => {
    const [left, kept] = [
      await oauth.makeApp(instance, { ...fields, name: 'left' }),
      await oauth.makeApp(instance, { ...fields, name: 'kept' }),
    ]
    const { browser } = await signedIn('dorothy')
    const ended = [await tokensOf(browser, left), await tokensOf(browser, left)]
    const goesOn = await tokensOf(browser, kept)
    await signOut(browser, `?client_id=${left.id}`, {})
    for (const tokens of ended) expect(await state(left, tokens)).toEqual([false, 400])
    expect(await state(kept, goesOn)).toEqual([true, 200])
  })
})
