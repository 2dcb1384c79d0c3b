import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startInstance, type TestInstance } from './harness/instance.ts'
import type { Browser } from './harness/browser.ts'
import {
  agree,
  authorizePath,
  claimsOf,
  makeApp,
  newCode,
  pkce,
  post,
  redirectUri,
  signedInBrowser,
  token,
  type TestApp,
} from './harness/oauth.ts'

let instance: TestInstance
let browser: Browser
let app: TestApp

beforeAll(async () => {
  instance = await startInstance()
  browser = await signedInBrowser(instance)
  app = await makeApp(instance, {
    name: 'notes',
    scopes: ['tasks:read', 'tasks:write'],
    redirectUris: [redirectUri],
    grantTypes: ['authorization_code', 'refresh_token'],
  })
})

afterAll(async () => instance.stop())

describe('the code flow', () => {
  it('A1: a person agrees, and the app gets a code, its state and the issuer back', async () => {
    const back = await agree(browser, authorizePath(app, pkce()))
    expect(back.searchParams.get('state')).toBe('state-of-the-app')
    expect(back.searchParams.get('iss')).toBe(instance.url)
    expect(back.searchParams.get('code')).toMatch(/^[\w-]{43}$/)
  })

  it('A1: a code becomes tokens of the person, bound to a grant', async () => {
    const { fields } = await newCode(browser, app)
    const reply = await token(instance.url, app, fields)
    expect(reply.status).toBe(200)
    expect(reply.body).toMatchObject({ token_type: 'Bearer', expires_in: 3600, scope: 'openid tasks:read' })
    const claims = claimsOf(reply.body.access_token)
    expect(claims).toMatchObject({ iss: instance.url, aud: instance.url, client_id: app.id })
    expect(claims['sub']).toMatch(/^opr_/)
    expect(claims['grant_id']).toMatch(/^grn_/)
    expect(claimsOf(reply.body.id_token)).toMatchObject({ aud: app.id, sub: claims['sub'] })
    const tasks = await instance.call('HubService/ListTasks', {}, { key: reply.body.access_token })
    expect(tasks.status).toBe(200)
  })
})

describe('a code', () => {
  it('A6: works once; its second use ends what the first gave', async () => {
    const { fields } = await newCode(browser, app)
    const first = await token(instance.url, app, fields)
    expect(await active(first.body.access_token)).toBe(true)
    const second = await token(instance.url, app, fields)
    expect([second.status, second.body.error]).toEqual([400, 'invalid_grant'])
    expect(await active(first.body.access_token)).toBe(false)
    const refused = await instance.call('HubService/ListTasks', {}, { key: first.body.access_token })
    expect(refused.status).toBe(401)
    const refreshed = await token(instance.url, app, refresh(first.body.refresh_token))
    expect([refreshed.status, refreshed.body.error]).toEqual([400, 'invalid_grant'])
    expect(await kinds(first)).toEqual(['code.issued', 'token.issued', 'code_replay'])
  })

  it('A6: of two that redeem one at the same time, one wins at most, and both hold nothing', async () => {
    const { fields } = await newCode(browser, app)
    const both = await Promise.all([token(instance.url, app, fields), token(instance.url, app, fields)])
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 400])
    const winner = both.find(({ status }) => status === 200)
    expect(await active(winner?.body.access_token)).toBe(false)
  })

  it.each([
    ['another verifier', { code_verifier: pkce().verifier }],
    ['an empty verifier', { code_verifier: '' }],
    ['another redirect URI', { redirect_uri: `${redirectUri}/` }],
  ])('A1: with %s is not redeemed', async (_what, wrong) => {
    const { fields } = await newCode(browser, app)
    const reply = await token(instance.url, app, { ...fields, ...wrong })
    expect(reply.status).toBe(400)
    expect(reply.body.access_token).toBeUndefined()
  })

  it('A1: without a verifier is not redeemed', async () => {
    const { fields } = await newCode(browser, app)
    const { code_verifier: _left, ...rest } = fields
    expect((await token(instance.url, app, rest)).body.error).toBe('invalid_grant')
  })

  it('A6: of one app is nothing to another', async () => {
    const other = await makeApp(instance, {
      name: 'other',
      scopes: ['tasks:read'],
      redirectUris: [redirectUri],
      grantTypes: ['authorization_code'],
    })
    const { fields } = await newCode(browser, app)
    expect((await token(instance.url, other, fields)).body.error).toBe('invalid_grant')
    expect((await token(instance.url, app, fields)).status).toBe(200)
  })
})

