import { describe, expect, it } from 'vitest'
import { emptyRoot, Frontier, leafHash, nodeHash, rootOf } from './tree.ts'

const leaves = Array.from({ length: 301 }, (_, i) => leafHash(Buffer.from(`leaf ${i}`)))

/** The definition of RFC 6962 2.1, by recursion. */
function naiveRoot(part: readonly Buffer[]): Buffer {
  const [only] = part
  if (only === undefined) return emptyRoot
  if (part.length === 1) return only
  let k = 1
  while (k * 2 < part.length) k *= 2
  return nodeHash(naiveRoot(part.slice(0, k)), naiveRoot(part.slice(k)))
}

describe('tree', () => {
  it('L1: hashes the empty tree and the empty leaf as RFC 6962 says', () => {
    expect(emptyRoot.toString('hex')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
    expect(leafHash(Buffer.alloc(0)).toString('hex')).toBe(
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    )
  })

  it('L1: has the root of the recursive definition at every size from 0 to 300', () => {
    const frontier = new Frontier()
    for (let size = 0; size <= 300; size++) {
      const naive = naiveRoot(leaves.slice(0, size))
      expect(frontier.root()).toEqual(naive)
      expect(rootOf(leaves.slice(0, size))).toEqual(naive)
      frontier.push(leaves[size] ?? emptyRoot)
    }
  })

  it('L1: goes on from its stored bytes at every size', () => {
    const whole = new Frontier()
    for (const leaf of leaves) {
      const resumed = Frontier.fromBytes(whole.size, whole.toBytes())
      whole.push(leaf)
      resumed.push(leaf)
      expect(resumed.toBytes()).toEqual(whole.toBytes())
      expect(resumed.size).toBe(whole.size)
    }
  })

  it('L1: refuses stored bytes that do not belong to the size', () => {
    expect(() => Frontier.fromBytes(3, Buffer.alloc(32))).toThrow('same head')
    expect(() => Frontier.fromBytes(-1, Buffer.alloc(0))).toThrow('same head')
    expect(() => Frontier.fromBytes(0, Buffer.alloc(32))).toThrow('same head')
    expect(Frontier.fromBytes(2 ** 52, Buffer.alloc(32)).size).toBe(2 ** 52)
  })
})
