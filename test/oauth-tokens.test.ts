import { randomUUID } from 'node:crypto'
import { request } from 'node:http'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startInstance, type TestInstance } from './harness/instance.ts'
import { basic, claimsOf, makeApp, post, token, type TestApp } from './harness/oauth.ts'
import { entriesOf } from './harness/replica.ts'

let instance: TestInstance
let app: TestApp
let key: { readonly privateKey: CryptoKey; readonly jwk: JWK }
let signer: TestApp

const alone = { grant_type: 'client_credentials' }
const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

beforeAll(async () => {
  instance = await startInstance()
  app = await makeApp(instance, { name: 'worker' })
  const pair = await generateKeyPair('ES256')
  key = {
    privateKey: pair.privateKey,
    jwk: { ...(await exportJWK(pair.publicKey)), kid: 'one', alg: 'ES256', use: 'sig' },
  }
  signer = await makeApp(instance, {
    name: 'signer',
    authMethod: 'CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT',
    jwksJson: JSON.stringify({ keys: [key.jwk] }),
  })
})

afterAll(async () => instance.stop())

describe('what the server says of itself', () => {
  it.each(['openid-configuration', 'oauth-authorization-server'])(
    'A1: %s names the issuer, fixed by the settings',
    async (name) => {
      const response = await fetch(`${instance.url}/.well-known/${name}`, {
        headers: { host: 'evil.example', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' },
      })
      expect(response.headers.get('content-type')).toMatch(/^application\/json/)
      const said = (await response.json()) as Record<string, unknown>
      expect(said).toMatchObject({
        issuer: instance.url,
        token_endpoint: `${instance.url}/v1/oauth/token`,
        authorization_endpoint: `${instance.url}/v1/oauth/authorize`,
        code_challenge_methods_supported: ['S256'],
        response_types_supported: ['code'],
        response_modes_supported: ['query'],
        grant_types_supported: ['authorization_code', 'refresh_token', 'client_credentials'],
        authorization_response_iss_parameter_supported: true,
      })
      expect(JSON.stringify(said)).not.toContain('evil')
      expect(said['registration_endpoint']).toBeUndefined()
      expect(said['device_authorization_endpoint']).toBeUndefined()
    },
  )

  it('A2: the keys are public parts only, under both names', async () => {
    const [one, two] = await Promise.all(
      ['/.well-known/jwks.json', '/api/v1/jwks'].map(
        async (path) => (await (await fetch(`${instance.url}${path}`)).json()) as { keys: object[] },
      ),
    )
    expect(one).toEqual(two)
    expect(one?.keys).toHaveLength(1)
    expect(Object.keys(one?.keys[0] ?? {}).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
  })

  it('A1: the protected resource names its authorization server (RFC 9728)', async () => {
    const said = await (await fetch(`${instance.url}/.well-known/oauth-protected-resource`)).json()
    expect(said).toMatchObject({ resource: instance.url, authorization_servers: [instance.url] })
  })
})

describe('client credentials', () => {
  it('A2: give a JWT access token with what RFC 9068 asks for', async () => {
    const reply = await token(instance.url, app, alone)
    expect(reply.body).toMatchObject({ token_type: 'Bearer', expires_in: 3600, scope: 'tasks:read telemetry:write' })
    const header = JSON.parse(Buffer.from(String(reply.body.access_token).split('.')[0] ?? '', 'base64url').toString())
    expect(header).toMatchObject({ typ: 'at+jwt', alg: 'ES256', kid: expect.any(String) })
    const claims = claimsOf(reply.body.access_token)
    expect(claims).toMatchObject({
      iss: instance.url,
      aud: instance.url,
      sub: app.id,
      client_id: app.id,
      scope: reply.body.scope,
    })
    expect(Number(claims['exp']) - Number(claims['iat'])).toBe(3600)
    expect(claims['jti']).toEqual(expect.any(String))
    expect(reply.headers.get('cache-control')).toBe('no-store')
    expect((await instance.call('HubService/ListTasks', {}, { key: reply.body.access_token })).status).toBe(200)
  })

  it('A5: declared scopes are a ceiling, and fewer may be asked for', async () => {
    expect((await token(instance.url, app, { ...alone, scope: 'tasks:read' })).body.scope).toBe('tasks:read')
    const more = await token(instance.url, app, { ...alone, scope: 'tasks:read ledger:read' })
    expect([more.status, more.body.error]).toEqual([400, 'invalid_scope'])
  })

  it('A1: take the secret in the body as well, where the app was made for that', async () => {
    const poster = await makeApp(instance, { name: 'poster', authMethod: 'CLIENT_AUTH_METHOD_CLIENT_SECRET_POST' })
    const reply = await post(instance.url, '/v1/oauth/token', {
      ...alone,
      client_id: poster.id,
      client_secret: poster.secret,
    })
    expect(reply.status).toBe(200)
  })

  it.each([
    [
      'a wrong secret',
      () => basic({ ...app, secret: `${app.secret.slice(0, -1)}${app.secret.endsWith('x') ? 'y' : 'x'}` }),
    ],
    ['an empty secret', () => basic({ ...app, secret: '' })],
    ['an unknown client', () => basic({ id: 'app_01a200f1-db8d-72ce-9ac3-b00b3e1681cd', secret: app.secret })],
    ['nothing', () => ({})],
    ['a bearer scheme', () => ({ authorization: `Bearer ${app.secret}` })],
    ['sloppy base64', () => ({ authorization: `${basic(app)['authorization'] ?? ''}=!` })],
  ])('A1: with %s give none, and a program is never shown a page', async (_what, headers) => {
    const reply = await post(instance.url, '/v1/oauth/token', alone, { ...headers(), accept: 'text/html' })
    expect([400, 401]).toContain(reply.status)
    expect(reply.headers.get('content-type')).toContain('json')
    expect(reply.body.error).toMatch(/^invalid_(?:client|request)$/)
    if (reply.status === 401) expect(reply.headers.get('www-authenticate')).toMatch(/^Basic /)
  })

  it.each([
    ['a password grant', { grant_type: 'password', username: 'a', password: 'b' }, 'unsupported_grant_type'],
    ['an implicit grant', { grant_type: 'implicit' }, 'unsupported_grant_type'],
    [
      'a device code',
      { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: 'x' },
      'unsupported_grant_type',
    ],
    ['a grant the app was not made for', { grant_type: 'refresh_token', refresh_token: 'x' }, 'invalid_request'],
    ['another resource', { ...alone, resource: 'https://other.example' }, 'invalid_target'],
  ])('A1: %s is refused', async (_what, fields, error) => {
    const reply = await token(instance.url, app, fields)
    expect([reply.status, reply.body.error]).toEqual([400, error])
  })

  it.each([
    [
      'a doubled parameter',
      () =>
        post(
          instance.url,
          '/v1/oauth/token',
          'grant_type=client_credentials&grant_type=client_credentials',
          basic(app),
        ),
    ],
    [
      'a secret in the query',
      () => post(instance.url, `/v1/oauth/token?client_secret=${app.secret}`, alone, basic(app)),
    ],
    ['JSON', () => post(instance.url, '/v1/oauth/token', '{}', { ...basic(app), 'content-type': 'application/json' })],
    [
      'two ways to authenticate',
      () =>
        post(instance.url, '/v1/oauth/token', { ...alone, client_id: app.id, client_secret: app.secret }, basic(app)),
    ],
  ])('A1: %s is refused as malformed', async (_what, send) => {
    const reply = await send()
    expect([reply.status, reply.body.error]).toEqual([400, 'invalid_request'])
  })

  it('A1: whoever shows nothing is told to authenticate', async () => {
    for (const path of ['token', 'introspect', 'revoke', 'par']) {
      const reply = await post(instance.url, `/v1/oauth/${path}`, { ...alone, token: 'x' }, { accept: 'text/html' })
      expect([path, reply.status, reply.body.error]).toEqual([path, 401, 'invalid_client'])
      expect(reply.headers.get('www-authenticate')).toMatch(/^Basic /)
    }
  })

  it('A1: a body of unknown length beyond the bound is refused', async () => {
    const { port, hostname } = new URL(instance.url)
    const reply = await new Promise<number>((resolve, reject) => {
      const headers = {
        ...basic(app),
        'content-type': 'application/x-www-form-urlencoded',
        'transfer-encoding': 'chunked',
      }
      const sent = request({ hostname, port, path: '/v1/oauth/token', method: 'POST', headers }, (response) => {
        response.resume()
        resolve(response.statusCode ?? 0)
      })
      sent.on('error', reject)
      sent.end(`grant_type=client_credentials&x=${'x'.repeat(200_000)}`)
    })
    expect(reply).toBe(400)
  })

  it('A1: a body beyond the bound is refused before it is read', async () => {
    const reply = await post(instance.url, '/v1/oauth/token', `grant_type=${'x'.repeat(2_000_000)}`, basic(app)).catch(
      () => undefined,
    )
    expect(reply?.status ?? 413).toBe(413)
  })
})

describe('private_key_jwt', () => {
  const right = () => ({
    iss: signer.id,
    sub: signer.id,
    aud: instance.url,
    jti: randomUUID(),
    iat: Math.floor(Date.now() / 1000),
    exp: Math.floor(Date.now() / 1000) + 60,
  })
  const assertion = () => new SignJWT(right()).setProtectedHeader({ alg: 'ES256', kid: 'one' }).sign(key.privateKey)
  const send = (value: string) =>
    post(instance.url, '/v1/oauth/token', { ...alone, client_assertion_type: assertionType, client_assertion: value })

  it('A1: an assertion for the issuer is taken once', async () => {
    const value = await assertion()
    expect((await send(value)).status).toBe(200)
    const again = await send(value)
    expect([again.status, again.body.error]).toEqual([401, 'invalid_client'])
  })

  it('A1: of two that send one assertion at the same time, one gets a token', async () => {
    const value = await assertion()
    const both = await Promise.all([send(value), send(value)])
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 401])
  })

  it.each<[string, Readonly<Record<string, unknown>>]>([
    ['a list of audiences', { aud: ['ISSUER', 'https://other.example'] }],
    ['a list of one audience', { aud: ['ISSUER'] }],
    ['the token endpoint as its audience', { aud: 'ISSUER/v1/oauth/token' }],
    ['another audience', { aud: 'https://other.example' }],
    ['a number as its audience', { aud: 7 }],
    ['another issuer', { iss: 'app_other' }],
    ['no jti', { jti: undefined }],
    ['an end in the past', { exp: 1_700_000_000 }],
    ['no end', { exp: undefined }],
  ])('A1: an assertion with %s is refused', async (_what, wrong) => {
    const claims = JSON.parse(JSON.stringify({ ...right(), ...wrong }).replaceAll('ISSUER', instance.url)) as object
    const value = await new SignJWT({ ...claims }).setProtectedHeader({ alg: 'ES256', kid: 'one' }).sign(key.privateKey)
    const reply = await send(value)
    expect([reply.status, reply.body.error]).toEqual([401, 'invalid_client'])
  })
})

