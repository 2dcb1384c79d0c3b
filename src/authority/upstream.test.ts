import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Secret } from '#core'
import { Upstream } from './upstream.ts'

const seed = 'A'.repeat(43)
const redirect = 'http://127.0.0.1:8080/sign-in/upstream/callback'
const clientId = 'us'

// What the fake issuer does wrong; right unless a test changes it.
let wrong: {
  readonly claims?: Readonly<Record<string, unknown>>
  readonly metadataIssuer?: string
  readonly strangersKey?: boolean
} = {}
let issuer = ''
let server: Server
let nonce = ''

beforeAll(async () => {
  const [own, stranger] = await Promise.all([generateKeyPair('ES256'), generateKeyPair('ES256')])
  const jwk = { ...(await exportJWK(own.publicKey)), kid: 'one', alg: 'ES256' }
  const idToken = (): Promise<string> =>
    new SignJWT({ iss: issuer, aud: clientId, sub: 'ada', nonce, ...wrong.claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'one' })
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign((wrong.strangersKey === true ? stranger : own).privateKey)
  const answers: Readonly<Record<string, () => Promise<object> | object>> = {
    '/.well-known/openid-configuration': () => ({
      issuer: wrong.metadataIssuer ?? issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      jwks_uri: `${issuer}/jwks`,
      id_token_signing_alg_values_supported: ['ES256'],
    }),
    '/jwks': () => ({ keys: [jwk] }),
    '/token': async () => ({ access_token: 'x', token_type: 'Bearer', expires_in: 60, id_token: await idToken() }),
  }
  server = createServer((request, response) => {
    const answer = answers[request.url ?? '']
    void Promise.resolve(answer?.()).then((body) => {
      response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' })
      response.end(JSON.stringify(body ?? {}))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})
beforeEach(() => {
  wrong = {}
})

interface Attempt {
  readonly subject: string | undefined
  readonly why: string
}

/** A whole sign-in, but for the browser: what came of it, and why there was none. */
async function signIn(): Promise<Attempt> {
  const reasons: string[] = []
  const upstream = new Upstream(
    {
      issuer,
      clientId,
      clientSecret: () => Promise.resolve(new Secret('secret')),
      allowPrivate: true,
      allowHttp: 'own',
      failed: (error) =>
        void reasons.push(error instanceof Error ? `${error.message} ${String(error.cause)}` : String(error)),
    },
    { monotonic: () => 0 },
  )
  try {
    const away = await upstream.begin(seed, redirect)
    if (away === undefined) return { subject: undefined, why: reasons.join() }
    const { searchParams } = new URL(away)
    nonce = searchParams.get('nonce') ?? ''
    const back = new URL(redirect)
    back.searchParams.set('code', 'one')
    back.searchParams.set('state', searchParams.get('state') ?? '')
    return { subject: await upstream.finish(seed, back), why: reasons.join() }
  } finally {
    await upstream.close()
  }
}

describe('what another issuer says of a person', () => {
  it('A9: is believed where everything is right', async () => {
    expect(await signIn()).toEqual({ subject: 'ada', why: '' })
  })

  it.each<[string, Readonly<Record<string, unknown>>]>([
    ['for another client', { aud: 'them' }],
    ['for another client, too', { aud: ['us', 'them'] }],
    ['of another issuer', { iss: 'https://evil.example' }],
    ['with the nonce of another sign-in', { nonce: 'x'.repeat(43) }],
    ['without a nonce', { nonce: undefined }],
    ['without a subject', { sub: undefined }],
    ['with an empty subject', { sub: '' }],
  ])('A9: is not believed in an id token %s', async (_name, claims) => {
    wrong = { claims }
    const { subject, why } = await signIn()
    expect(subject).toBeUndefined()
    if (claims['sub'] !== '') expect(why).not.toBe('')
  })

  it('A9: is not believed where the key is of a stranger, though it came from the token endpoint', async () => {
    wrong = { strangersKey: true }
    expect((await signIn()).subject).toBeUndefined()
  })

  it('A9: is not asked for where the metadata name another issuer', async () => {
    wrong = { metadataIssuer: 'https://evil.example' }
    const { subject, why } = await signIn()
    expect([subject, why]).toEqual([undefined, expect.stringContaining('issuer')])
  })
})
