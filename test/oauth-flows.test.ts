import { setTimeout as delay } from 'node:timers/promises'
import { randomUUID } from 'node:crypto'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Browser } from './harness/browser.ts'
import { startInstance, type TestInstance } from './harness/instance.ts'
import {
  agree,
  authorizePath,
  basic,
  claimsOf,
  makeApp,
  newCode,
  pkce,
  post,
  redirectUri,
  signedInBrowser,
  token,
  type OAuthReply,
  type TestApp,
} from './harness/oauth.ts'

let instance: TestInstance
let browser: Browser
let app: TestApp

beforeAll(async () => {
  instance = await startInstance({ PORTCULLIS__OAUTH__CODE_TTL: '4s', PORTCULLIS__OAUTH__ACCESS_TOKEN_TTL: '10m' })
  browser = await signedInBrowser(instance)
  app = await makeApp(instance, {
    name: 'notes',
    scopes: ['tasks:read'],
    redirectUris: [redirectUri],
    grantTypes: ['authorization_code', 'refresh_token'],
  })
})

afterAll(async () => instance.stop())

describe('pushed authorization requests', () => {
  it('A1: name a request once, for the app that pushed it', async () => {
    const proof = pkce()
    const query = new URLSearchParams(authorizePath(app, proof).split('?')[1])
    const pushed = await post(instance.url, '/v1/oauth/par', query.toString(), basic(app))
    expect([pushed.status, pushed.body.request_uri]).toEqual([
      201,
      expect.stringMatching(/^urn:ietf:params:oauth:request_uri:/),
    ])
    const path = `/v1/oauth/authorize?${new URLSearchParams({ client_id: app.id, request_uri: pushed.body.request_uri }).toString()}`
    const back = await agree(browser, path)
    expect(back.searchParams.get('code')).not.toBeNull()
    const again = await browser.get(path)
    expect(again.location ?? '').not.toContain('code=')
    expect(again.status).toBe(400)
  })

  it.each([
    ['plain PKCE', { code_challenge_method: 'plain' }],
    ['no state', { state: undefined }],
    ['NUL in its state', { state: 'a\0b' }],
    ['NUL in its nonce', { nonce: 'a\0b' }],
    ['another redirect URI', { redirect_uri: `${redirectUri}/` }],
    ['a scope beyond the ceiling', { scope: 'ledger:read' }],
  ])('A1: with %s is refused when it is pushed', async (_what, more) => {
    const query = authorizePath(app, pkce(), more).split('?')[1] ?? ''
    const pushed = await post(instance.url, '/v1/oauth/par', query, basic(app))
    expect([pushed.status, pushed.body.request_uri]).toEqual([400, undefined])
  })
})

describe('a form that is not text', () => {
  it.each([
    ['token', 'grant_type=client_credentials&scope=a%00b'],
    ['token', 'grant_type=a%00b'],
    ['token', 'grant_type=authorization_code&code=a%00b&code_verifier=x&redirect_uri=y'],
    ['token', 'grant_type=refresh_token&refresh_token=a%00b'],
    ['token', 'grant_type=client_credentials&resource=a&resource=b%00c'],
    ['token', 'grant_type=client_credentials&a%00b=c'],
    ['revoke', 'token=a%00b'],
    ['introspect', 'token=a%00b'],
    ['par', 'response_type=code&scope=a%00b'],
    ['par', 'response_type=code&nonce=a%00b&acr_values=c%00d'],
  ])('A1: is malformed: %s %s', async (name, form) => {
    const { body, headers, status } = await post(instance.url, `/v1/oauth/${name}`, form, basic(app))
    expect([status, body]).toEqual([400, { error: 'invalid_request', error_description: 'a parameter is not text' }])
    expect(headers.get('cache-control')).toBe('no-store')
  })

  it('A1: is malformed also where it says who sends it', async () => {
    const form = 'grant_type=client_credentials&client_id=a%00b&client_secret=c%00d'
    expect((await post(instance.url, '/v1/oauth/token', form)).body.error).toBe('invalid_request')
  })
})

describe('times', () => {
  type Code = Awaited<ReturnType<typeof newCode>>['fields']
  let late: Code
  let used: Code
  let first: OAuthReply
  beforeAll(async () => {
    late = (await newCode(browser, app)).fields
    used = (await newCode(browser, app)).fields
    first = await token(instance.url, app, used)
    await delay(5100)
  })

  it('A6: a code that is too old gives nothing', async () => {
    expect((await token(instance.url, app, late)).body.error).toBe('invalid_grant')
  })

  it('A6: a code that was used is known as used after its end, too', async () => {
    expect(first.status).toBe(200)
    expect((await token(instance.url, app, used)).body.error).toBe('invalid_grant')
    const said = await post(instance.url, '/v1/oauth/introspect', { token: first.body.access_token }, basic(app))
    expect(said.body).toEqual({ active: false })
  })

  it('A2: tokens live as long as the settings say', async () => {
    const { fields } = await newCode(browser, app)
    const { body } = await token(instance.url, app, fields)
    const { exp, iat } = claimsOf(body.access_token)
    expect([body.expires_in, Number(exp) - Number(iat)]).toEqual([600, 600])
  })
})

