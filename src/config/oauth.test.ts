import { describe, expect, it } from 'vitest'
import { loadConfig } from './load.ts'
import type { ConfigInput } from './schema.ts'

type Input = NonNullable<ConfigInput>
type OAuthInput = NonNullable<Input['oauth']>

function problemsOf(oauth: OAuthInput, more: Input = {}): readonly string[] {
  const overrides: Input = { database: { url: 'postgres://app:secret@127.0.0.1/portcullis' }, oauth, ...more }
  const loaded = loadConfig({ overrides, env: {}, mode: 'serve' })
  return loaded.ok ? [] : loaded.problems.map(({ path }) => path).filter((path) => path.startsWith('oauth'))
}

const withKey: Input = { secrets: { provider: 'vault' } }

describe('the settings of the authorization server', () => {
  it('A1: no issuer is no authorization server, and no problem', () => {
    expect(problemsOf({})).toEqual([])
  })

  it.each([
    'https://auth.example.com/',
    'https://auth.example.com/path',
    'https://auth.example.com?x',
    'auth.example.com',
    'HTTPS://auth.example.com',
  ])('A1: an issuer is an origin and nothing more: %s', (issuer) => {
    expect(problemsOf({ issuer }, withKey)).toEqual(['oauth.issuer'])
  })

  it('A1: an issuer without TLS is on loopback, and not in production', () => {
    expect(problemsOf({ issuer: 'http://127.0.0.1:8080' }, withKey)).toEqual([])
    expect(problemsOf({ issuer: 'http://auth.example.com' }, withKey)).toEqual(['oauth.issuer'])
    expect(problemsOf({ issuer: 'http://127.0.0.1:8080' }, { ...withKey, env: 'production' })).toEqual(['oauth.issuer'])
  })

  it('A2: the keys of tokens need a master key', () => {
    expect(problemsOf({ issuer: 'https://auth.example.com' })).toEqual(['oauth.issuer'])
    expect(problemsOf({ issuer: 'https://auth.example.com', enabled: false })).toEqual([])
  })

  it.each<[string, OAuthInput]>([
    ['oauth.accessTokenTtl', { accessTokenTtl: '61m' }],
    ['oauth.codeTtl', { codeTtl: '61s' }],
    ['oauth.refresh.ttl', { refresh: { ttl: '400d' } }],
    ['oauth.keys.rotateAfter', { keys: { rotateAfter: '1h' } }],
    ['oauth.keys.publishAhead', { keys: { publishAhead: '0s' } }],
    ['oauth.accessTokenTtl', { accessTokenTtl: 'soon' }],
  ])('A2, A6: %s has bounds', (path, oauth) => {
    expect(problemsOf(oauth)).toEqual([path])
  })
})