describe('a request for a code', () => {
  const asked = (more: Readonly<Record<string, string | undefined>>) => browser.get(authorizePath(app, pkce(), more))

  it.each([
    ['plain', { code_challenge_method: 'plain' }],
    ['no method', { code_challenge_method: undefined }],
    ['no challenge', { code_challenge: undefined, code_challenge_method: undefined }],
    ['an empty challenge', { code_challenge: '' }],
    ['no state', { state: undefined }],
    ['an empty state', { state: '' }],
    ['an implicit response type', { response_type: 'token' }],
    ['a hybrid response type', { response_type: 'code id_token' }],
    ['a scope beyond its ceiling', { scope: 'openid ledger:read' }],
    ['another resource', { resource: 'https://other.example' }],
    ['a response mode other than the query', { response_mode: 'fragment' }],
  ])('A1: with %s is refused at its redirect URI', async (_what, more) => {
    const { location } = await asked(more)
    expect(location).toBeDefined()
    const back = new URL((location ?? '').replace('#', '?'))
    expect(back.href.startsWith(redirectUri)).toBe(true)
    expect(back.searchParams.get('error')).toMatch(
      /^(?:invalid_request|invalid_scope|invalid_target|unsupported_response_type|unauthorized_client|unsupported_response_mode)$/,
    )
    expect(back.searchParams.get('iss')).toBe(instance.url)
    expect(back.searchParams.get('code')).toBeNull()
  })

  it.each([
    ['nothing else', {}],
    ['another fault', { code_challenge: undefined }],
  ])('A1: for an answer by a form, with %s, ends on a page of our own that sends nothing', async (_what, more) => {
    const { status, text } = await asked({ response_mode: 'form_post', ...more })
    expect(status).toBe(400)
    expect(text).toContain('<h1>The sign-in cannot go on</h1>')
    expect(text).not.toMatch(/<form|<script|signed out/)
  })

  it.each([
    ['another case', redirectUri.replace('callback', 'Callback')],
    ['another host case', redirectUri.replace('app.', 'APP.')],
    ['another port', redirectUri.replace('.example', '.example:444')],
    ['a suffix', `${redirectUri}/more`],
    ['an encoded slash', redirectUri.replace('/callback', '%2Fcallback')],
    ['a query', `${redirectUri}?next=1`],
    ['a fragment', `${redirectUri}#part`],
    ['user information', redirectUri.replace('app.', 'me@app.')],
    ['a dot segment', redirectUri.replace('/callback', '/x/../callback')],
    ['another scheme', redirectUri.replace('https', 'http')],
  ])('A1: with a redirect URI of %s goes nowhere', async (_what, uri) => {
    const page = await asked({ redirect_uri: uri })
    expect(page.location).toBeUndefined()
    expect(page.status).toBe(400)
  })

  it('A1: of an unknown app goes nowhere, and the page runs no script', async () => {
    const response = await fetch(`${instance.url}${authorizePath({ id: 'app_0', secret: '' }, pkce())}`, {
      headers: { accept: 'text/html' },
      redirect: 'manual',
    })
    expect(response.status).toBe(400)
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(await response.text()).not.toContain('<script')
  })

  it('A1: a person who says no sends the app an error, and no code', async () => {
    const back = await agree(browser, authorizePath(app, pkce()), 'deny')
    expect([back.searchParams.get('error'), back.searchParams.get('code')]).toEqual(['access_denied', null])
  })
})

