import { describe, expect, it } from 'vitest'
import { methods } from '@portcullis/contract'
import { closeScopes, keyPartOf, makeKey, refuse, Secret, sha256, uuidv7, type VerifiedToken } from '#core'
import type { Call } from './call.ts'
import { decide } from './chain.ts'
import { Gcra } from './gcra.ts'
import type { CertificateRecord, GatePorts } from './ports.ts'

const nowMs = 1_800_000_000_000
const tenant = { id: 'ten_1', name: 'main' }
const mine = { thumbprint: 'mine', subject: 'CN=agent-1' }
const strange = { thumbprint: 'strange', subject: 'CN=agent-1' }
const scopes = new Set(['telemetry:write'])

const bound: CertificateRecord = {
  id: 'crt_1',
  agentId: 'agt_1',
  tenant,
  scopes,
  expiresAtMs: nowMs + 1,
  revokedAtMs: undefined,
  agentDisabled: false,
  tenantDisabled: false,
}

function portsOf(
  changes: Partial<CertificateRecord> = {},
  fresh = true,
  elsewhere: readonly CertificateRecord[] = [],
): GatePorts {
  const bucket = (): Gcra => new Gcra({ perSecond: 1000, burst: 1000 })
  const record = { ...bound, ...changes }
  return {
    clock: { now: () => nowMs, monotonic: () => 0 },
    keys: { find: (part) => keys.get(part)?.record, fresh: () => fresh, used: () => undefined },
    certificates: { find: (thumbprint) => (thumbprint === mine.thumbprint ? [record, ...elsewhere] : []) },
    tokens: {
      callerOf: ({ subject }) => ({
        caller: { kind: 'agent', id: subject, tenant, scopes, credential: { kind: 'access_token', id: '' } },
      }),
    },
    failures: bucket(),
    addresses: bucket(),
    calls: bucket(),
  }
}

const keys = new Map([keyOf('agt_1'), keyOf('agt_2'), keyOf('opr_1')])

function keyOf(id: string) {
  const uuid = uuidv7()
  const { text, secret } = makeKey(uuid)
  const record = {
    id: `key_${uuid}`,
    digest: sha256(secret),
    owner: { kind: id.startsWith('opr') ? ('operator' as const) : ('agent' as const), id },
    tenant,
    scopes,
    expiresAtMs: undefined,
    revokedAtMs: undefined,
    ownerDisabled: false,
    tenantDisabled: false,
    allowedCidrs: [],
    rate: undefined,
  }
  return [keyPartOf(uuid), { record, text }] as const
}

const write = methods.get('/portcullis.v1.HubService/StartRun') ?? expect.fail('no such method')

function callOf(more: Partial<Call>): Call {
  return { method: write, credentials: [], remote: '192.0.2.1', requestId: 'req_1', tenantId: undefined, ...more }
}

function keyCall(id: string, certificate: Call['certificate']): Call {
  const { text } = [...keys.values()].find(({ record }) => record.owner.id === id) ?? expect.fail('no such key')
  return callOf({ credentials: [{ kind: 'api_key', text }], certificate })
}

function codeOf(call: Call, ports = portsOf()): string {
  const decision = decide(call, ports)
  return decision.refused ? decision.refusal.code : 'allow'
}

describe('a certificate by itself', () => {
  it('G17: is a credential of the agent that it is bound to, with the scopes of the binding', () => {
    expect(decide(callOf({ certificate: mine }), portsOf())).toMatchObject({
      refused: false,
      caller: { kind: 'agent', id: 'agt_1', tenant, credential: { kind: 'client_certificate', id: 'crt_1' } },
    })
    expect(codeOf(callOf({ certificate: mine }), portsOf({ scopes: closeScopes(new Set(['ledger:read'])) }))).toBe(
      'auth.scope_missing',
    )
    expect(codeOf(callOf({ certificate: mine, tenantId: 'ten_2' }))).toBe('tenant.mismatch')
  })

  it.each([
    ['revoked', { revokedAtMs: nowMs + 60_000 }],
    ['expired in this moment', { expiresAtMs: nowMs }],
    ['of a disabled agent', { agentDisabled: true }],
    ['in a disabled tenant', { tenantDisabled: true }],
  ] satisfies [string, Partial<CertificateRecord>][])(
    'G17: one that is %s opens nothing, and its agent is known',
    (_, changes) => {
      expect(decide(callOf({ certificate: mine }), portsOf(changes))).toMatchObject({
        refused: true,
        refusal: { code: 'auth.credential_invalid' },
        caller: { id: 'agt_1' },
      })
    },
  )

  it('G17: one that is bound to nobody, whatever its subject says, opens nothing', () => {
    expect(codeOf(callOf({ certificate: strange }))).toBe('auth.credential_invalid')
    expect(codeOf(callOf({}))).toBe('auth.credential_missing')
  })

  it('G20: stale state knows no certificate', () => {
    expect(codeOf(callOf({ certificate: mine }), portsOf({}, false))).toBe('store.unavailable')
  })
})

