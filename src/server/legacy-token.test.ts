import { describe, expect, it } from 'vitest'
import { AuthorizationService, HubService, methodOf, TenantService, type Method } from '@portcullis/contract'
import { isPlatform, Secret, type Tenant } from '#core'
import { decide, Gcra, type Call, type GatePorts } from '#gate'
import { legacyPort } from './legacy-token.ts'

const token = 'an-old-token-that-many-share'
const tenant: Tenant = { id: 'ten_1', name: 'main' }
const wide = { perSecond: 1000, burst: 1000 }

function portsWith(legacy: GatePorts['legacy'], calls = new Gcra(wide)): GatePorts {
  const keys = { find: () => undefined, fresh: () => true, used: () => undefined }
  const clock = { now: () => 1_800_000_000_000, monotonic: () => 0 }
  return { clock, keys, legacy, failures: new Gcra(wide), addresses: new Gcra(wide), calls }
}

function callOf(method: Method, text: string, tenantId?: string): Call {
  const credentials = [{ kind: 'api_key' as const, text: new Secret(text) }]
  return { method, credentials, remote: '192.0.2.1', requestId: 'req_1', tenantId }
}

const enabled = (scopes: readonly string[] = ['telemetry:write'], found: Tenant | undefined = tenant) =>
  legacyPort({ token: new Secret(token), tenant: 'main', scopes }, { tenant: () => found })
const startRun = methodOf(HubService.method.startRun)

function codeOf(call: Call, ports: GatePorts): string {
  const decision = decide(call, ports)
  return decision.refused ? decision.refusal.code : 'allow'
}

describe('the legacy token', () => {
  it('G8: is nothing but an unknown credential unless it is enabled', () => {
    expect(codeOf(callOf(startRun, token), portsWith(undefined))).toBe('auth.credential_invalid')
    expect(codeOf(callOf(startRun, token), portsWith(enabled()))).toBe('allow')
  })

  it.each([
    ['one character less', token.slice(0, -1)],
    ['one character more', `${token}x`],
    ['another last character', `${token.slice(0, -1)}x`],
    ['another case', token.toUpperCase()],
    ['a NUL behind it', `${token}\0`],
    ['a NUL in front of it', `\0${token}`],
    ['blanks around it', ` ${token} `],
    ['the token twice', `${token},${token}`],
    ['nothing', ''],
    ['a very long text', 'x'.repeat(100_000)],
    ['a lone surrogate', `${token}\ud800`],
  ])('G8: is not matched by %s', (_name, text) => {
    const decision = decide(callOf(startRun, text), portsWith(enabled()))
    expect(decision).toMatchObject({ refused: true, refusal: { code: 'auth.credential_invalid' }, caller: undefined })
  })

  it('G8: makes a service of the tenant and the scopes of the settings, recorded as legacy, and nothing more', () => {
    const decision = decide(callOf(startRun, token), portsWith(enabled()))
    expect(decision.caller).toEqual({
      kind: 'service',
      id: 'legacy',
      tenant,
      scopes: new Set(['telemetry:write']),
      credential: { kind: 'legacy_token', id: 'legacy' },
    })
    expect(decision.caller && isPlatform({ ...decision.caller, scopes: new Set(['tenants:write']) })).toBe(false)
    const others = [methodOf(TenantService.method.create), methodOf(AuthorizationService.method.check)]
    expect(others.map((method) => codeOf(callOf(method, token), portsWith(enabled())))).toEqual([
      'auth.scope_missing',
      'auth.scope_missing',
    ])
    expect(codeOf(callOf(startRun, token), portsWith(enabled([])))).toBe('auth.scope_missing')
  })

  it('G8: never has objects of its own, as an agent has', () => {
    const listRuns = methodOf(HubService.method.listRuns)
    expect(listRuns.ownObjects).toBe(true)
    expect(codeOf(callOf(listRuns, token), portsWith(enabled()))).toBe('auth.scope_missing')
  })

  it('G8: serves its own tenant only, and nobody where the tenant does not exist or is disabled', () => {
    const ports = portsWith(enabled())
    expect(['ten_1', 'main', undefined].map((named) => codeOf(callOf(startRun, token, named), ports))).toEqual([
      'allow',
      'allow',
      'allow',
    ])
    expect(codeOf(callOf(startRun, token, 'other'), ports)).toBe('tenant.mismatch')
    const nowhere = legacyPort({ token: new Secret(token), tenant: 'gone', scopes: [] }, { tenant: () => undefined })
    expect(codeOf(callOf(startRun, token), portsWith(nowhere))).toBe('auth.credential_invalid')
  })

  it('G8: all its callers share one bucket', () => {
    const ports = portsWith(enabled(), new Gcra({ perSecond: 1, burst: 2 }))
    expect([1, 2, 3].map(() => codeOf(callOf(startRun, token), ports))).toEqual(['allow', 'allow', 'rate.limited'])
  })
})
