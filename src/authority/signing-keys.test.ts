import { describe, expect, it } from 'vitest'
import { KeyRings, type TokenKey } from './signing-keys.ts'

function key(kid: string, activatesAtMs: number, retiresAtMs?: number): TokenKey {
  return {
    kid,
    algorithm: 'ES256',
    publicJwk: { kid },
    privateJwk: { kid },
    createdAtMs: 0,
    activatesAtMs,
    retiresAtMs,
  }
}

const kids = (rings: KeyRings, nowMs: number) => rings.at(nowMs)?.published.map(({ kid }) => kid)

describe('the keys of tokens', () => {
  it('A2: there is none before one is known', () => {
    expect(new KeyRings().at(0)).toBeUndefined()
  })

  it('A2: the next key is published, then signs, and the last one goes when its tokens are over', () => {
    const rings = new KeyRings()
    rings.set([key('a', 0, 300), key('b', 100)])
    expect(kids(rings, 50)).toEqual(['a', 'b'])
    expect(rings.at(50)?.current.kid).toBe('a')
    expect(rings.at(100)?.current.kid).toBe('b')
    expect(kids(rings, 299)).toEqual(['b', 'a'])
    expect(kids(rings, 300)).toEqual(['b'])
  })

  it('A2: is the same object as long as nothing has changed, and another one after that', () => {
    const rings = new KeyRings()
    rings.set([key('a', 0)])
    const first = rings.at(10)
    expect(rings.at(20)).toBe(first)
    rings.set([key('a', 0, 500), key('b', 100)])
    const second = rings.at(30)
    expect(second).not.toBe(first)
    expect(rings.at(99)).toBe(second)
    expect(rings.at(100)).not.toBe(second)
  })

  it('A2: a key that is not active yet signs nothing, also where it is the only one', () => {
    const rings = new KeyRings()
    rings.set([key('a', 100)])
    expect(rings.at(99)).toBeUndefined()
    expect(rings.at(100)?.current.kid).toBe('a')
  })
})
