import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HubService, IdentityService, methodOf, methods, type Method } from '@portcullis/contract'
import { loadConfig, type Config } from '#config'
import { scopes as allScopes, Secret, type Tenant } from '#core'
import { decide, Gcra, locate, type Call, type Decision, type GatePorts } from '#gate'
import { legacyPort } from '../legacy-token.ts'
import { AnonymousFallback, BypassNetworks } from './bypass.ts'

const dayMs = 86_400_000
const nowMs = Date.UTC(2026, 10, 21, 12)
const tenant: Tenant = { id: 'ten_1', name: 'main' }
const tenants = { tenant: (name: string) => (name === 'main' ? tenant : undefined) }
const wide = { perSecond: 1_000_000, burst: 1_000_000 }
const legacyText = 'an-old-token-that-many-share'

function configOf(authority: object, legacy: object = {}): Config | undefined {
  const text = JSON.stringify({ database: { url: 'postgres://a:b@127.0.0.1/c' }, authority, legacyToken: legacy })
  const loaded = loadConfig({ text, env: {}, mode: 'serve', clock: { now: () => nowMs, monotonic: () => 0 } })
  return loaded.ok ? loaded.config : undefined
}

function portsOf({ authority, legacyToken }: Config, atMs = nowMs): GatePorts {
  const { enabled, token, tenant: name, scopes } = legacyToken
  return {
    clock: { now: () => atMs, monotonic: () => 0 },
    keys: { find: () => undefined, fresh: () => true, used: () => undefined },
    legacy: enabled && token && name ? legacyPort({ token, tenant: name, scopes }, tenants) : undefined,
    bypass: new BypassNetworks(authority, tenants),
    anonymous: new AnonymousFallback(authority, tenants),
    failures: new Gcra(wide),
    addresses: new Gcra(wide),
    calls: new Gcra(wide),
  }
}

function callOf(method: Method, more: Partial<Call> = {}): Call {
  return { method, credentials: [], remote: '10.1.2.3', requestId: 'req_1', tenantId: undefined, ...more }
}

function decided(call: Call, ports: GatePorts): Decision & { readonly bypass: boolean; readonly code: string } {
  const located = locate(call, ports)
  const decision = decide(located, ports)
  const code = decision.refused ? decision.refusal.code : 'allow'
  return { ...decision, bypass: located.bypass !== undefined, code }
}

const network = (more: object = {}): object => ({
  cidr: '10.1.0.0/16',
  reason: 'old printers',
  owner: 'ops',
  expires: '2026-11-21',
  tenant: 'main',
  scopes: ['telemetry:write', 'admin:read'],
  ...more,
})

function portsWith(...networks: readonly object[]): (atMs?: number) => GatePorts {
  const config = configOf({ bypassNetworks: networks })
  if (config === undefined) throw new Error('settings of a test')
  return (atMs) => portsOf(config, atMs)
}

const startRun = methodOf(HubService.method.startRun)