describe('tokens bound to a key', () => {
  it('A1: a DPoP proof binds the token, and is good once', async () => {
    const proofOf = await prover()
    const proof = await proofOf()
    const send = (value: string) => post(instance.url, '/v1/oauth/token', alone, { ...basic(app), dpop: value })
    const reply = await send(proof)
    expect(reply.body).toMatchObject({ token_type: 'DPoP' })
    expect(claimsOf(reply.body.access_token)['cnf']).toEqual({ jkt: proofOf.jkt })
    const again = await send(proof)
    expect([again.status, again.body.error]).toEqual([400, 'invalid_dpop_proof'])
    expect((await send(await proofOf({ htu: `${instance.url}/v1/oauth/par` }))).body.error).toBe('invalid_dpop_proof')
    expect((await send(await proofOf({ htm: 'GET' }))).body.error).toBe('invalid_dpop_proof')
    expect((await send(`${await proofOf()}, ${await proofOf()}`)).body.error).toBe('invalid_dpop_proof')
  })

  it('A1: an app whose tokens are bound gets none without a proof', async () => {
    const bound = await makeApp(instance, { name: 'bound', dpopBound: true })
    expect((await token(instance.url, bound, alone)).status).toBe(400)
  })
})

describe('introspection and revocation', () => {
  const ask = (value: string, who: TestApp = app) =>
    post(instance.url, '/v1/oauth/introspect', { token: value }, basic(who))

  it('A1: say of a token what it is, to apps of its tenant', async () => {
    const { body } = await token(instance.url, app, alone)
    const other = await makeApp(instance, { name: 'other' })
    const said = await ask(body.access_token, other)
    expect(said.body).toMatchObject({
      active: true,
      client_id: app.id,
      sub: app.id,
      iss: instance.url,
      aud: instance.url,
      token_type: 'Bearer',
      scope: body.scope,
    })
  })

  it('A1: say nothing of it to apps of another tenant', async () => {
    const tenant = await instance.call('TenantService/Create', { name: 'elsewhere' })
    const made = await instance.call(
      'IdentityService/CreateApp',
      { name: 'stranger', scopes: ['tasks:read'] },
      { key: tenant.body.key },
    )
    const stranger = { id: made.body.app.id, secret: made.body.clientSecret }
    const { body } = await token(instance.url, app, alone)
    expect((await ask(body.access_token, stranger)).body).toEqual({ active: false })
    await post(instance.url, '/v1/oauth/revoke', { token: body.access_token }, basic(stranger))
    expect((await ask(body.access_token)).body.active).toBe(true)
  })

  it('A10: a revoked token is inactive and refused at once', async () => {
    const { body } = await token(instance.url, app, alone)
    const reply = await post(instance.url, '/v1/oauth/revoke', { token: body.access_token }, basic(app))
    expect([reply.status, reply.body]).toEqual([200, ''])
    expect((await ask(body.access_token)).body).toEqual({ active: false })
    expect((await instance.call('HubService/ListTasks', {}, { key: body.access_token })).status).toBe(401)
  })

  it.each([['no token'], ['a.b.c'], ['eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.']])(
    'A1: of %s they say that it is inactive',
    async (value) => {
      expect((await ask(value)).body).toEqual({ active: false })
    },
  )

  it('A1: need a client that is authenticated', async () => {
    const { body } = await token(instance.url, app, alone)
    const reply = await post(instance.url, '/v1/oauth/introspect', { token: body.access_token, client_id: app.id })
    expect([reply.status, reply.body.error]).toEqual([401, 'invalid_client'])
  })

  it('A10: a disabled app gets nothing, and its tokens are refused', async () => {
    const gone = await makeApp(instance, { name: 'gone' })
    const { body } = await token(instance.url, gone, alone)
    await instance.call('IdentityService/DisableApp', { appId: gone.id })
    expect((await token(instance.url, gone, alone)).body.error).toBe('invalid_client')
    expect((await ask(body.access_token)).body).toEqual({ active: false })
  })
})

