import { generateKeyPairSync } from 'node:crypto'
import * as oauth from 'openid-client'
import type { BrowserContext } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startInstance, type TestInstance } from '../harness/instance.ts'
import { Callback, PageBrowser } from '../harness/page-browser.ts'

const password = 'a lantern over water'
const person = 'ada'
let instance: TestInstance
let browser: PageBrowser
let callback: Callback
let operatorId = ''

interface App {
  readonly id: string
  readonly secret: string
}

beforeAll(async () => {
  instance = await startInstance({ PORTCULLIS__LOG__LEVEL: 'fatal' })
  browser = await PageBrowser.open()
  callback = await Callback.open()
  const { body } = await instance.call('IdentityService/CreateOperator', {
    name: person,
    role: 'OPERATOR_ROLE_OPERATOR',
  })
  operatorId = body.operator.id
  const context = await browser.person()
  const page = await context.newPage()
  await page.goto(body.signInUrl)
  await page.getByLabel('New password', { exact: true }).fill(password)
  await page.getByLabel('New password, again').fill(password)
  await page.getByRole('button', { name: 'Set the password' }).click()
  await page.getByRole('heading', { name: 'You are signed in' }).waitFor()
  await context.close()
})
afterAll(async () => {
  await callback.close()
  await browser.close()
  await instance.stop()
})

async function makeApp(name: string, more: object, key = instance.adminKey): Promise<App> {
  const { status, body } = await instance.call('IdentityService/CreateApp', { name, ...more }, { key })
  expect([status, body.code]).toEqual([200, undefined])
  return { id: body.app.id, secret: body.clientSecret }
}

function configure(
  app: App,
  auth?: oauth.ClientAuth,
  metadata: Partial<oauth.ClientMetadata> = {},
): Promise<oauth.Configuration> {
  const more = { id_token_signed_response_alg: 'ES256', ...metadata }
  const options = { execute: [oauth.allowInsecureRequests] }
  return oauth.discovery(new URL(instance.url), app.id, more, auth ?? oauth.ClientSecretBasic(app.secret), options)
}

/** A call of the API with what an app was given. */
async function callWith(token: string, method = 'HubService/ListRuns', body: object = {}): Promise<[number, string]> {
  const answer = await instance.call(method, body, { key: token })
  return [answer.status, answer.body.code ?? '']
}

async function entries(filter: object): Promise<readonly Record<string, unknown>[]> {
  const { body } = await instance.call('LedgerService/Query', { pageSize: 1000, ...filter })
  return body.entries.map(({ entryJson }: { entryJson: string }) => JSON.parse(entryJson).body)
}

/** What openid-client throws of a refusal: the error code of the standard, and the status. */
async function refusal(work: Promise<unknown>): Promise<[string, number | undefined]> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error instanceof oauth.ResponseBodyError) return [error.error, error.status]
  if (error instanceof oauth.AuthorizationResponseError) return [error.error, undefined]
  throw error instanceof Error ? error : new Error('it was not refused')
}

