import { describe, expect, it } from 'vitest'
import { loadConfig, type LoadResult } from './index.ts'

function load(oauth: object): LoadResult {
  const text = JSON.stringify({ database: { url: 'postgres://portcullis_app@127.0.0.1/portcullis' }, oauth })
  return loadConfig({ text, env: {}, mode: 'serve' })
}

describe('how long what the authorization server gives is good', () => {
  it('A6: a code lives for a minute at most, and an access token for an hour', () => {
    const usual = load({})
    expect(usual.ok && [usual.config.oauth.codeTtl, usual.config.oauth.accessTokenTtl]).toEqual(['60s', '1h'])
    for (const [name, text] of [
      ['codeTtl', '61s'],
      ['codeTtl', '0s'],
      ['accessTokenTtl', '61m'],
      ['accessTokenTtl', '59s'],
    ] as const) {
      const result = load({ [name]: text })
      expect(!result.ok && result.problems.map(({ path }) => path), `${name} ${text}`).toEqual([`oauth.${name}`])
    }
    expect(load({ codeTtl: '1s', accessTokenTtl: '1m' }).ok).toBe(true)
  })

  it('A7: a family of refresh tokens has an end that no setting takes away', () => {
    for (const ttl of ['366d', '59m', '0s', 'never', '']) expect(load({ refresh: { ttl } }).ok, ttl).toBe(false)
    expect(load({ refresh: { ttl: '30d' } }).ok).toBe(true)
  })
})