describe('a refresh token', () => {
  it('A7: is replaced at every use', async () => {
    const first = await signIn()
    const second = await token(instance.url, app, refresh(first.body.refresh_token))
    expect(second.status).toBe(200)
    expect(second.body.refresh_token).not.toBe(first.body.refresh_token)
    const third = await token(instance.url, app, refresh(second.body.refresh_token))
    expect(third.status).toBe(200)
    expect(claimsOf(third.body.access_token)['grant_id']).toBe(claimsOf(first.body.access_token)['grant_id'])
    expect(await kinds(first)).toEqual(['code.issued', 'token.issued', 'token.refreshed', 'token.refreshed'])
  })

  it('A7: that is used twice ends its family, and the ledger says so', async () => {
    const first = await signIn()
    const second = await token(instance.url, app, refresh(first.body.refresh_token))
    const replayed = await token(instance.url, app, refresh(first.body.refresh_token))
    expect([replayed.status, replayed.body.error]).toEqual([400, 'invalid_grant'])
    expect(await active(second.body.access_token)).toBe(false)
    expect((await token(instance.url, app, refresh(second.body.refresh_token))).body.error).toBe('invalid_grant')
    expect(await kinds(first)).toEqual(['code.issued', 'token.issued', 'token.refreshed', 'refresh_replay'])
  })

  it('A7: of two uses at the same time one wins at most, and the family ends', async () => {
    const first = await signIn()
    const uses = await Promise.all([1, 2, 3].map(() => token(instance.url, app, refresh(first.body.refresh_token))))
    expect(uses.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(1)
    for (const { body, status } of uses) {
      if (status !== 200) continue
      expect(await active(body.access_token)).toBe(false)
      expect((await token(instance.url, app, refresh(body.refresh_token))).body.error).toBe('invalid_grant')
    }
  })

  it('A7: gives fewer scopes where fewer are asked for, and never more', async () => {
    const first = await signIn()
    const less = await token(instance.url, app, { ...refresh(first.body.refresh_token), scope: 'tasks:read' })
    expect(less.body.scope).toBe('tasks:read')
    const more = await token(instance.url, app, { ...refresh(less.body.refresh_token), scope: 'tasks:write' })
    expect(more.body.error).toBe('invalid_scope')
  })

  it('A7: keeps the end of the first one over rotations', async () => {
    const first = await signIn()
    const ends: number[] = []
    let { refresh_token: current } = first.body
    for (let turn = 0; turn < 2; turn += 1) {
      const told = await introspect(current)
      ends.push(told.exp)
      current = (await token(instance.url, app, refresh(current))).body.refresh_token
    }
    expect(Math.abs((ends[1] ?? 0) - (ends[0] ?? 0))).toBeLessThanOrEqual(1)
  })

  it('A1: that is revoked ends its access tokens', async () => {
    const first = await signIn()
    const { access_token: access, refresh_token: mine } = first.body
    const reply = await post(instance.url, '/v1/oauth/revoke', {
      token: mine,
      client_id: app.id,
      client_secret: app.secret,
    })
    // This app shows its secret in the header, and not in the body: RFC 6749 lets a server take both.
    expect(reply.status).toBe(200)
    expect(await active(access)).toBe(false)
    expect((await token(instance.url, app, refresh(mine))).body.error).toBe('invalid_grant')
  })
})

describe('signing out', () => {
  it('A8: runs no script where nobody is signed in', async () => {
    const page = await new (await import('./harness/browser.ts')).Browser(instance.url).get('/v1/oauth/logout')
    expect(page.text).not.toContain('<script')
    expect(page.text).toContain('<button type="submit">')
  })

  it('A7: ends access and refresh tokens', async () => {
    const visitor = await secondBrowser()
    const { fields } = await newCode(visitor, app)
    const { body } = await token(instance.url, app, fields)
    const page = await visitor.get('/v1/oauth/logout')
    expect(page.status).toBe(200)
    const [, action = ''] = /action="([^"]+)"/.exec(page.text) ?? []
    const [, xsrf = ''] = /name="xsrf" value="([^"]+)"/.exec(page.text) ?? []
    const done = await visitor.post(action, { xsrf, logout: 'yes' })
    expect(done.status).toBe(303)
    expect(await active(body.access_token)).toBe(false)
    expect((await token(instance.url, app, refresh(body.refresh_token))).body.error).toBe('invalid_grant')
  })
})

const refresh = (value: string) => ({ grant_type: 'refresh_token', refresh_token: value })

async function signIn() {
  const { fields } = await newCode(browser, app)
  return token(instance.url, app, fields)
}

async function introspect(value: string) {
  const { body } = await post(instance.url, '/v1/oauth/introspect', {
    token: value,
    client_id: app.id,
    client_secret: app.secret,
  })
  return body
}

async function active(value: string): Promise<boolean> {
  return (await introspect(value)).active
}

/** The same person, in a browser of its own: it takes the session over from the first. */
async function secondBrowser(): Promise<Browser> {
  const { Browser: Fresh } = await import('./harness/browser.ts')
  const fresh = new Fresh(instance.url)
  for (const name of ['portcullis_session', '__Host-portcullis_session']) {
    const value = browser.cookie(name)
    if (value !== undefined) fresh.setCookie(name, value)
  }
  return fresh
}

/** What the ledger says of the grant of a token, in order. */
async function kinds({ body }: { readonly body: { readonly access_token: string } }): Promise<readonly string[]> {
  const grant = String(claimsOf(body.access_token)['grant_id'])
  const admin = await instance.connect('postgres')
  const { rows } = await admin.query<{ entry: Buffer }>(
    'select entry from audits.entries where log = $1 order by seq',
    ['main'],
  )
  await admin.end()
  const own = rows.map(({ entry }) => entry.toString()).filter((text) => text.includes(grant))
  return own
    .map((text) => JSON.parse(text).body?.kind ?? /"kind":"([a-z._]+)"/.exec(text)?.[1])
    .filter((kind) => kind !== 'app.signed_in' && kind !== 'token.introspected')
}
