import { describe, expect, it } from 'vitest'
import { HubService, methodOf, methods, type Method } from '@portcullis/contract'
import { closeScopes, guardedServices, Secret, sha256, type Caller, type RefusalCode, type Tenant } from '#core'
import type { Call } from './call.ts'
import { decide } from './chain.ts'
import { Gcra } from './gcra.ts'
import type { GatePorts, ServiceGuard } from './ports.ts'
import { judgeToken, readActor, type TokenResult } from './service-token.ts'

const token = 'the-token-of-the-hub'
const next = 'the-next-token-of-the-hub'
const legacyText = 'an.old.token-with-two-dots'
const tenant: Tenant = { id: 'ten_1', name: 'main' }
const wide = { perSecond: 1000, burst: 1000 }
const secrets = (...texts: readonly string[]): readonly Secret[] => texts.map((text) => new Secret(text))

const known: Caller = {
  kind: 'service',
  id: 'legacy',
  tenant,
  scopes: new Set(['telemetry:write']),
  credential: { kind: 'legacy_token', id: 'legacy' },
}

interface Seen {
  readonly caller: string | undefined
  readonly result: TokenResult
}

function portsWith(mode: ServiceGuard['mode'], tokens: readonly string[], more: Partial<GatePorts> = {}) {
  const seen: Seen[] = []
  const guard: ServiceGuard = {
    service: 'HubService',
    mode,
    digests: tokens.map((text) => sha256(text)),
    scopes: closeScopes(new Set(['telemetry:write'])),
  }
  const ports: GatePorts = {
    clock: { now: () => 1_800_000_000_000, monotonic: () => 0 },
    keys: { find: () => undefined, fresh: () => true, used: () => undefined },
    legacy: { digest: sha256(legacyText), caller: () => known },
    guards: {
      of: ({ path }) => (path.includes('.HubService/') ? guard : undefined),
      tenant: (name) => (name === 'main' || name === 'ten_1' ? tenant : undefined),
      saw: (_guard, caller, result) => void seen.push({ caller: caller?.id, result }),
    },
    failures: new Gcra(wide),
    addresses: new Gcra(wide),
    calls: new Gcra(wide),
    ...more,
  }
  return { ports, seen }
}

const startRun = methodOf(HubService.method.startRun)

function callOf(serviceTokens: readonly string[], more: Partial<Call> = {}, method: Method = startRun): Call {
  return {
    method,
    credentials: [{ kind: 'api_key', text: new Secret(legacyText) }],
    serviceTokens: serviceTokens.length === 0 ? undefined : secrets(...serviceTokens),
    remote: '192.0.2.1',
    requestId: 'req_1',
    tenantId: undefined,
    ...more,
  }
}

function codeOf(call: Call, ports: GatePorts): RefusalCode | 'allow' {
  const decision = decide(call, ports)
  return decision.refused ? decision.refusal.code : 'allow'
}

describe('what a call brought as service token', () => {
  const both = [sha256(token), sha256(next)]

  it.each<[string, readonly string[], readonly Uint8Array[], TokenResult]>([
    ['none', [], both, 'none'],
    ['the token', [token], both, 'right'],
    ['the next token', [next], both, 'right'],
    ['the next token before there is one', [next], both.slice(0, 1), 'wrong'],
    ['another case', [token.toUpperCase()], both, 'wrong'],
    ['one character more', [`${token}x`], both, 'wrong'],
    ['the token twice', [token, token], both, 'wrong'],
    ['both tokens', [token, next], both, 'wrong'],
    ['the token twice in one value', [`${token}, ${token}`], both, 'wrong'],
    ['an empty value', [''], both, 'wrong'],
    ['none, where there is no token', [], [], 'absent'],
    ['one, where there is no token', [token], [], 'present'],
    ['an empty value, where there is no token', [''], [], 'present'],
  ])('G9: %s', (_name, sent, digests, result) => {
    expect(judgeToken(secrets(...sent), digests)).toBe(result)
  })

  it('G9: guards are for services of the contract, and for all of them', () => {
    const services = new Set([...methods.keys()].map((path) => path.split('/')[1]?.replace('portcullis.v1.', '')))
    expect(services).toEqual(new Set(guardedServices))
  })
})