describe('a program on the machine of a person', () => {
  it('A1: has no secret, chooses its port, and needs the verifier', async () => {
    const local = await makeApp(instance, {
      name: 'local',
      scopes: ['tasks:read'],
      redirectUris: ['http://127.0.0.1/callback'],
      grantTypes: ['authorization_code', 'refresh_token'],
      authMethod: 'CLIENT_AUTH_METHOD_NONE',
    })
    const proof = pkce()
    const uri = 'http://127.0.0.1:49152/callback'
    const back = await agree(browser, authorizePath(local, proof, { redirect_uri: uri }), 'allow', uri)
    const fields = {
      grant_type: 'authorization_code',
      code: back.searchParams.get('code') ?? '',
      redirect_uri: uri,
      client_id: local.id,
    }
    const stolen = await post(instance.url, '/v1/oauth/token', fields)
    expect(stolen.body.error).toBe('invalid_grant')
    const reply = await post(instance.url, '/v1/oauth/token', { ...fields, code_verifier: proof.verifier })
    expect(reply.status).toBe(200)
    const next = await post(instance.url, '/v1/oauth/token', {
      grant_type: 'refresh_token',
      refresh_token: reply.body.refresh_token,
      client_id: local.id,
    })
    expect(next.status).toBe(200)
  })
})

describe('the session of a person with an app', () => {
  it.each([
    ['without refresh tokens', ['authorization_code'], 601],
    ['with refresh tokens', ['authorization_code', 'refresh_token'], 601 + 14 * 86_400],
  ])('A10: %s can be ended as long as any of its tokens may live', async (name, grantTypes, seconds) => {
    const fields = { name: name.replaceAll(' ', '-'), scopes: ['tasks:read'], redirectUris: [redirectUri], grantTypes }
    const own = await makeApp(instance, fields)
    await newCode(browser, own)
    const { body } = await instance.call('IdentityService/ListSessions', {})
    const found = body.sessions.find(({ appId }: { readonly appId: string }) => appId === own.id)
    const lasts = (Date.parse(found.expiresAt) - Date.parse(found.createdAt)) / 1000
    expect(lasts).toBeGreaterThan(seconds - 5)
    expect(lasts).toBeLessThan(seconds + 5)
  })
})

describe('when somebody signed in', () => {
  it('A8: is said as it was, and an app that wants it to be now gets that', async () => {
    const past = new Date(Date.now() - 3_600_000)
    const { body: made } = await instance.call('IdentityService/CreateOperator', {
      name: 'ada',
      role: 'OPERATOR_ROLE_VIEWER',
    })
    const signedIn = new Browser(instance.url)
    const password = 'a password of some length'
    await signedIn.submit(await signedIn.get(new URL(made.signInUrl).href.slice(instance.url.length)), {
      password,
      again: password,
    })
    const postgres = await instance.connect('postgres')
    await postgres.query('update portcullis.sessions set created_at = $1 where digest is not null', [past])
    await postgres.end()
    const { fields } = await newCode(signedIn, app, { max_age: '86400' })
    const { body } = await token(instance.url, app, fields)
    expect(claimsOf(body.id_token)['auth_time']).toBe(Math.floor(past.getTime() / 1000))

    const again = authorizePath(app, pkce(), { prompt: 'login' })
    const page = await signedIn.follow(await signedIn.get(again))
    expect(page.text).toContain('name="password"')
  })
})

describe('userinfo', () => {
  const ask = (headers: Readonly<Record<string, string>>, path = '/v1/oauth/userinfo') =>
    fetch(`${instance.url}${path}`, { headers, signal: AbortSignal.timeout(30_000) })

  it('A1: says who signed in, to an app that may know', async () => {
    const { fields } = await newCode(browser, app)
    const { body } = await token(instance.url, app, fields)
    const reply = await ask({ authorization: `Bearer ${body.access_token}` })
    expect([reply.status, await reply.json()]).toEqual([
      200,
      { sub: claimsOf(body.access_token)['sub'], name: 'admin' },
    ])
    await post(instance.url, '/v1/oauth/revoke', { token: body.access_token }, basic(app))
    expect((await ask({ authorization: `Bearer ${body.access_token}` })).status).toBe(401)
  })

  it('A1: says nothing without openid, without a token, to a token in the query, or to one of an app alone', async () => {
    const { fields } = await newCode(browser, app, { scope: 'tasks:read' })
    const { body } = await token(instance.url, app, fields)
    const without = await ask({ authorization: `Bearer ${body.access_token}` })
    expect([without.status, without.headers.get('www-authenticate')]).toEqual([
      403,
      expect.stringContaining('insufficient_scope'),
    ])
    expect((await ask({})).status).toBe(401)
    expect((await ask({}, `/v1/oauth/userinfo?access_token=${body.access_token}`)).status).toBe(400)
    const alone = await makeApp(instance, { name: 'alone' })
    const own = await token(instance.url, alone, { grant_type: 'client_credentials' })
    expect((await ask({ authorization: `Bearer ${own.body.access_token}` })).status).toBe(401)
  })

  it('A1: takes a bound token with its proof, once', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256')
    const jwk = await exportJWK(publicKey)
    const proof = (htm: string, path: string, ath?: string) =>
      new SignJWT({ htm, htu: `${instance.url}${path}`, jti: randomUUID(), ...(ath === undefined ? {} : { ath }) })
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
        .setIssuedAt()
        .sign(privateKey)
    const { fields } = await newCode(browser, app)
    const { body } = await post(instance.url, '/v1/oauth/token', fields, {
      ...basic(app),
      dpop: await proof('POST', '/v1/oauth/token'),
    })
    const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(body.access_token))
    const shown = {
      authorization: `DPoP ${body.access_token}`,
      dpop: await proof('GET', '/v1/oauth/userinfo', Buffer.from(digest).toString('base64url')),
    }
    expect((await ask(shown)).status).toBe(200)
    expect((await ask(shown)).status).toBe(401)
    expect((await ask({ authorization: `Bearer ${body.access_token}` })).status).toBe(401)
  })
})
