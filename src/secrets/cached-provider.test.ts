import { beforeEach, describe, expect, it } from 'vitest'
import { CachedProvider } from './cached-provider.ts'
import { KeysUnavailable } from './errors.ts'
import type { SecretPlace } from './place.ts'
import type { KeyProvider, Wrapped } from './provider.ts'

const home: SecretPlace = { tenant: 't1', table: 'secrets', column: 'envelope', row: 'r1' }
const dataKey = Buffer.alloc(32, 7)
const wrapped: Wrapped = { keyId: 'k', bytes: Buffer.from('w') }

let [nowMs, asked] = [0, 0]
let answer: 'key' | 'away' | 'refused' = 'key'
beforeEach(() => {
  ;[nowMs, asked, answer] = [0, 0, 'key']
})

const provider: KeyProvider = {
  kind: 'vault',
  wrap: () => Promise.resolve(wrapped),
  unwrap: () => {
    asked += 1
    if (answer === 'away') return Promise.reject(new KeysUnavailable('away'))
    return Promise.resolve(answer === 'key' ? dataKey : undefined)
  },
  newest: () => Promise.resolve('k'),
  knows: () => Promise.resolve(true),
  prove: () => Promise.resolve(),
}
const cached = (entriesMax = 10): CachedProvider =>
  new CachedProvider(provider, { freshMs: 300, outageMs: 10_000, monotonic: () => nowMs, entriesMax })

describe('the cache of data keys', () => {
  it('S1: asks once, and again when what it knows is old', async () => {
    const cache = cached()
    for (const at of [0, 100, 299]) {
      nowMs = at
      expect(await cache.unwrap(wrapped, home)).toEqual(dataKey)
    }
    expect(asked).toBe(1)
    nowMs = 300
    await cache.unwrap(wrapped, home)
    expect(asked).toBe(2)
  })

  it('S1: an outage is bridged for what is known, for a while, and the provider is left alone meanwhile', async () => {
    const cache = cached()
    await cache.unwrap(wrapped, home)
    answer = 'away'
    for (const at of [300, 1000, 2299]) {
      nowMs = at
      expect(await cache.unwrap(wrapped, home)).toEqual(dataKey)
      await expect(cache.unwrap({ ...wrapped, keyId: 'other' }, home)).rejects.toThrow(KeysUnavailable)
    }
    expect(asked).toBe(2)
    nowMs = 9_999
    expect(await cache.unwrap(wrapped, home)).toEqual(dataKey)
    nowMs = 10_000
    await expect(cache.unwrap(wrapped, home)).rejects.toThrow(KeysUnavailable)
    answer = 'key'
    nowMs += 2000
    expect(await cache.unwrap(wrapped, home)).toEqual(dataKey)
  })

  it('S1: a refusal is no outage: the key is forgotten', async () => {
    const cache = cached()
    await cache.unwrap(wrapped, home)
    answer = 'refused'
    nowMs = 300
    expect(await cache.unwrap(wrapped, home)).toBeUndefined()
    answer = 'away'
    await expect(cache.unwrap(wrapped, home)).rejects.toThrow(KeysUnavailable)
  })

  it('S1: what is known for one place is not known for another', async () => {
    const cache = cached()
    await cache.wrap(dataKey, home)
    expect(await cache.unwrap(wrapped, home)).toEqual(dataKey)
    expect(asked).toBe(0)
    answer = 'refused'
    expect(await cache.unwrap(wrapped, { ...home, row: 'r2' })).toBeUndefined()
    expect(await cache.unwrap({ ...wrapped, bytes: Buffer.from('x') }, home)).toBeUndefined()
    expect(asked).toBe(2)
  })

  it('S1: the oldest are forgotten first', async () => {
    const cache = cached(2)
    for (const row of ['1', '2', '3']) await cache.unwrap(wrapped, { ...home, row })
    for (const row of ['3', '2', '1']) await cache.unwrap(wrapped, { ...home, row })
    expect(asked).toBe(4)
  })
})
