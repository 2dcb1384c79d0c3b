import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { frontierOfProof } from './frontier-proof.ts'
import { consistencyProof } from './proofs.ts'
import { Frontier, leafHash, rootOf } from './tree.ts'

const leaves = Array.from({ length: 90 }, (_, at) => leafHash(Buffer.from(`leaf ${at}`)))
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

const sizes = fc
  .integer({ min: 1, max: 89 })
  .chain((from) => fc.tuple(fc.constant(from), fc.integer({ min: from + 1, max: 90 })))

describe('frontierOfProof', () => {
  it('L10: a consistency proof gives the frontier at its smaller size', () => {
    fc.assert(
      fc.property(sizes, ([from, to]) => {
        const frontier = new Frontier()
        for (const leaf of leaves.slice(0, from)) frontier.push(leaf)
        const proof = consistencyProof(leaves.slice(0, to), from).map(hex)
        const given = { from, to, fromRoot: hex(rootOf(leaves.slice(0, from))), proof }
        expect(frontierOfProof(given)).toBe(hex(frontier.toBytes()))
        // A power of two is its own root: there is nothing that it could differ from.
        if (Number.isInteger(Math.log2(from))) return
        expect(frontierOfProof({ ...given, fromRoot: hex(rootOf(leaves.slice(0, to))) })).toBe(undefined)
      }),
      { numRuns: 400 },
    )
  })

  it('T4: any hashes have a frontier that comes to the root, or none', () => {
    const hash = fc.constantFrom(...leaves.slice(0, 3).map(hex), '', 'zz')
    fc.assert(
      fc.property(fc.integer(), fc.integer(), hash, fc.array(hash, { maxLength: 8 }), (from, to, fromRoot, proof) => {
        const found = frontierOfProof({ from: from % 70, to: to % 70, fromRoot, proof })
        expect(found === undefined || found.length % 64 === 0).toBe(true)
      }),
      { numRuns: 500 },
    )
  })
})
