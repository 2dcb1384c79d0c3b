import { describe, expect, it } from 'vitest'
import { HubService, IdentityService, methodOf } from '@portcullis/contract'
import { refusals, refuse, Secret, sha256, type Caller, type Refusal } from '#core'
import type { Call } from '../call.ts'
import { decide } from '../chain.ts'
import { Gcra } from '../gcra.ts'
import type { GatePorts } from '../ports.ts'

const text = 'the token of a test'
const wide = { perSecond: 1000, burst: 1000 }
const caller: Caller = {
  kind: 'service',
  id: 'legacy',
  tenant: { id: 'ten_1', name: 'main' },
  scopes: new Set(['telemetry:write']),
  credential: { kind: 'legacy_token', id: 'legacy' },
}

function portsWith(refusal: Refusal | undefined, more: Partial<GatePorts> = {}) {
  const asked: string[] = []
  const kill = {
    refusalOf: () => undefined,
    refusal: (call: Pick<Call, 'method'>, who: Caller) => {
      asked.push(`${who.id} ${call.method.path}`)
      return refusal
    },
  }
  const ports: GatePorts = {
    clock: { now: () => 1_800_000_000_000, monotonic: () => 0 },
    keys: { find: () => undefined, fresh: () => true, used: () => undefined },
    legacy: { digest: sha256(text), caller: () => caller },
    kill,
    failures: new Gcra(wide),
    addresses: new Gcra(wide),
    calls: new Gcra(wide),
    ...more,
  }
  return { ports, asked }
}

const callOf = (method = methodOf(HubService.method.startRun), sent = text): Call => ({
  method,
  credentials: [{ kind: 'api_key', text: new Secret(sent) }],
  remote: '192.0.2.1',
  requestId: 'req_1',
  tenantId: undefined,
})

const codeOf = (call: Call, ports: GatePorts): string => {
  const decision = decide(call, ports)
  return decision.refused ? decision.refusal.code : 'allow'
}

describe('the kill switch', () => {
  it.each([
    ['kill.engaged', 403],
    ['kill.stale', 503],
  ] as const)('G14: %s refuses with %i, and the ledger knows whom', (code, status) => {
    const { ports, asked } = portsWith(refuse(code, 'by a test'))
    expect(decide(callOf(), ports)).toMatchObject({ refused: true, refusal: { code }, caller: { id: 'legacy' } })
    expect(refusals[code].http).toBe(status)
    expect(asked).toEqual(['legacy /portcullis.v1.HubService/StartRun'])
  })

  it('G14: nothing is refused while nothing is engaged', () => {
    expect(codeOf(callOf(), portsWith(undefined).ports)).toBe('allow')
  })

  it('G2, G14: is looked at after credential and rate, and before the scope', () => {
    const engaged = refuse('kill.engaged', 'by a test')
    expect(codeOf(callOf(undefined, 'nonsense'), portsWith(engaged).ports)).toBe('auth.credential_invalid')
    const empty = new Gcra({ perSecond: 1, burst: 1 })
    empty.take('legacy', 0)
    const limited = portsWith(engaged, { calls: empty })
    expect([codeOf(callOf(), limited.ports), limited.asked]).toEqual(['rate.limited', []])
    expect(codeOf(callOf(methodOf(IdentityService.method.listAgents)), portsWith(engaged).ports)).toBe('kill.engaged')
    expect(codeOf(callOf(methodOf(IdentityService.method.listAgents)), portsWith(undefined).ports)).toBe(
      'auth.scope_missing',
    )
  })

  it('G14: is not asked about callers that nobody knows, and does not close public reads', () => {
    const { ports, asked } = portsWith(refuse('kill.engaged', 'by a test'))
    expect(codeOf({ ...callOf(methodOf(HubService.method.getHealth)), credentials: [] }, ports)).toBe('allow')
    expect(codeOf({ ...callOf(), credentials: [] }, ports)).toBe('auth.credential_missing')
    expect(asked).toEqual([])
  })
})