describe('a certificate that two tenants have bound', () => {
  const others = { ...bound, id: 'crt_2', agentId: 'agt_9', tenant: { id: 'ten_2', name: 'other' } }
  const two = (mineToo: Partial<CertificateRecord> = {}, theirs: Partial<CertificateRecord> = {}): GatePorts =>
    portsOf(mineToo, true, [{ ...others, ...theirs }])

  it('G17: by itself is for the one that the call names, and for none where it names none', () => {
    expect(codeOf(callOf({ certificate: mine }), two())).toBe('tenant.missing')
    for (const tenantId of ['ten_1', 'main'])
      expect(decide(callOf({ certificate: mine, tenantId }), two())).toMatchObject({ caller: { id: 'agt_1' } })
    for (const tenantId of ['ten_2', 'other'])
      expect(decide(callOf({ certificate: mine, tenantId }), two())).toMatchObject({ caller: { id: 'agt_9' } })
    expect(codeOf(callOf({ certificate: mine, tenantId: 'ten_3' }), two())).toBe('tenant.mismatch')
  })

  it.each([
    ['revoked', { revokedAtMs: nowMs }],
    ['over', { expiresAtMs: nowMs }],
    ['in a disabled tenant', { tenantDisabled: true }],
  ] satisfies [string, Partial<CertificateRecord>][])('G17: a binding that is %s is in nobody’s way', (_, changes) => {
    expect(decide(callOf({ certificate: mine }), two({}, changes))).toMatchObject({ caller: { id: 'agt_1' } })
    expect(codeOf(callOf({ certificate: mine, tenantId: 'other' }), two({}, changes))).toBe('auth.credential_invalid')
    expect(decide(callOf({ certificate: mine }), two(changes, changes))).toMatchObject({
      refusal: { code: 'auth.credential_invalid' },
      caller: undefined,
    })
  })

  it('G17: what another tenant has bound is nothing beside a key or a token', () => {
    expect(codeOf(keyCall('agt_1', mine), two())).toBe('allow')
    expect(codeOf(keyCall('agt_2', mine), two())).toBe('auth.credential_ambiguous')
    expect(codeOf(keyCall('agt_2', mine), two({ revokedAtMs: nowMs }))).toBe('allow')
    const alone = portsOf({ ...others })
    expect(codeOf(keyCall('agt_1', mine), alone)).toBe('allow')
    expect(codeOf(keyCall('opr_1', mine), alone)).toBe('allow')
  })
})

describe('a key on a connection with a certificate', () => {
  it('G17: is let in where the certificate is of the same agent, or of none', () => {
    expect(decide(keyCall('agt_1', mine), portsOf())).toMatchObject({ caller: { credential: { kind: 'api_key' } } })
    expect(codeOf(keyCall('agt_2', strange))).toBe('allow')
    expect(codeOf(keyCall('agt_2', mine), portsOf({ revokedAtMs: nowMs }))).toBe('allow')
  })

  it.each(['agt_2', 'opr_1'])('G17: of %s is ambiguous beside the certificate of another agent', (id) => {
    expect(codeOf(keyCall(id, mine))).toBe('auth.credential_ambiguous')
    // Also where that agent is disabled: who calls is still not clear.
    expect(codeOf(keyCall(id, mine), portsOf({ agentDisabled: true }))).toBe('auth.credential_ambiguous')
  })

  it('G17: a wrong key is not mended by the certificate', () => {
    const credentials = [{ kind: 'api_key' as const, text: new Secret('pc_nonsense') }]
    expect(codeOf(callOf({ credentials, certificate: mine }))).toBe('auth.credential_invalid')
  })
})

describe('a token that is bound to a certificate', () => {
  const token = (more: Partial<VerifiedToken> = {}): VerifiedToken => ({
    issuer: 'own',
    id: 'tok_1',
    subject: 'agt_1',
    clientId: 'app_1',
    scopes,
    expiresAtMs: nowMs + 1,
    issuedAtMs: nowMs,
    certificate: mine.thumbprint,
    ...more,
  })
  const credentials = [{ kind: 'access_token' as const, text: new Secret('a.b.c') }]
  const call = (more: Partial<Call>): Call => callOf({ credentials, token: token(), ...more })

  it('G17: counts on a connection with that very certificate', () => {
    expect(decide(call({ certificate: mine }), portsOf())).toMatchObject({
      refused: false,
      caller: { id: 'agt_1', credential: { kind: 'certificate_bound_access_token', id: 'tok_1' } },
    })
  })

  it('G17: counts nowhere else: not beside another certificate, and not without one', () => {
    expect(codeOf(call({ certificate: strange }))).toBe('auth.proof_invalid')
    expect(codeOf(call({ certificate: undefined }))).toBe('auth.proof_invalid')
    // The subject is a name, and names can be made.
    expect(codeOf(call({ certificate: { ...strange, subject: mine.subject } }))).toBe('auth.proof_invalid')
  })

  it('G17: of another caller is ambiguous beside the certificate of an agent', () => {
    expect(codeOf(call({ certificate: mine, token: token({ subject: 'agt_2' }) }))).toBe('auth.credential_ambiguous')
  })

  it('G17: one that is not bound is let in beside a certificate of the same agent', () => {
    expect(codeOf(call({ certificate: mine, token: token({ certificate: undefined }) }))).toBe('allow')
  })

  it('G17: a token that was refused stays refused', () => {
    const refusal = refuse('auth.credential_invalid', 'signature')
    expect(codeOf(call({ certificate: mine, token: refusal }))).toBe('auth.credential_invalid')
  })
})
