import { expect, it } from 'vitest'
import { refusals, refuse, type RefusalCode } from '#core'
import { challenges } from './challenge.ts'

const metadata = 'https://auth.example/.well-known/oauth-protected-resource'
const of = (code: RefusalCode, detail = ''): readonly string[] =>
  challenges(refuse(code, 'private', { detail }), metadata)

it('A3: a call without a credential is told the schemes and where to ask, and of no error', () => {
  expect(of('auth.credential_missing')).toEqual([
    `Bearer realm="portcullis", resource_metadata="${metadata}"`,
    `DPoP realm="portcullis", algs="ES256 RS256 PS256", resource_metadata="${metadata}"`,
  ])
})

it.each<readonly [RefusalCode, RegExp]>([
  ['auth.credential_invalid', /^Bearer .*error="invalid_token"/],
  ['auth.credential_ambiguous', /^Bearer .*error="invalid_request"/],
  ['auth.proof_invalid', /^DPoP .*error="invalid_dpop_proof"/],
])('A3: %s is said in the error code of its standard', (code, form) => {
  const found = of(code)
  expect(found).toHaveLength(2)
  expect(found.filter((each) => form.test(each))).toHaveLength(1)
  expect(found.filter((each) => each.includes(' error='))).toHaveLength(1)
})

it('A3: a scope that is missing is named, and all that are, once', () => {
  expect(of('auth.scope_missing', 'jobs:read tasks:read')).toEqual([
    expect.stringContaining('error="insufficient_scope"'),
  ])
  expect(of('auth.scope_missing', 'jobs:read tasks:read')[0]).toContain(', scope="jobs:read tasks:read",')
  expect(of('auth.scope_missing', 'a"b\r\nx: y')[0]).not.toContain('scope="')
})

it('A3: every 401 has challenges, and nothing else but a missing scope', () => {
  for (const code of Object.keys(refusals) as RefusalCode[]) {
    const expected = refusals[code].http === 401 || code === 'auth.scope_missing'
    expect(of(code).length > 0, code).toBe(expected)
    for (const each of of(code)) expect(each).toMatch(/^(?:Bearer|DPoP) realm="portcullis"(?:, [a-z_]+="[^"\\]*")*$/)
  }
})