describe('a bypass network', () => {
  it('G12: lets in who has no credential, as a service of its tenant with its scopes', () => {
    const ports = portsWith(network())()
    expect(decided(callOf(startRun), ports)).toMatchObject({
      code: 'allow',
      bypass: true,
      caller: {
        kind: 'service',
        id: 'bypass',
        tenant,
        scopes: new Set(['telemetry:write', 'admin:read', 'tasks:read', 'telemetry:read']),
        credential: { kind: 'bypass', id: '10.1.0.0/16' },
      },
    })
    expect(decided(callOf(methodOf(HubService.method.createTask)), ports)).toMatchObject({
      code: 'auth.scope_missing',
      bypass: true,
      caller: { id: 'bypass' },
    })
    expect(decided(callOf(startRun, { remote: '10.2.0.1' }), ports)).toMatchObject({
      code: 'auth.credential_missing',
      bypass: false,
    })
    expect(decided(callOf(startRun, { remote: 'unknown' }), ports).code).toBe('auth.credential_missing')
  })

  it('G12: a credential in the headers decides, and the call is still told from others', () => {
    const ports = portsWith(network())()
    const wrong = { credentials: [{ kind: 'api_key' as const, text: new Secret('nonsense') }] }
    expect(decided(callOf(startRun, wrong), ports)).toMatchObject({ code: 'auth.credential_invalid', bypass: true })
    const query = { credentials: [{ kind: 'query' as const, text: new Secret('') }] }
    expect(decided(callOf(startRun, query), ports).code).toBe('auth.credential_ambiguous')
    const certificate = { certificate: { thumbprint: 'x', subject: 'CN=x' } }
    expect(decided(callOf(startRun, certificate), ports).code).toBe('auth.credential_invalid')
  })

  it('G12: never reaches a write of high risk', () => {
    const decision = decided(callOf(methodOf(IdentityService.method.createKey)), portsWith(network())())
    expect(decision).toMatchObject({ code: 'auth.credential_missing', bypass: true, caller: undefined })
  })

  it('G12: ends with its last day, in UTC, while the server runs', () => {
    const ports = portsWith(network())
    const midnight = Date.UTC(2026, 10, 22)
    expect(decided(callOf(startRun), ports(midnight - 1)).code).toBe('allow')
    expect(decided(callOf(startRun), ports(midnight))).toMatchObject({ code: 'auth.credential_missing', bypass: false })
  })

  it('G12: of several the narrowest that has not ended counts', () => {
    const ports = portsWith(
      network({ cidr: '10.0.0.0/8', expires: '2026-12-31' }),
      network({ cidr: '10.1.2.0/24', scopes: [] }),
    )
    expect(decided(callOf(startRun), ports()).caller?.credential.id).toBe('10.1.2.0/24')
    expect(decided(callOf(startRun), ports(nowMs + dayMs)).caller?.credential.id).toBe('10.0.0.0/8')
  })

  it('G11, G12: belongs to its tenant; another one, or one that is gone, is refused', () => {
    const ports = portsWith(network())()
    const of = (tenantId: string): string => decided(callOf(startRun, { tenantId }), ports).code
    expect([of('main'), of('ten_1'), of('other')]).toEqual(['allow', 'allow', 'tenant.mismatch'])
    expect(decided(callOf(startRun), portsWith(network({ tenant: 'gone' }))())).toMatchObject({
      code: 'auth.credential_missing',
      bypass: true,
    })
  })

  it('G12: changes while the server runs, also for addresses that were seen', () => {
    const config = configOf({ bypassNetworks: [network()] })
    const none = configOf({})
    if (config === undefined || none === undefined) throw new Error('settings of a test')
    const bypass = new BypassNetworks(config.authority, tenants)
    expect(bypass.match('10.1.2.3', nowMs)?.cidr).toBe('10.1.0.0/16')
    bypass.configure(none.authority)
    expect(bypass.match('10.1.2.3', nowMs)).toBeUndefined()
  })

  it('G12: public reads need nothing, as before, and say where they came from', () => {
    const call = callOf(methodOf(HubService.method.getHealth))
    expect(decided(call, portsWith(network())())).toMatchObject({ code: 'allow', caller: undefined, bypass: true })
  })
})

