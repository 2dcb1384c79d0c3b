import { describe, expect, it } from 'vitest'
import type { Caller } from '#core'
import { rateSubject } from './rate-subject.ts'

const caller: Caller = {
  kind: 'service',
  id: 'svc',
  tenant: { id: 'ten_1', name: 'main' },
  scopes: new Set(),
  credential: { kind: 'access_token', id: 'j' },
}

describe('whose bucket it is', () => {
  const of = (tenantId: string, more: Partial<Caller> = {}): string =>
    rateSubject({ ...caller, ...more, tenant: { id: tenantId, name: tenantId } })

  it('G7: of the token of a service: that of the service in the tenant', () => {
    const service = (id: string) => ({ id: 'service', credential: { kind: 'service_token', id } }) as const
    expect(of('ten_1', service('HubService'))).not.toBe(of('ten_2', service('HubService')))
    expect(of('ten_1', service('HubService'))).not.toBe(of('ten_1', service('OpsService')))
    expect(of('ten_1', service('HubService'))).toBe(of('ten_1', service('HubService')))
  })

  it('G7: of a key its own, and of all tokens of a client for the same person one', () => {
    expect(of('ten_1', { credential: { kind: 'api_key', id: 'key_1' } })).toBe('key_1')
    const token = (id: string) => ({ clientId: 'app_1', credential: { kind: 'access_token', id } }) as const
    expect(of('ten_1', token('a'))).toBe(of('ten_1', token('b')))
    expect(of('ten_1', token('a'))).not.toBe(of('ten_1', { ...token('a'), clientId: 'app_2' }))
  })
})
