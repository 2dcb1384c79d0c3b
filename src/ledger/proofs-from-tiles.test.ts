import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { consistencyProof, inclusionProof, verifyConsistency, verifyInclusion } from './proofs.ts'
import { TiledTree, type TileSource } from './proofs-from-tiles.ts'
import { encodeBundle, formatTilePath, parseTilePath, widthIn } from './tiles.ts'
import { leafHash, rootOf } from './tree.ts'

const leaves = Array.from({ length: 70_000 }, (_, index) => leafHash(Buffer.from(`entry ${index}`)))
const levels: Buffer[][] = [leaves]
for (let below = leaves; below.length >= 256;) {
  const above: Buffer[] = []
  for (let at = 0; at + 256 <= below.length; at += 256) above.push(rootOf(below.slice(at, at + 256)))
  levels.push(above)
  below = above
}

/** Tiles as a log of that size serves them. */
function tilesOf(reads: string[] = []): TileSource {
  return (level, index, width) => {
    reads.push(`${level}/${index}`)
    return Promise.resolve(Buffer.concat((levels[level] ?? []).slice(index * 256, index * 256 + width)))
  }
}

describe('proofs from tiles', () => {
  it.each([1, 2, 3, 255, 256, 257, 511, 512, 513, 1000, 65_535, 65_536, 65_537, 70_000])(
    'L11: the root of %i leaves is that of the whole tree',
    async (size) => {
      expect(await new TiledTree(size, tilesOf()).root()).toEqual(rootOf(leaves.slice(0, size)))
    },
  )

  it('T2: proofs are those of the whole tree, at any size and index', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1200 }), fc.nat(), fc.nat(), async (size, a, b) => {
        const tree = new TiledTree(size, tilesOf())
        const some = leaves.slice(0, size)
        expect(await tree.inclusion(a % size)).toEqual(inclusionProof(some, a % size))
        expect(await tree.consistency(1 + (b % size))).toEqual(consistencyProof(some, 1 + (b % size)))
      }),
      { numRuns: 150 },
    )
  })

  it('L11: proofs of a large tree verify, and read at most two tiles of each level', async () => {
    for (const [size, index, size1] of [
      [70_000, 69_999, 65_536],
      [70_000, 12_345, 65_537],
      [65_536, 0, 1],
      [69_888, 300, 40_000],
    ] as const) {
      const reads: string[] = []
      const tree = new TiledTree(size, tilesOf(reads))
      const root = rootOf(leaves.slice(0, size))
      const leaf = leaves[index] ?? Buffer.alloc(0)
      const proof = await tree.inclusion(index)
      expect(verifyInclusion({ leafIndex: index, treeSize: size, leafHash: leaf, proof, root })).toBe(true)
      expect(reads.length).toBeLessThanOrEqual(6)
      const root1 = rootOf(leaves.slice(0, size1))
      const consistency = await tree.consistency(size1)
      expect(verifyConsistency({ size1, size2: size, root1, root2: root, proof: consistency })).toBe(true)
      expect(reads.length).toBeLessThanOrEqual(9)
      expect(await tree.leaf(index)).toEqual(leaf)
    }
  })

  it('L11: a tile that is too short or too long is a fault and no proof', async () => {
    const tree = new TiledTree(300, (level, index, width) => tilesOf()(level, index, width - 1))
    await expect(tree.root()).rejects.toThrow('restore the tables')
    expect(() => tree.inclusion(300)).toThrow('smaller index')
    expect(() => tree.consistency(0)).toThrow('begin at 1')
    expect(() => new TiledTree(0, tilesOf())).toThrow('no tiles')
  })
})

describe('tile paths', () => {
  it.each([
    ['0/000', { level: 0, index: 0, width: 256 }],
    ['0/x001/x234/067', { level: 0, index: 1_234_067, width: 256 }],
    ['1/x001/000.p/255', { level: 1, index: 1000, width: 255 }],
    ['entries/005.p/1', { level: 'entries', index: 5, width: 1 }],
    ['63/999', { level: 63, index: 999, width: 256 }],
  ] as const)('T3: %s is read and written as C2SP tlog-tiles has it', (path, name) => {
    expect(parseTilePath(path)).toEqual(name)
    expect(formatTilePath(name)).toBe(path)
  })

  it.each([
    '',
    '0',
    '0/0',
    '0/00',
    '0/0000',
    '00/000',
    '64/000',
    '-1/000',
    '0/x000/001',
    '0/001/x002',
    '0/x001/2',
    '0/000.p/0',
    '0/000.p/256',
    '0/000.p/01',
    '0/000.p',
    '0/000/.p/1',
    'entries/../000',
    'Entries/000',
    '0/000 ',
    '0/x999/x999/x999/x999/x999/999',
  ])('T3: "%s" names no tile', (path) => {
    expect(parseTilePath(path)).toBeUndefined()
  })

  it('T3: widths are those of the example of C2SP tlog-tiles for 70,000 entries', () => {
    const widths = [
      [0, 272],
      [0, 273],
      [0, 274],
      [1, 0],
      [1, 1],
      [2, 0],
      [3, 0],
    ] as const
    expect(widths.map(([level, index]) => widthIn(70_000, level, index))).toEqual([256, 112, 0, 256, 17, 1, 0])
  })

  it('T3: a bundle holds each entry behind its length', () => {
    expect(encodeBundle([Buffer.from('ab'), Buffer.alloc(300, 1)]).subarray(0, 7)).toEqual(
      Buffer.from([0, 2, 0x61, 0x62, 1, 44, 1]),
    )
  })
})