describe('the anonymous fallback', () => {
  const ports = (more: object = {}, allowAnonymousFallback = true, atMs = nowMs): GatePorts => {
    const anonymous = { tenant: 'main', scopes: ['telemetry:write'], expires: '2026-11-21', ...more }
    const config = configOf({ allowAnonymousFallback, anonymous })
    if (config === undefined) throw new Error('settings of a test')
    return portsOf(config, atMs)
  }

  it('G13: lets in who has no credential, as nobody in particular', () => {
    expect(decided(callOf(startRun), ports())).toMatchObject({
      code: 'allow',
      bypass: false,
      caller: { kind: 'service', id: 'anonymous', credential: { kind: 'anonymous', id: 'anonymous' } },
    })
    expect(decided(callOf(startRun, { tenantId: 'other' }), ports()).code).toBe('tenant.mismatch')
  })

  it('G13: not while it is off, nor after its last day, nor for a tenant that is gone, nor for writes of high risk', () => {
    const refused = [
      decided(callOf(startRun), ports({}, false)),
      decided(callOf(startRun), ports({}, true, nowMs + dayMs)),
      decided(callOf(startRun), ports({ tenant: 'gone' })),
      decided(callOf(methodOf(IdentityService.method.disableAgent)), ports()),
    ]
    expect(refused.map(({ code, caller }) => [code, caller])).toEqual(
      Array.from({ length: 4 }, () => ['auth.credential_missing', undefined]),
    )
  })

  it('G13: is no answer to a credential that is wrong', () => {
    const wrong = { credentials: [{ kind: 'api_key' as const, text: new Secret('nonsense') }] }
    expect(decided(callOf(startRun, wrong), ports()).code).toBe('auth.credential_invalid')
  })

  it('G12, G13: a network goes before it', () => {
    const config = configOf({
      allowAnonymousFallback: true,
      anonymous: { tenant: 'main', scopes: [] },
      bypassNetworks: [network()],
    })
    if (config === undefined) throw new Error('settings of a test')
    const of = (remote: string) => decided(callOf(startRun, { remote }), portsOf(config)).caller?.id
    expect([of('10.1.2.3'), of('192.0.2.1')]).toEqual(['bypass', 'anonymous'])
  })
})

describe('whatever the settings', () => {
  const forbidden = /^(?:identity:|policy:|tenants:|kill:release$)/
  const bounded = [...allScopes.keys()].filter((each) => !forbidden.test(each))
  // Most are settings that can be loaded: the others admit nobody.
  const often = <T>(usual: readonly T[], rare: readonly T[]): fc.Arbitrary<T> =>
    fc.oneof({ weight: 19, arbitrary: fc.constantFrom(...usual) }, { weight: 1, arbitrary: fc.constantFrom(...rare) })
  const scope = often(bounded, ['kill:release', 'identity:*', 'identity:write', 'tenants:write', 'policy:write', '*'])
  const some = fc.array(scope, { maxLength: 4 })
  const cidr = often(['10.1.0.0/16', '10.1.2.3/32', '10.0.0.0/8', '0.0.0.0/1', '2001:db8::/32'], ['0.0.0.0/0', '::/0'])
  const day = often(['2026-11-21', '2027-01-31'], ['2026-11-20'])
  const authority = fc.record({
    bypassNetworks: fc.uniqueArray(fc.record({ cidr, expires: day, scopes: some }), {
      maxLength: 3,
      selector: (each) => each.cidr,
    }),
    allowAnonymousFallback: fc.boolean(),
    anonymous: fc.record({ tenant: fc.constant('main'), scopes: some, expires: day }, { requiredKeys: ['tenant'] }),
  })
  const legacy = fc.record({ enabled: fc.boolean(), tenant: fc.constant('main'), scopes: some })
  const remote = fc.constantFrom('10.1.2.3', '10.9.9.9', '192.0.2.1', '2001:db8::1', 'unknown')

  it('G8, G12, G13, T2: nobody without a credential of their own does a write of high risk, or holds a forbidden scope', () => {
    let admitted = 0
    fc.assert(
      fc.property(authority, legacy, remote, fc.boolean(), ({ bypassNetworks, ...rest }, old, from, withToken) => {
        const config = configOf({ ...rest, bypassNetworks: bypassNetworks.map(network) }, { ...old, token: legacyText })
        if (config === undefined) return
        const ports = portsOf(config)
        const credentials = withToken ? [{ kind: 'api_key' as const, text: new Secret(legacyText) }] : []
        for (const method of methods.values()) {
          const { refused, caller, code } = decided(callOf(method, { credentials, remote: from }), ports)
          expect([...(caller?.scopes ?? [])].filter((held) => forbidden.test(held))).toEqual([])
          if (refused || caller === undefined) continue
          admitted += 1
          expect([method.access, method.risk, method.path, code]).not.toEqual(['write', 'high', method.path, 'allow'])
        }
      }),
      { numRuns: 400 },
    )
    expect(admitted).toBeGreaterThan(100)
  })
})
