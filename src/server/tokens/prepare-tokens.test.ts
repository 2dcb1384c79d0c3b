import { describe, expect, it } from 'vitest'
import { methods } from '@portcullis/contract'
import { isRefusal, refuse, Secret, sha256, type Refusal, type VerifiedToken } from '#core'
import { decide, Gcra, RateAhead, type Call, type GatePorts, type TokenHolder } from '#gate'
import { pair, signJws } from '../../authority/tokens.fixture.ts'
import { PrepareTokens } from './prepare-tokens.ts'
import { requestTarget } from './request-target.ts'

const nowMs = 1_800_000_000_000
const key = pair('proof')
const { kid: _, ...jwk } = key.jwk
const jkt = sha256(JSON.stringify({ crv: 'P-256', kty: 'EC', x: jwk['x'], y: jwk['y'] })).toString('base64url')
const path = '/portcullis.v1.HubService/ListTasks'
const text = 'a.b.c'
const tenant = { id: 'ten_1', name: 'main' }
const caller = {
  kind: 'service',
  id: 'svc',
  tenant,
  scopes: new Set<string>(),
  credential: { kind: 'access_token', id: 'j' },
} as const

const bound: VerifiedToken = {
  issuer: 'own',
  id: 'j',
  subject: 'svc',
  clientId: 'app_1',
  scopes: new Set(),
  expiresAtMs: nowMs + 1000,
  issuedAtMs: nowMs,
  jkt,
}

interface World {
  readonly token?: VerifiedToken | Refusal
  readonly known?: boolean
  readonly holder?: TokenHolder | Refusal
  readonly first?: boolean | 'away'
  readonly burst?: number
}

function world({ token = bound, known = true, holder = { caller }, first = true, burst = 100 }: World = {}) {
  const taken: string[] = []
  const clock = { now: () => nowMs, monotonic: () => 0 }
  const [failures, addresses, calls] = [100, 100, burst].map((each) => new Gcra({ perSecond: 1, burst: each }))
  if (failures === undefined || addresses === undefined || calls === undefined) throw new Error('three buckets')
  const keys = { find: () => undefined, fresh: () => true, used: () => undefined }
  const tokens = { callerOf: () => holder }
  const gate: GatePorts = { clock, keys, tokens, failures, addresses, calls }
  const verified: string[] = []
  const prepare = new PrepareTokens(
    {
      verifier: {
        known: () => (known ? token : undefined),
        verify: (each) => {
          verified.push(each)
          return Promise.resolve(token)
        },
      },
      tokens,
      singleUse: {
        take: (_kind, value) => {
          taken.push(value)
          return first === 'away' ? Promise.reject(new Error('away')) : Promise.resolve(first)
        },
      },
      ahead: new RateAhead(gate),
      clock,
    },
    () => ({ algorithms: ['ES256'], skewMs: 0, origins: ['https://api.example'] }),
  )
  return { prepare, taken, verified, gate }
}

function proofFor(htu: string, changes: object = {}): string {
  const claims = { jti: 'p', htm: 'POST', htu, iat: nowMs / 1000, ath: sha256(text).toString('base64url'), ...changes }
  return signJws({ typ: 'dpop+jwt', alg: 'ES256', jwk }, claims, key.privateKey)
}

function call(dpop?: string, more: Partial<Call> = {}): Call {
  const method = methods.get(path)
  if (method === undefined) throw new Error('the method is in the contract')
  return {
    method,
    credentials: [{ kind: 'access_token', text: new Secret(text), dpop: dpop !== undefined }],
    remote: '127.0.0.1',
    requestId: 'r',
    tenantId: undefined,
    dpop: dpop === undefined ? undefined : [dpop],
    target: dpop === undefined ? undefined : { method: 'POST', path, listener: 'http://127.0.0.1:8080' },
    ...more,
  }
}

describe('what has to be verified before the gate decides', () => {
  it('A3: nothing where there is no token, and no wait where its verdict is known', () => {
    const { prepare, verified } = world()
    const plain = call(undefined, { credentials: [] })
    expect(prepare.known(plain)).toBe(plain)
    expect(prepare.known(call())).toMatchObject({ token: bound })
    expect(verified).toEqual([])
  })

  it('A3: nothing for a public read, and nothing where there are two credentials', () => {
    const { prepare } = world({ known: false })
    const health = methods.get('/portcullis.v1.HubService/GetHealth')
    if (health === undefined) throw new Error('the method is in the contract')
    const open = call(undefined, { method: health })
    expect(prepare.known(open)).toBe(open)
    const [one] = call().credentials
    const two = call(undefined, { credentials: one === undefined ? [] : [one, one] })
    expect(prepare.known(two)).toBe(two)
  })

  it('A3: a token whose verdict is not known', async () => {
    const { prepare, verified } = world({ known: false })
    expect(prepare.known(call())).toBeUndefined()
    expect((await prepare.prepare(call())).token).toBe(bound)
    expect(verified).toEqual([text])
  })
})

