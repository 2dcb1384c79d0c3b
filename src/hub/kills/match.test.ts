import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KillScopeKind, methods } from '@portcullis/contract'
import type { Caller } from '#core'
import { concerns, KillIndex, type KillInForce } from './match.ts'
import { watchedKill } from './messages.ts'

const uuid = (n: number): string => `0199a3c2-7b1e-7d42-9c55-${String(n).padStart(12, '0')}`
const nowMs = 1_800_000_000_000

const callers: fc.Arbitrary<Caller> = fc.record({
  kind: fc.constantFrom('agent', 'operator', 'service'),
  id: fc.constantFrom(`agt_${uuid(1)}`, `agt_${uuid(2)}`, `opr_${uuid(3)}`, 'legacy'),
  tenant: fc.constantFrom({ id: `ten_${uuid(8)}`, name: 'main' }, { id: `ten_${uuid(9)}`, name: 'other' }),
  scopes: fc.constant(new Set(['admin:read'])),
  credential: fc.record({
    kind: fc.constantFrom('api_key', 'signed_api_key', 'access_token', 'client_certificate', 'bypass'),
    id: fc.constantFrom(`key_${uuid(5)}`, `key_${uuid(6)}`),
  }),
})

/** A kill in whose scope that caller is, whatever it is. */
function killOf(caller: Caller, pick: number): KillInForce {
  const bare = (id: string): string => id.slice(id.indexOf('_') + 1)
  const tenantId = bare(caller.tenant.id)
  const scopes: Pick<KillInForce, 'scope' | 'tenantId' | 'subject'>[] = [
    { scope: KillScopeKind.EVERYTHING, tenantId: null, subject: '' },
    { scope: KillScopeKind.TENANT, tenantId, subject: tenantId },
  ]
  if (caller.kind === 'agent') scopes.push({ scope: KillScopeKind.AGENT, tenantId, subject: bare(caller.id) })
  if (caller.credential.kind.endsWith('api_key'))
    scopes.push({ scope: KillScopeKind.KEY, tenantId, subject: bare(caller.credential.id) })
  const scope = scopes[pick % scopes.length] ?? { scope: KillScopeKind.EVERYTHING, tenantId: null, subject: '' }
  return { ...scope, ...rest }
}

const rest = { id: uuid(7), reason: 'r', actor: 'a', byPlatform: false, engagedAtMs: nowMs, expiresAtMs: null }
const common: readonly number[] = [KillScopeKind.EVERYTHING, KillScopeKind.TENANT]
const method = [...methods.values()]

