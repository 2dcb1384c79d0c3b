import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { methods } from '@portcullis/contract'
import { closeScopes, platformAdminScopes, scopes, tenantAdminScopes } from './scopes.ts'

const names = [...scopes.keys()]

describe('scopes', () => {
  it('G6: every scope that the contract demands can be granted', () => {
    const demanded = new Set([...methods.values()].map(({ scope }) => scope).filter((scope) => scope !== ''))
    expect([...demanded].filter((scope) => !scopes.has(scope))).toEqual([])
  })

  it('G6: a scope includes only scopes that exist', () => {
    for (const [, included] of scopes) for (const scope of included) expect(names).toContain(scope)
  })

  it('G6: what a scope includes is included whole: closing twice adds nothing', () => {
    fc.assert(
      fc.property(fc.subarray(names), (held) => {
        const once = closeScopes(new Set(held))
        expect([...closeScopes(new Set(once))].toSorted()).toEqual([...once].toSorted())
        for (const scope of held) expect(once.has(scope)).toBe(true)
      }),
    )
  })

  it('G6: closing adds no scope that none of the held ones includes', () => {
    fc.assert(
      fc.property(fc.subarray(names), (held) => {
        const reachable = new Set(held.flatMap((scope) => [scope, ...(scopes.get(scope) ?? [])]))
        expect(closeScopes(new Set(held))).toEqual(reachable)
      }),
    )
  })

  it('G11: the first admin of a tenant has no power over tenants, that of the platform has', () => {
    expect(tenantAdminScopes).not.toContain('tenants:write')
    expect([...closeScopes(new Set(tenantAdminScopes))]).not.toContain('tenants:write')
    expect(platformAdminScopes).toEqual(names)
  })
})
