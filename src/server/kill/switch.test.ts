import { describe, expect, it } from 'vitest'
import { KillScopeKind } from '@portcullis/contract'
import type { Caller } from '#core'
import { KillSwitch } from './switch.ts'

const uuid = (n: number): string => `0199a3c2-7b1e-7d42-9c55-${String(n).padStart(12, '0')}`
const operator: Caller = {
  kind: 'operator',
  id: `opr_${uuid(1)}`,
  tenant: { id: `ten_${uuid(2)}`, name: 'stopped' },
  scopes: new Set(),
  credential: { kind: 'access_token', id: 'tok_1' },
}

describe('what who is stopped is told', () => {
  it.each([
    [KillScopeKind.EVERYTHING, null, '', `kil_${uuid(7)} everything`],
    [KillScopeKind.TENANT, uuid(2), uuid(2), `kil_${uuid(7)} tenant ${uuid(2)}: a secret plan`],
  ])('K1, G11: the reason of scope %i, which the ledger of its tenant has', (scope, tenantId, subject, reason) => {
    const kill = new KillSwitch({
      clock: { now: () => 5, monotonic: () => 5 },
      replicas: { see: () => Promise.resolve(), acks: () => Promise.reject(new Error('not asked')) },
      credentials: { fresh: () => true, refresh: () => Promise.resolve() },
      changed: () => undefined,
      failed: (error) => expect.fail(String(error)),
    })
    const row = { id: uuid(7), tenantId, scope, subject, reason: 'a secret plan', actor: 'opr_1', expiresAtMs: null }
    kill.cache.keep([{ epochNow: '1', released: false, engagedAtMs: 1, byPlatform: true, cancelled: false, ...row }])
    expect(kill.refusalForCaller(operator)).toMatchObject({ code: 'kill.engaged', reason })
  })
})