describe('what a kill switch stops', () => {
  it('T2, K1: nobody in scope is let through by any method that does not go on while killed', () => {
    fc.assert(
      fc.property(callers, fc.nat(3), fc.constantFrom(...method), fc.array(callers), (caller, pick, of, others) => {
        const kill = killOf(caller, pick)
        const index = new KillIndex([...others.map((other) => killOf(other, pick)), kill])
        const looks =
          common.includes(kill.scope) &&
          caller.kind === 'operator' &&
          of.access === 'private_read' &&
          !of.path.includes('AuthorizationService')
        const stopped = index.stops(of, caller, nowMs)
        if (of.whileKilled) expect(stopped).toBeUndefined()
        else if (!looks) expect(stopped).toBeDefined()
        expect(index.stopsCaller(caller, nowMs)).toBeDefined()
      }),
    )
  })

  it('T2, K1: nobody out of scope is stopped', () => {
    fc.assert(
      fc.property(callers, callers, fc.nat(3), fc.constantFrom(...method), (caller, other, pick, of) => {
        const kill = killOf(other, pick)
        const [mine, theirs] = [new KillIndex([killOf(caller, 1)]), new KillIndex([kill])]
        expect(mine.stopsCaller(caller, nowMs)).toBeDefined()
        const same = caller.tenant.id === other.tenant.id
        const own =
          kill.scope === KillScopeKind.EVERYTHING ||
          (same && kill.scope === KillScopeKind.TENANT) ||
          (same && kill.scope === KillScopeKind.AGENT && caller.kind === 'agent' && caller.id === other.id) ||
          (same &&
            kill.scope === KillScopeKind.KEY &&
            caller.credential.kind.endsWith('api_key') &&
            caller.credential.id === other.credential.id)
        if (!own) expect(theirs.stops(of, caller, nowMs)).toBeUndefined()
      }),
    )
  })

  it('K1: a kill that has expired stops nobody, and one of several that is left does', () => {
    const [caller] = fc.sample(callers, 1)
    if (caller === undefined) throw new Error('no caller')
    const over = { ...killOf(caller, 0), expiresAtMs: nowMs }
    expect(new KillIndex([over]).stopsCaller(caller, nowMs)).toBeUndefined()
    expect(new KillIndex([over, { ...over, expiresAtMs: nowMs + 1 }]).stopsCaller(caller, nowMs)).toBeDefined()
  })

  it('K1: models, tools and kinds of jobs are stopped by name, in their tenant', () => {
    const [caller] = fc.sample(callers, 1)
    if (caller === undefined) throw new Error('no caller')
    const tenantId = caller.tenant.id.slice('ten_'.length)
    const index = new KillIndex([
      { ...rest, scope: KillScopeKind.MODEL, tenantId, subject: 'm' },
      { ...rest, scope: KillScopeKind.TOOL, tenantId, subject: 't' },
      { ...rest, scope: KillScopeKind.JOB_KIND, tenantId: uuid(0), subject: 'j' },
    ])
    expect(index.stopsUse({ models: ['n', 'm'] }, caller, nowMs)).toBeDefined()
    expect(index.stopsUse({ models: ['t'], tool: 't' }, caller, nowMs)).toBeDefined()
    expect(index.stopsUse({ models: ['t'], tool: 'm', jobKind: 'j' }, caller, nowMs)).toBeUndefined()
    expect(index.stopsCaller(caller, nowMs)).toBeUndefined()
  })

  it('K3: an agent hears of what may stop itself, an operator of its tenant, the platform of all', () => {
    const agent: Caller = {
      kind: 'agent',
      id: `agt_${uuid(1)}`,
      tenant: { id: `ten_${uuid(8)}`, name: 'main' },
      scopes: new Set(),
      credential: { kind: 'api_key', id: `key_${uuid(5)}` },
    }
    const of = (scope: number, subject: string, tenantId: string | null = uuid(8)) => ({ scope, subject, tenantId })
    const heard = (kill: ReturnType<typeof of>): readonly boolean[] => [
      concerns(kill, agent, true, false),
      concerns(kill, agent, false, false),
      concerns(kill, agent, false, true),
    ]
    expect(heard(of(KillScopeKind.EVERYTHING, '', null))).toEqual([true, true, true])
    expect(heard(of(KillScopeKind.TENANT, uuid(8)))).toEqual([true, true, true])
    expect(heard(of(KillScopeKind.AGENT, uuid(1)))).toEqual([true, true, true])
    expect(heard(of(KillScopeKind.AGENT, uuid(2)))).toEqual([false, true, true])
    expect(heard(of(KillScopeKind.KEY, uuid(6)))).toEqual([false, true, true])
    expect(heard(of(KillScopeKind.MODEL, 'm'))).toEqual([true, true, true])
    expect(heard(of(KillScopeKind.TENANT, uuid(9), uuid(9)))).toEqual([false, false, true])
  })

  it('K1, G11: why everything is stopped, and by whom, the platform alone hears', () => {
    const told = (scope: number): readonly string[] => {
      const kill = { ...rest, scope, subject: '', tenantId: null }
      return [watchedKill(kill, true, false), watchedKill(kill, false, false), watchedKill(kill, false, true)].map(
        ({ reason, actor }) => reason + actor,
      )
    }
    expect(told(KillScopeKind.EVERYTHING)).toEqual(['', '', 'ra'])
    expect(told(KillScopeKind.MODEL)).toEqual(['', 'ra', 'ra'])
  })
})