describe('a program with client credentials', () => {
  it('T5: gets a token with each way to show who it is, and is its agent', async () => {
    const agent = await instance.agent('machine', ['telemetry:write'])
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'ES256', use: 'sig' }
    const of = { agentId: agent.id, scopes: ['telemetry:write'] }
    const basic = await makeApp('basic', { ...of, authMethod: 'CLIENT_AUTH_METHOD_CLIENT_SECRET_BASIC' })
    const post = await makeApp('post', { ...of, authMethod: 'CLIENT_AUTH_METHOD_CLIENT_SECRET_POST' })
    const assertion = await makeApp('assertion', {
      ...of,
      authMethod: 'CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT',
      jwksJson: JSON.stringify({ keys: [jwk] }),
    })
    const key = await crypto.subtle.importKey(
      'pkcs8',
      privateKey.export({ type: 'pkcs8', format: 'der' }),
      { name: 'ECDSA', namedCurve: 'P-256' },
      false,
      ['sign'],
    )
    const ways: readonly (readonly [App, oauth.ClientAuth])[] = [
      [basic, oauth.ClientSecretBasic(basic.secret)],
      [post, oauth.ClientSecretPost(post.secret)],
      [assertion, oauth.PrivateKeyJwt({ key, kid: 'one' })],
    ]
    for (const [app, auth] of ways) {
      const given = await oauth.clientCredentialsGrant(await configure(app, auth), { scope: 'telemetry:write' })
      expect(given).toMatchObject({ token_type: 'bearer', expires_in: 3600, scope: 'telemetry:write' })
      expect(await callWith(given.access_token, 'HubService/StartRun', { workflow: 'oauth' })).toEqual([200, ''])
      const [entry] = await entries({ action: '/portcullis.v1.HubService/StartRun' })
      expect(entry).toMatchObject({
        caller: { kind: 'agent', id: agent.id },
        credential: { kind: 'access_token' },
      })
      expect(await callWith(given.access_token, 'HubService/CreateTask', { title: 't' })).toEqual([
        403,
        'auth.scope_missing',
      ])
    }
  })

  it('T5: is refused by the codes of the standards', async () => {
    const app = await makeApp('refused', { scopes: ['telemetry:write'] })
    const config = await configure(app)
    expect(await refusal(oauth.clientCredentialsGrant(config, { scope: 'identity:write' }))).toEqual([
      'invalid_scope',
      400,
    ])
    expect(await refusal(oauth.clientCredentialsGrant(config, { resource: 'https://other.example' }))).toEqual([
      'invalid_target',
      400,
    ])
    const wrong = await configure(app, oauth.ClientSecretBasic('wrong'))
    await expect(oauth.clientCredentialsGrant(wrong)).rejects.toMatchObject({ status: 401 })
  })

  it('T5: introspects and revokes its token, which ends at once', async () => {
    const config = await configure(await makeApp('introspects', { scopes: ['telemetry:read'] }))
    const { access_token: token } = await oauth.clientCredentialsGrant(config)
    expect(await oauth.tokenIntrospection(config, token)).toMatchObject({
      active: true,
      iss: instance.url,
      client_id: config.clientMetadata().client_id,
      scope: 'telemetry:read',
    })
    expect(await callWith(token)).toEqual([200, ''])
    await oauth.tokenRevocation(config, token)
    expect(await callWith(token)).toEqual([401, 'auth.credential_invalid'])
    expect(await oauth.tokenIntrospection(config, token)).toEqual({ active: false })
    // Twice is once, and of nothing it says nothing.
    await oauth.tokenRevocation(config, token)
    await oauth.tokenRevocation(config, 'nonsense')
    const { access_token: another } = await oauth.clientCredentialsGrant(config)
    const tenant = await instance.call('TenantService/Create', { name: 'elsewhere' })
    const stranger = await configure(await makeApp('stranger', { scopes: ['telemetry:read'] }, tenant.body.key))
    expect(await oauth.tokenIntrospection(stranger, another)).toEqual({ active: false })
    await oauth.tokenRevocation(stranger, another)
    expect(await oauth.tokenIntrospection(config, another)).toMatchObject({ active: true })
  })
})

describe('a program that proves its key', () => {
  it('T5: calls with DPoP, and its token is nothing in other hands', async () => {
    const agent = await instance.agent('prover', ['telemetry:read'])
    const app = await makeApp('prover', { agentId: agent.id, scopes: ['telemetry:read'], dpopBound: true })
    const config = await configure(app, undefined, { dpop_bound_access_tokens: true })
    const DPoP = oauth.getDPoPHandle(config, await oauth.randomDPoPKeyPair('ES256'))
    const given = await oauth.clientCredentialsGrant(config, {}, { DPoP })
    expect(given.token_type).toBe('dpop')
    const url = new URL(`${instance.url}/portcullis.v1.HubService/ListRuns`)
    const headers = new Headers({ 'content-type': 'application/json' })
    const ask = (handle: oauth.DPoPHandle): Promise<Response> =>
      oauth.fetchProtectedResource(config, given.access_token, url, 'POST', '{}', headers, { DPoP: handle })
    expect((await ask(DPoP)).status).toBe(200)
    const [entry] = await entries({ action: '/portcullis.v1.HubService/ListRuns' })
    expect(entry).toMatchObject({ caller: { id: agent.id }, credential: { kind: 'dpop_access_token' } })
    expect(await callWith(given.access_token)).toEqual([401, 'auth.proof_invalid'])
    const thief = oauth.getDPoPHandle(config, await oauth.randomDPoPKeyPair('ES256'))
    await expect(ask(thief)).rejects.toMatchObject({ status: 401 })
    // An app that is to be bound gets nothing without a proof.
    expect(await refusal(oauth.clientCredentialsGrant(config))).toEqual(['invalid_grant', 400])
  })
})

