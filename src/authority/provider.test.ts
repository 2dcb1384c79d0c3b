import { generateKeyPairSync, hash } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { sha256, systemClock } from '#core'
import type { Committed, OAuthEvent, Writes } from './artefacts.ts'
import { Authority } from './authority.ts'
import type { AppRecord } from './ports.ts'
import type { TokenKey } from './signing-keys.ts'

const issuer = 'https://auth.example'
const app: AppRecord = {
  id: 'app_1',
  name: 'one',
  tenant: { id: 'ten_1', name: 'main' },
  agent: undefined,
  scopes: new Set(['tasks:read']),
  redirectUris: ['https://app.example/callback'],
  grantTypes: ['client_credentials', 'authorization_code'],
  authMethod: 'client_secret_basic',
  jwksJson: undefined,
  tlsSubjectDn: undefined,
  dpopBound: false,
  certificateBound: false,
  secrets: [{ digest: sha256('secret'), expiresAtMs: undefined }],
  disabled: false,
  tenantDisabled: false,
}

let verdict: Committed = 'done'
let wait: number | undefined
let events: OAuthEvent[] = []
let kept: Writes[] = []
const faults: unknown[] = []
let storeFails = false
let server: Server
let url = ''
const authority = new Authority({
  issuer: () => issuer,
  clock: systemClock,
  lifetimes: { accessTokenSeconds: 3600, codeSeconds: 60, refreshSeconds: 86_400 },
  store: {
    find: async () => {
      if (storeFails) throw new Error('the store is away')
      return undefined
    },
    findByUid: async () => undefined,
    grantsUnder: async () => [],
  },
  apps: { find: (id) => (id === app.id ? app : undefined) },
  operators: { find: () => undefined },
  denials: { denied: () => false },
  pages: {
    error: (title, text) => `<h1>${title}</h1>${text}`,
    confirmLogout: (form) => form,
    signedOut: () => 'out',
    goOn: (form) => form,
  },
  mtlsOrigin: () => 'https://mtls.auth.example',
  commits: {
    commit: async (_origin, event) => {
      events.push(event)
      return verdict
    },
    keep: async (writes) => {
      kept.push(writes)
      return verdict
    },
    note: async (_origin, event) => {
      events.push(event)
      return 'done'
    },
  },
  fault: (error) => faults.push(error),
  waitSeconds: () => wait,
})

