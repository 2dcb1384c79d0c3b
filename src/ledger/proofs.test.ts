import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { consistencyProof, inclusionProof, verifyConsistency, verifyInclusion } from './proofs.ts'
import { leafHash, rootOf } from './tree.ts'

interface InclusionVector {
  leafIdx: number
  treeSize: number
  root: string | null
  leafHash: string | null
  proof: string[] | null
  wantErr: boolean
}
interface ConsistencyVector {
  size1: number
  size2: number
  root1: string | null
  root2: string | null
  proof: string[] | null
  wantErr: boolean
}

const vectors = join(import.meta.dirname, '../../../shared/vectors/rfc6962/testdata')
const vectorsAbsent = !existsSync(vectors)
const names = (kind: string): string[] => (vectorsAbsent ? [] : globSync(`${kind}/**/*.json`, { cwd: vectors }))
const read = (name: string): string => readFileSync(join(vectors, name), 'utf8')
const bytes = (base64: string | null): Buffer => Buffer.from(base64 ?? '', 'base64')

describe('proofs', () => {
  const inclusion = names('inclusion')
  const consistency = names('consistency')

  it.skipIf(vectorsAbsent)('T3: has 98 + 98 vectors of RFC 6962 (skipped where ../shared/vectors is absent)', () => {
    expect([inclusion.length, consistency.length]).toEqual([98, 98])
  })

  it.each(inclusion)('T3: agrees with the RFC 6962 vector %s', (name) => {
    const vector: InclusionVector = JSON.parse(read(name))
    const ok = verifyInclusion({
      leafIndex: vector.leafIdx,
      treeSize: vector.treeSize,
      leafHash: bytes(vector.leafHash),
      proof: (vector.proof ?? []).map(bytes),
      root: bytes(vector.root),
    })
    expect(ok).toBe(!vector.wantErr)
  })

  it.each(consistency)('T3: agrees with the RFC 6962 vector %s', (name) => {
    const vector: ConsistencyVector = JSON.parse(read(name))
    const ok = verifyConsistency({
      size1: vector.size1,
      size2: vector.size2,
      root1: bytes(vector.root1),
      root2: bytes(vector.root2),
      proof: (vector.proof ?? []).map(bytes),
    })
    expect(ok).toBe(!vector.wantErr)
  })

  it('L11: verifies every inclusion proof it makes, and for no other leaf', () => {
    const leaves = Array.from({ length: 33 }, (_, i) => leafHash(Buffer.of(i)))
    for (let treeSize = 1; treeSize <= leaves.length; treeSize++) {
      const tree = leaves.slice(0, treeSize)
      const root = rootOf(tree)
      for (const [leafIndex, hash] of tree.entries()) {
        const proof = inclusionProof(tree, leafIndex)
        expect(verifyInclusion({ leafIndex, treeSize, leafHash: hash, proof, root })).toBe(true)
        expect(verifyInclusion({ leafIndex, treeSize, leafHash: leafHash(Buffer.of(99)), proof, root })).toBe(false)
      }
    }
  })

  it('L11: verifies every consistency proof it makes, and no altered one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 70 }), fc.nat(), fc.nat(), (size2, pick, flip) => {
        const leaves = Array.from({ length: size2 }, (_, i) => leafHash(Buffer.of(i)))
        const size1 = 1 + (pick % size2)
        const proof = consistencyProof(leaves, size1)
        const claim = { size1, size2, root1: rootOf(leaves.slice(0, size1)), root2: rootOf(leaves), proof }
        expect(verifyConsistency(claim)).toBe(true)
        const altered = proof.map((hash) => Buffer.from(hash))
        const victim = altered[flip % Math.max(altered.length, 1)]
        if (victim === undefined) return
        victim.writeUInt8(victim.readUInt8(flip % 32) ^ 1, flip % 32)
        expect(verifyConsistency({ ...claim, proof: altered })).toBe(false)
      }),
    )
  })

  it('L11: refuses to prove what is not there', () => {
    const leaves = [leafHash(Buffer.of(1))]
    expect(() => inclusionProof(leaves, 1)).toThrow('smaller index')
    expect(() => consistencyProof(leaves, 0)).toThrow('begin at 1')
    expect(() => consistencyProof(leaves, 2)).toThrow('begin at 1')
  })
})