describe('a proof', () => {
  it.each(['http://127.0.0.1:8080', 'http://localhost:8080', 'https://api.example'])(
    'G3: is right for the listener and the origins of the settings: %s',
    async (origin) => {
      const { prepare, taken } = world()
      const asked = call(proofFor(origin + path))
      expect(prepare.known(asked)).toBeUndefined()
      expect((await prepare.prepare(asked)).proof).toEqual({ refused: false, jkt })
      expect(taken).toEqual([`${jkt}.p`])
    },
  )

  it('G3: that was used before is refused', async () => {
    const { prepare } = world({ first: false })
    const { proof } = await prepare.prepare(call(proofFor(`https://api.example${path}`)))
    expect(proof).toMatchObject({ code: 'auth.proof_invalid', reason: 'proof: it was used before' })
  })

  it.each<readonly [string, World, string]>([
    ['is for another address', {}, proofFor(`https://evil.example${path}`)],
    [
      'is of another key than the token',
      { token: { ...bound, jkt: 'x'.repeat(43) } },
      proofFor(`https://api.example${path}`),
    ],
    [
      'comes with a token that is wrong',
      { token: refuse('auth.credential_invalid', 'x') },
      proofFor(`https://api.example${path}`),
    ],
    [
      'comes with a token that is not bound',
      { token: { ...bound, jkt: undefined } },
      proofFor(`https://api.example${path}`),
    ],
    [
      'comes with a token that was revoked',
      { holder: { caller, refusal: refuse('auth.credential_invalid', 'revoked') } },
      proofFor(`https://api.example${path}`),
    ],
    [
      'comes with a token of nobody',
      { holder: refuse('auth.credential_invalid', 'x') },
      proofFor(`https://api.example${path}`),
    ],
  ])('G3: is not used up where it %s', async (_what, changes, proof) => {
    const { prepare, taken } = world(changes)
    const prepared = await prepare.prepare(call(proof))
    expect(prepared.proof === undefined || prepared.proof.refused).toBe(true)
    expect(taken).toEqual([])
  })

  it('G3: while the store is away nobody can tell, and that is not a yes', async () => {
    const { prepare } = world({ first: 'away' })
    const { proof } = await prepare.prepare(call(proofFor(`https://api.example${path}`)))
    expect(proof).toMatchObject({ code: 'store.unavailable', retryAfterSeconds: 1 })
  })
})

describe('a proof of a caller over its rate', () => {
  const asks = (jti: string): Call => call(proofFor(`https://api.example${path}`, { jti }))

  it('G7: is not used up, and its call is refused as any other over the rate, at no cost to its address', async () => {
    const { prepare, taken, gate } = world({
      burst: 2,
      holder: { caller: { ...caller, scopes: new Set(['tasks:read']) } },
    })
    const codes = []
    for (const jti of ['1', '2', '3', '4']) {
      const decision = decide(await prepare.prepare(asks(jti)), gate)
      codes.push(decision.refused ? decision.refusal.code : 'allow')
      expect(decision.caller).toMatchObject({ id: 'svc', credential: { kind: 'dpop_access_token', id: 'j' } })
    }
    expect(codes).toEqual(['allow', 'allow', 'rate.limited', 'rate.limited'])
    expect(taken).toEqual([`${jkt}.1`, `${jkt}.2`])
    expect(gate.failures.left('127.0.0.1', 0)).toBe(100)
    const { proof } = await prepare.prepare(asks('5'))
    expect(proof).toMatchObject({ code: 'rate.limited', retryAfterSeconds: 1, limit: { policy: 'key', left: 0 } })
    expect(isRefusal(proof) && proof.reason).toBe('key bucket empty')
  })

  it('G7: is not let in by a bucket that is full again', async () => {
    const { prepare, gate } = world({ burst: 1, holder: { caller: { ...caller, scopes: new Set(['tasks:read']) } } })
    decide(await prepare.prepare(asks('1')), gate)
    const late = await prepare.prepare(asks('2'))
    const decision = decide(late, { ...gate, calls: new Gcra({ perSecond: 1, burst: 1 }) })
    expect(decision).toMatchObject({ refused: true, refusal: { code: 'rate.limited' } })
  })
})

describe('what a proof must be for', () => {
  const arrived = {
    method: 'POST',
    url: `${path}?a=b`,
    encrypted: false,
    localAddress: '::ffff:127.0.0.1',
    localPort: 8080,
  }

  it('G3: is where the connection came in, without the query', () => {
    expect(requestTarget(undefined, () => arrived)).toBeUndefined()
    expect(requestTarget(['x'], () => arrived)).toEqual({ method: 'POST', path, listener: 'http://127.0.0.1:8080' })
    expect(
      requestTarget(['x'], () => ({ ...arrived, encrypted: true, localAddress: '::1', localPort: 443 }))?.listener,
    ).toBe('https://[::1]')
    expect(requestTarget(['x'], () => ({ ...arrived, localAddress: undefined }))?.listener).toBe(
      'http://unknown.invalid',
    )
  })
})