/** Signs the person in at an app, in a real browser, and gives the tokens. */
async function signIn(config: oauth.Configuration, context: BrowserContext, scope: string | undefined) {
  const verifier = oauth.randomPKCECodeVerifier()
  const state = oauth.randomState()
  const nonce = oauth.randomNonce()
  // An id token is for who asks who it is.
  const identity = scope?.includes('openid') === true
  const url = await oauth.buildAuthorizationUrlWithPAR(config, {
    redirect_uri: callback.url,
    ...(scope === undefined ? {} : { scope }),
    state,
    ...(identity ? { nonce } : {}),
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  })
  const page = await context.newPage()
  await page.goto(url.href)
  if (await page.getByLabel('Password').isVisible()) {
    await page.getByLabel('Name').fill(person)
    await page.getByLabel('Password').fill(password)
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  }
  await page.getByText(/^(?:14 days|an hour) at most$/).waitFor()
  await page.getByRole('button', { name: 'Allow' }).click()
  const back = await callback.reached(page)
  await page.close()
  const checks = {
    pkceCodeVerifier: verifier,
    expectedState: state,
    ...(identity ? { expectedNonce: nonce } : {}),
    idTokenExpected: scope?.includes('openid') === true,
  }
  const tokens = await oauth.authorizationCodeGrant(config, back, checks)
  return { tokens, back, checks }
}

const webApp = async (name: string): Promise<oauth.Configuration> =>
  configure(
    await makeApp(name, {
      scopes: ['telemetry:read', 'telemetry:write'],
      redirectUris: [callback.url],
      grantTypes: ['authorization_code', 'refresh_token'],
    }),
  )

const scope = 'openid offline_access telemetry:read'