beforeAll(async () => {
  authority.setKeys([makeKey()])
  server = createServer((request, response) => {
    request.headers['x-forwarded-proto'] = 'https'
    request.headers['x-forwarded-host'] = 'auth.example'
    const origin = { requestId: 'req_1', remote: '192.0.2.1', arrivedAt: 0, certificateAuthorized: false } as const
    void authority.handle(request, response, { ...origin, certificate: undefined, certificateSubject: undefined })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterAll(() => server.close())

beforeEach(() => {
  verdict = 'done'
  wait = undefined
  storeFails = false
  events = []
  kept = []
  faults.length = 0
})

async function token(secret = 'secret', more = '') {
  const response = await fetch(`${url}/v1/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`app_1:${secret}`)}`, 'content-type': 'application/x-www-form-urlencoded' },
    body: `grant_type=client_credentials${more}`,
  })
  // oxlint-disable-next-line typescript/no-explicit-any -- whatever the server says
  return { status: response.status, headers: response.headers, body: (await response.json()) as any }
}

function authorize(more = ''): Promise<Response> {
  const challenge = hash('sha256', 'x'.repeat(43), 'base64url')
  const query = `client_id=app_1&response_type=code&redirect_uri=https%3A%2F%2Fapp.example%2Fcallback&scope=tasks%3Aread&state=s&code_challenge=${challenge}&code_challenge_method=S256${more}`
  return fetch(`${url}/v1/oauth/authorize?${query}`, { redirect: 'manual', headers: { accept: 'text/html' } })
}

describe('the authorization server', () => {
  it('A6: gives a token once its entry is committed', async () => {
    const { body, status } = await token()
    expect([status, body.token_type]).toEqual([200, 'Bearer'])
    expect(events).toMatchObject([{ kind: 'token.issued', app: { id: 'app_1' }, args: { scope: 'tasks:read' } }])
  })

  it.each<[Committed, number, string]>([
    ['unavailable', 503, 'temporarily_unavailable'],
    ['busy', 503, 'temporarily_unavailable'],
    ['full', 503, 'temporarily_unavailable'],
    ['lost', 400, 'invalid_grant'],
    ['replayed', 400, 'invalid_dpop_proof'],
  ])('A6: where the commit is %s, no token leaves', async (answer, expected, error) => {
    verdict = answer
    const { body, status } = await token()
    expect([status, body.error, body.access_token]).toEqual([expected, error, undefined])
  })

  it('A1: an app that asks too often waits', async () => {
    wait = 3
    const { headers, status } = await token()
    expect([status, headers.get('retry-after')]).toEqual([429, '3'])
    expect(events).toEqual([])
  })

  it('A1: a wrong secret is refused and recorded', async () => {
    const { body, headers, status } = await token('wrong')
    expect([status, body.error]).toEqual([401, 'invalid_client'])
    expect(headers.get('www-authenticate')).toContain('Basic')
    expect(events).toMatchObject([{ kind: 'token.refused', error: 'invalid_client' }])
    expect(JSON.stringify(events.map(({ args, reason }) => [args, reason]))).not.toContain('wrong')
  })

  it('A1: a form that holds NUL is malformed, and is the app only where the secret is right', async () => {
    expect((await token('secret', '&scope=a%00b')).body.error).toBe('invalid_request')
    expect((await token('wrong', '&scope=a%00b')).body.error).toBe('invalid_request')
    expect(events.map(({ app: by, error, kind }) => [kind, error, by?.id])).toEqual([
      ['token.refused', 'invalid_request', 'app_1'],
      ['token.refused', 'invalid_request', undefined],
    ])
  })

  it('A6: a sign-in that could not be stored does not begin', async () => {
    verdict = 'unavailable'
    const response = await authorize()
    expect(response.status).toBe(503)
    expect([response.headers.get('location'), response.headers.getSetCookie()]).toEqual([null, []])
  })

  it('A6: a sign-in under way is stored by digests, and its cookies are for https alone', async () => {
    const response = await authorize()
    expect(response.status).toBe(303)
    const cookies = response.headers.getSetCookie()
    for (const cookie of cookies)
      expect(cookie).toMatch(/; secure; httponly|; httponly; secure|secure.*httponly|httponly.*secure/i)
    const uid = response.headers.get('location')?.split('/').at(-1) ?? 'none'
    expect(JSON.stringify(kept)).not.toContain(uid)
  })

  it('A1: a fault of ours says nothing of itself, and gives nothing', async () => {
    storeFails = true
    const response = await fetch(`${url}/v1/oauth/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa('app_1:secret')}`, 'content-type': 'application/x-www-form-urlencoded' },
      body: 'grant_type=authorization_code&code=x&redirect_uri=https%3A%2F%2Fapp.example%2Fcallback&code_verifier=x',
    })
    expect(response.status).toBe(500)
    expect(await response.text()).not.toContain('away')
    expect(faults.length).toBeGreaterThan(0)
  })

  it('A1: the metadata name the issuer, and where clients with certificates go', async () => {
    const said = await (await fetch(`${url}/.well-known/oauth-authorization-server`)).json()
    expect(said).toMatchObject({
      issuer,
      token_endpoint: `${issuer}/v1/oauth/token`,
      mtls_endpoint_aliases: { token_endpoint: 'https://mtls.auth.example/v1/oauth/token' },
    })
  })

  it('A2: other keys make another server over the same storage, and tokens name the new one', async () => {
    const before = (await token()).body.access_token
    const [next, last] = [makeKey(), makeKey()]
    authority.setKeys([
      { ...last, activatesAtMs: 0 },
      { ...next, activatesAtMs: 1 },
    ])
    const after = (await token()).body.access_token
    const kidOf = (jwt: string) => JSON.parse(Buffer.from(jwt.split('.')[0] ?? '', 'base64url').toString()).kid
    expect(kidOf(after)).toBe(next.kid)
    expect(kidOf(before)).not.toBe(next.kid)
  })
})

let made = 0

function makeKey(): TokenKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const facts = { kid: `key-${(made += 1)}`, alg: 'ES256', use: 'sig' }
  return {
    kid: facts.kid,
    algorithm: 'ES256',
    publicJwk: { ...publicKey.export({ format: 'jwk' }), ...facts },
    privateJwk: { ...privateKey.export({ format: 'jwk' }), ...facts },
    createdAtMs: 0,
    activatesAtMs: 0,
    retiresAtMs: undefined,
  }
}