describe('the guard of a service', () => {
  it('G9: off asks and counts nothing', () => {
    const { ports, seen } = portsWith('off', [token])
    expect([codeOf(callOf([]), ports), codeOf(callOf(['wrong']), ports)]).toEqual(['allow', 'allow'])
    expect(codeOf(callOf([token], { credentials: [], tenantId: 'main' }), ports)).toBe('auth.credential_missing')
    expect(decide(callOf([token], { actorId: 'ada' }), ports)).toMatchObject({ actor: undefined })
    expect(seen).toEqual([])
  })

  it('G9: allow never refuses, and counts none, wrong and right by caller', () => {
    const { ports, seen } = portsWith('allow', [token])
    const codes = [[], ['wrong'], [token], [token, token]].map((sent) => codeOf(callOf(sent), ports))
    expect(codes).toEqual(['allow', 'allow', 'allow', 'allow'])
    codeOf(callOf(['wrong'], { credentials: [] }), ports)
    expect(seen).toEqual([
      { caller: 'legacy', result: 'none' },
      { caller: 'legacy', result: 'wrong' },
      { caller: 'legacy', result: 'right' },
      { caller: 'legacy', result: 'wrong' },
      { caller: undefined, result: 'wrong' },
    ])
  })

  it('G9: enforce lets nobody in without it, whoever they are', () => {
    const { ports, seen } = portsWith('enforce', [token, next])
    const codes = [[], ['wrong'], [token, token], [token], [next]].map((sent) => codeOf(callOf(sent), ports))
    const refused = 'auth.service_token_invalid'
    expect(codes).toEqual([refused, refused, refused, 'allow', 'allow'])
    expect(seen.map(({ caller }) => caller)).toEqual(Array.from({ length: 5 }, () => 'legacy'))
    const { refusal, caller } = decide(callOf([]), ports) as { refusal: { reason: string }; caller: Caller }
    expect([refusal.reason, caller.id]).toEqual(['service token of HubService missing', 'legacy'])
  })

  it('G9: enforce says what is wrong with the credential first, and never that there is none where the token is missing', () => {
    const { ports } = portsWith('enforce', [token])
    const invalid = [{ kind: 'api_key' as const, text: new Secret('nonsense') }]
    expect(codeOf(callOf([], { credentials: invalid }), ports)).toBe('auth.credential_invalid')
    expect(codeOf(callOf([], { credentials: [] }), ports)).toBe('auth.service_token_invalid')
  })

  it('G9: without a token there is nothing to enforce: it is as allow, and counts present and absent', () => {
    const { ports, seen } = portsWith('enforce', [])
    expect([codeOf(callOf([]), ports), codeOf(callOf(['some']), ports)]).toEqual(['allow', 'allow'])
    expect(seen.map(({ result }) => result)).toEqual(['absent', 'present'])
    expect(codeOf(callOf(['some'], { credentials: [], tenantId: 'main' }), ports)).toBe('auth.credential_missing')
  })

  it('G9: asks nothing of other services, and public reads need nothing', () => {
    const { ports, seen } = portsWith('enforce', [token])
    const method = methodOf(HubService.method.getHealth)
    expect(codeOf(callOf([], { credentials: [] }, method), ports)).toBe('allow')
    const other = [...methods.values()].find(({ path }) => path.endsWith('IdentityService/ListAgents')) ?? startRun
    expect(codeOf(callOf([], {}, other), ports)).toBe('auth.scope_missing')
    expect(seen).toEqual([])
  })

  it('G7, G9: who guesses at it is charged for each guess', () => {
    const { ports } = portsWith('enforce', [token], { failures: new Gcra({ perSecond: 1, burst: 2 }) })
    expect([1, 2, 3].map((guess) => codeOf(callOf([`guess ${guess}`]), ports))).toEqual([
      'auth.service_token_invalid',
      'auth.service_token_invalid',
      'rate.limited',
    ])
  })
})