describe('what is kept', () => {
  it('A11: an entry for each token, each refusal, and no token, code or secret anywhere', async () => {
    const { body } = await token(instance.url, app, alone)
    await post(instance.url, '/v1/oauth/revoke', { token: body.access_token }, basic(app))
    await token(instance.url, { ...app, secret: 'pcs_wrong' }, alone)
    const entries = [...(await entriesOf(instance, 'main')), ...(await entriesOf(instance, 'system'))].join('\n')
    const { jti } = claimsOf(body.access_token)
    expect(entries).toContain(String(jti))
    for (const kind of ['token.issued', 'token.revoked', 'token.refused']) expect(entries).toContain(`"${kind}"`)
    const admin = await instance.connect('postgres')
    const { rows } = await admin.query<{ text: string }>(
      `select a::text as text from portcullis.oauth_artefacts a union all select d::text from portcullis.token_denials d`,
    )
    const all = entries + rows.map(({ text }) => text).join('\n')
    for (const secret of [app.secret, String(body.access_token).split('.')[2] ?? 'none'])
      expect(all).not.toContain(secret)
  })
})

async function prover() {
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  const jwk = await exportJWK(publicKey)
  const make = (claims: object = {}): Promise<string> =>
    new SignJWT({ htm: 'POST', htu: `${instance.url}/v1/oauth/token`, jti: randomUUID(), ...claims })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
      .setIssuedAt()
      .sign(privateKey)
  return Object.assign(make, { jkt: await calculateJwkThumbprint(jwk) })
}