describe('a person in a browser', () => {
  it('T5: signs in at an app with code and PKCE; the app acts for the person, within both', async () => {
    const config = await webApp('web')
    const context = await browser.person()
    const { tokens, back, checks } = await signIn(config, context, scope)
    expect(back.searchParams.get('iss')).toBe(instance.url)
    expect(tokens.claims()).toMatchObject({
      iss: instance.url,
      sub: operatorId,
      aud: config.clientMetadata().client_id,
    })
    expect(await callWith(tokens.access_token)).toEqual([200, ''])
    expect(await callWith(tokens.access_token, 'HubService/StartRun', { workflow: 'w' })).toEqual([
      403,
      'auth.scope_missing',
    ])
    const [entry] = await entries({ action: '/portcullis.v1.HubService/ListRuns' })
    expect(entry).toMatchObject({ caller: { kind: 'operator', id: operatorId }, credential: { kind: 'access_token' } })

    // The code again: refused, and what it gave ends with it.
    expect(await refusal(oauth.authorizationCodeGrant(config, back, checks))).toEqual(['invalid_grant', 400])
    await expect.poll(() => callWith(tokens.access_token)).toEqual([401, 'auth.credential_invalid'])
    await context.close()
  })

  it('T5: a refresh token works once; used again the whole family ends, in the token events and in the ledger', async () => {
    const config = await webApp('refreshing')
    const context = await browser.person()
    const { tokens } = await signIn(config, context, scope)
    const events = await TokenEvents.open(instance)
    const first = tokens.refresh_token ?? ''
    const second = await oauth.refreshTokenGrant(config, first)
    expect(second.refresh_token).not.toBe(first)
    expect(await callWith(second.access_token)).toEqual([200, ''])

    expect(await refusal(oauth.refreshTokenGrant(config, first))).toEqual(['invalid_grant', 400])
    expect(await refusal(oauth.refreshTokenGrant(config, second.refresh_token ?? ''))).toEqual(['invalid_grant', 400])
    await expect.poll(() => callWith(second.access_token)).toEqual([401, 'auth.credential_invalid'])
    await expect.poll(() => callWith(tokens.access_token)).toEqual([401, 'auth.credential_invalid'])

    await expect.poll(() => events.kinds(), { timeout: 10_000 }).toContain('refresh_replay')
    await events.close()
    const [replay] = await entries({ action: 'refresh_replay' })
    expect(replay).toMatchObject({ kind: 'refresh_replay', outcome: 'deny' })
    expect(JSON.stringify(replay)).not.toContain(first)
    await context.close()
  })

  it('T5: is asked for all that the app may have where it names no scope, and gives no more than it has', async () => {
    const made = await makeApp('greedy', {
      scopes: ['telemetry:read', 'policy:write'],
      redirectUris: [callback.url],
      grantTypes: ['authorization_code'],
    })
    const context = await browser.person()
    const { tokens } = await signIn(await configure(made), context, undefined)
    expect([tokens.scope, tokens.refresh_token, tokens.id_token]).toEqual(['telemetry:read', undefined, undefined])
    await context.close()
  })

  it('T5: signs out, and the tokens of that sign-in end', async () => {
    const config = await webApp('leaving')
    const context = await browser.person()
    const { tokens } = await signIn(config, context, scope)
    expect(await callWith(tokens.access_token)).toEqual([200, ''])
    const page = await context.newPage()
    await page.goto(oauth.buildEndSessionUrl(config, { id_token_hint: tokens.id_token ?? '' }).href)
    await page.getByRole('button', { name: /sign out/i }).click()
    await page.waitForLoadState()
    await expect.poll(() => callWith(tokens.access_token)).toEqual([401, 'auth.credential_invalid'])
    expect(await refusal(oauth.refreshTokenGrant(config, tokens.refresh_token ?? ''))).toEqual(['invalid_grant', 400])
    await context.close()
  })

  it('T5: says no, and the app hears it', async () => {
    const config = await webApp('unwanted')
    const context = await browser.person()
    const verifier = oauth.randomPKCECodeVerifier()
    const state = oauth.randomState()
    const url = oauth.buildAuthorizationUrl(config, {
      redirect_uri: callback.url,
      scope: 'openid telemetry:read',
      state,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    })
    const page = await context.newPage()
    await page.goto(url.href)
    await page.getByLabel('Name').fill(person)
    await page.getByLabel('Password').fill(password)
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await page.getByRole('button', { name: 'Deny' }).click()
    const back = await callback.reached(page)
    const checks = { pkceCodeVerifier: verifier, expectedState: state }
    expect(await refusal(oauth.authorizationCodeGrant(config, back, checks))).toEqual(['access_denied', undefined])
    await context.close()
  })
})

/** The stream of token events from now on. */
class TokenEvents {
  #text = ''
  readonly #over = new AbortController()
  #read: Promise<void> = Promise.resolve()

  static async open(of: TestInstance): Promise<TokenEvents> {
    const events = new TokenEvents()
    const response = await fetch(`${of.url}/v1/token-events`, {
      headers: { authorization: `Bearer ${of.adminKey}` },
      signal: events.#over.signal,
    })
    expect(response.status).toBe(200)
    events.#read = events.#follow(response)
    return events
  }

  kinds(): readonly string[] {
    return [...this.#text.matchAll(/^event: (.+)$/gm)].map(([, kind = '']) => kind)
  }

  async close(): Promise<void> {
    this.#over.abort()
    await this.#read
  }

  async #follow({ body }: Response): Promise<void> {
    if (body === null) throw new Error('a stream without a body')
    const decoder = new TextDecoder()
    try {
      for await (const chunk of body) this.#text += decoder.decode(chunk, { stream: true })
    } catch (error) {
      if (!this.#over.signal.aborted) throw error
    }
  }
}