describe('a caller with the service token alone', () => {
  const alone = (tenantId?: string): Call => callOf([token], { credentials: [], tenantId })

  it("G9: has a rate in each tenant: none of them uses up what is another's", () => {
    const { ports } = portsWith('allow', [token], { calls: new Gcra({ perSecond: 1, burst: 2 }) })
    const tenants = [tenant, { id: 'ten_2', name: 'other' }]
    const guards = ports.guards && {
      ...ports.guards,
      tenant: (name: string) => tenants.find((each) => each.name === name),
    }
    const codes = ['main', 'main', 'main', 'other'].map((name) => codeOf(alone(name), { ...ports, guards }))
    expect(codes).toEqual(['allow', 'allow', 'rate.limited', 'allow'])
  })

  it('G9, G11: is a service of the tenant that it names, with the scopes of the guard', () => {
    const { ports, seen } = portsWith('enforce', [token])
    expect(decide(alone('main'), ports).caller).toEqual({
      kind: 'service',
      id: 'service',
      tenant,
      scopes: new Set(['telemetry:write']),
      credential: { kind: 'service_token', id: 'HubService' },
    })
    expect(seen).toEqual([{ caller: 'service', result: 'right' }])
    expect(codeOf({ ...alone('main'), method: methodOf(HubService.method.createTask) }, ports)).toBe(
      'auth.scope_missing',
    )
  })

  it('G11: must name a tenant, and one that is there; nothing of that is a guess', () => {
    const { ports } = portsWith('allow', [token], { failures: new Gcra({ perSecond: 1, burst: 1 }) })
    expect([undefined, 'nowhere', '', 'main, main'].map((name) => codeOf(alone(name), ports))).toEqual([
      'tenant.missing',
      'tenant.mismatch',
      'tenant.mismatch',
      'tenant.mismatch',
    ])
    expect(codeOf(alone('ten_1'), ports)).toBe('allow')
  })

  it('G20: is refused while nobody knows which tenants are open', () => {
    const keys = { find: () => undefined, fresh: () => false, used: () => undefined }
    expect(codeOf(alone('main'), portsWith('allow', [token], { keys }).ports)).toBe('store.unavailable')
  })

  it('G9, G12, G13: whoever is let in without a credential stays who they are, unless they name a tenant', () => {
    const bypass = { cidr: '192.0.2.0/24', caller: () => ({ ...known, id: 'bypass' }) }
    const anonymous = { open: () => true, caller: () => ({ ...known, id: 'anonymous' }) }
    const { ports } = portsWith('enforce', [token])
    const idOf = (call: Call, more: Partial<GatePorts> = {}) => decide(call, { ...ports, ...more }).caller?.id
    expect([idOf({ ...alone(), bypass }), idOf({ ...alone('main'), bypass })]).toEqual(['bypass', 'service'])
    expect([idOf(alone(), { anonymous }), idOf(alone('main'), { anonymous })]).toEqual(['anonymous', 'service'])
    expect(codeOf({ ...alone(), bypass, serviceTokens: undefined }, ports)).toBe('auth.service_token_invalid')
  })

  it('G3: never makes a second credential of the token', () => {
    const { ports } = portsWith('enforce', [token])
    expect(decide(callOf([token], { tenantId: 'main' }), ports).caller?.id).toBe('legacy')
  })
})

describe('the acting person', () => {
  it('G10: is believed only where the service token was right', () => {
    const actorOf = (mode: ServiceGuard['mode'], sent: readonly string[]): string | undefined =>
      decide(callOf(sent, { actorId: 'ada' }), portsWith(mode, [token]).ports).actor
    expect([actorOf('enforce', [token]), actorOf('allow', [token])]).toEqual(['ada', 'ada'])
    expect([
      actorOf('enforce', ['wrong']),
      actorOf('allow', []),
      actorOf('allow', [token, token]),
      actorOf('off', [token]),
    ]).toEqual([undefined, undefined, undefined, undefined])
    expect(decide(callOf([token], { actorId: 'ada' }), portsWith('allow', []).ports).actor).toBeUndefined()
  })

  it('G10: is also known where the call is refused after it', () => {
    const call = callOf([token], { actorId: 'ada' }, methodOf(HubService.method.createTask))
    expect(decide(call, portsWith('allow', [token]).ports)).toMatchObject({ refused: true, actor: 'ada' })
  })

  it.each(['', ' ', 'two words', 'a, b', 'line\nbreak', 'naïve', 'x'.repeat(129), '\0'])(
    'G10: %j is nobody',
    (text) => {
      expect(readActor(text)).toBeUndefined()
    },
  )

  it.each(['ada', 'usr_7f', 'x'.repeat(128)])('G10: %s is somebody', (text) => {
    expect(readActor(text)).toBe(text)
  })
})

describe('an old token with two dots', () => {
  it('G8: is the legacy token and not a JWT, but for the scheme DPoP', () => {
    const { ports } = portsWith('off', [])
    const withToken = (text: string, dpop = false): Call =>
      callOf([], { credentials: [{ kind: 'access_token', text: new Secret(text), dpop }] })
    expect(codeOf(withToken(legacyText), ports)).toBe('allow')
    expect(codeOf(withToken(legacyText, true), ports)).toBe('auth.credential_invalid')
    expect(codeOf(withToken('an.other.token'), ports)).toBe('auth.credential_invalid')
    expect(codeOf(withToken(legacyText), { ...ports, legacy: undefined })).toBe('auth.credential_invalid')
  })
})
