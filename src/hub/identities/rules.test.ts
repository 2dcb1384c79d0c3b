import { describe, expect, it } from 'vitest'
import type { Caller } from '#core'
import { grantableBy, grantRefusal } from './rules.ts'

const services = new Set(['tickets:read', 'tickets:write'])

function maker(kind: Caller['kind'], scopes: readonly string[], clientId?: string): Caller {
  const credential = { kind: 'api_key', id: 'key_1' } as const
  return { kind, id: 'maker', tenant: { id: 'ten_1', name: 'main' }, scopes: new Set(scopes), credential, clientId }
}

const codeOf = (wanted: readonly string[], by: Caller): string => grantRefusal(wanted, by, services)?.code ?? 'granted'

describe('what a key can grant', () => {
  it('G22: actions of registered services: an operator grants them all, anybody else what it holds', () => {
    expect(codeOf(['tickets:write'], maker('operator', []))).toBe('granted')
    expect(codeOf(['tickets:read'], maker('agent', ['tickets:read']))).toBe('granted')
    expect(codeOf(['tickets:write'], maker('agent', ['tickets:read']))).toBe('identity.scope_exceeds')
    expect(codeOf(['tickets:write'], maker('service', ['tickets:read']))).toBe('identity.scope_exceeds')
  })

  it('A5: an app that acts for an operator gives only what it holds; the command line is that operator', () => {
    expect(codeOf(['tickets:write'], maker('operator', ['identity:write'], 'app_1'))).toBe('identity.scope_exceeds')
    expect(codeOf(['tickets:write'], maker('operator', ['tickets:write'], 'app_1'))).toBe('granted')
    expect(codeOf(['tickets:write'], maker('operator', ['identity:write'], 'portcullis-cli'))).toBe('granted')
    expect(codeOf(['tickets:write'], maker('service', ['identity:write'], 'portcullis-cli'))).toBe(
      'identity.scope_exceeds',
    )
    expect([...grantableBy(maker('operator', ['ops:read'], 'app_1'), services)]).toEqual(['ops:read'])
  })

  it('G22: no action of a service that is not registered', () => {
    expect(codeOf(['tickets:burn'], maker('operator', ['tickets:burn']))).toBe('input.invalid')
    expect(codeOf(['mail:send'], maker('operator', []))).toBe('input.invalid')
  })

  it('G6: our own scopes only where the maker holds them, also an operator', () => {
    expect(codeOf(['telemetry:write'], maker('operator', ['telemetry:write']))).toBe('granted')
    expect(codeOf(['telemetry:write', 'tickets:read'], maker('operator', []))).toBe('identity.scope_exceeds')
    expect(codeOf([], maker('operator', []))).toBe('input.invalid')
  })
})
