import { digestsEqual } from '#core'
import { isCount, nodeHash, rootOf } from './tree.ts'

/** The audit path of a leaf, from the leaf up (RFC 6962 2.1.1). Reads every leaf: meant for tests and small logs. */
export function inclusionProof(leaves: readonly Uint8Array[], leafIndex: number): Buffer[] {
  if (!isCount(leafIndex) || leafIndex >= leaves.length) {
    throw new RangeError(`leaf ${leafIndex} is not in a tree of ${leaves.length}: ask for a smaller index`)
  }
  if (leaves.length === 1) return []
  const k = split(leaves.length)
  return leafIndex < k
    ? [...inclusionProof(leaves.slice(0, k), leafIndex), rootOf(leaves.slice(k))]
    : [...inclusionProof(leaves.slice(k), leafIndex - k), rootOf(leaves.slice(0, k))]
}

/** The proof that the first `size1` leaves are a prefix of all of them (RFC 6962 2.1.2). */
export function consistencyProof(leaves: readonly Uint8Array[], size1: number): Buffer[] {
  if (!isCount(size1) || size1 === 0 || size1 > leaves.length) {
    throw new RangeError(`no consistency proof from ${size1} to ${leaves.length}: sizes begin at 1 and grow`)
  }
  return subproof(leaves, size1, true)
}

export interface InclusionClaim {
  readonly leafIndex: number
  readonly treeSize: number
  readonly leafHash: Uint8Array
  readonly proof: readonly Uint8Array[]
  readonly root: Uint8Array
}

/** RFC 9162 2.1.3.2. */
export function verifyInclusion(claim: InclusionClaim): boolean {
  const { leafIndex, treeSize, proof } = claim
  if (!isCount(leafIndex) || !isCount(treeSize) || leafIndex >= treeSize) return false
  if (!areHashes([claim.leafHash, claim.root, ...proof])) return false
  let fn = leafIndex
  let sn = treeSize - 1
  let node: Uint8Array = claim.leafHash
  for (const sibling of proof) {
    if (sn === 0) return false
    if (fn % 2 === 1 || fn === sn) {
      node = nodeHash(sibling, node)
      while (fn % 2 === 0 && fn !== 0) {
        fn = half(fn)
        sn = half(sn)
      }
    } else {
      node = nodeHash(node, sibling)
    }
    fn = half(fn)
    sn = half(sn)
  }
  return sn === 0 && digestsEqual(node, claim.root)
}

export interface ConsistencyClaim {
  readonly size1: number
  readonly size2: number
  readonly root1: Uint8Array
  readonly root2: Uint8Array
  readonly proof: readonly Uint8Array[]
}

/** RFC 9162 2.1.4.2, in the strict reading: an empty first tree proves nothing and is refused. */
export function verifyConsistency(claim: ConsistencyClaim): boolean {
  const { size1, size2, root1, root2, proof } = claim
  if (!isCount(size1) || !isCount(size2) || size1 === 0 || size1 > size2) return false
  if (size1 === size2) return proof.length === 0 && digestsEqual(root1, root2)
  if (!areHashes([root1, root2, ...proof])) return false
  let fn = size1 - 1
  let sn = size2 - 1
  while (fn % 2 === 1) {
    fn = half(fn)
    sn = half(sn)
  }
  // fn is 0 exactly where size1 is a power of two: then the first tree itself is the start of the path.
  const path = fn === 0 ? [root1, ...proof] : proof
  const [start, ...rest] = path
  if (start === undefined || proof.length === 0) return false
  let first = start
  let second = start
  for (const node of rest) {
    if (sn === 0) return false
    if (fn % 2 === 1 || fn === sn) {
      first = nodeHash(node, first)
      second = nodeHash(node, second)
      while (fn % 2 === 0 && fn !== 0) {
        fn = half(fn)
        sn = half(sn)
      }
    } else {
      second = nodeHash(second, node)
    }
    fn = half(fn)
    sn = half(sn)
  }
  return sn === 0 && digestsEqual(first, root1) && digestsEqual(second, root2)
}

function subproof(leaves: readonly Uint8Array[], size1: number, whole: boolean): Buffer[] {
  if (size1 === leaves.length) return whole ? [] : [rootOf(leaves)]
  const k = split(leaves.length)
  return size1 <= k
    ? [...subproof(leaves.slice(0, k), size1, whole), rootOf(leaves.slice(k))]
    : [...subproof(leaves.slice(k), size1 - k, false), rootOf(leaves.slice(0, k))]
}

/** The largest power of two smaller than n. */
function split(n: number): number {
  let k = 1
  while (k * 2 < n) k *= 2
  return k
}

function half(value: number): number {
  return Math.floor(value / 2)
}

function areHashes(values: readonly Uint8Array[]): boolean {
  return values.every((value) => value.length === 32)
}
