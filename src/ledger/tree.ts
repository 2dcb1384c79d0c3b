import { hash } from 'node:crypto'

/** RFC 6962 Merkle trees with SHA-256. Hashes are 32 bytes; sizes and indexes are counts within 2^53. */
export const emptyRoot: Buffer = hash('sha256', '', 'buffer')

export function leafHash(data: Uint8Array): Buffer {
  return hash('sha256', Buffer.concat([leafPrefix, data]), 'buffer')
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  return hash('sha256', Buffer.concat([nodePrefix, left, right]), 'buffer')
}

/** A growing tree as its compact range: one hash for each one bit of the size, so memory is bounded. */
export class Frontier {
  #size = 0
  readonly #hashes: Uint8Array[] = []

  /** Reads what toBytes wrote, and what audits.heads stores: the roots of the perfect subtrees, largest first. */
  static fromBytes(size: number, bytes: Uint8Array): Frontier {
    if (!isCount(size) || bytes.length !== 32 * oneBits(size)) {
      throw new RangeError(
        `a frontier of ${bytes.length} bytes is not one of ${size} leaves: read size and frontier of the same head`,
      )
    }
    const frontier = new Frontier()
    frontier.#size = size
    for (let at = 0; at < bytes.length; at += 32) frontier.#hashes.push(bytes.slice(at, at + 32))
    return frontier
  }

  get size(): number {
    return this.#size
  }

  push(leaf: Uint8Array): void {
    let node = leaf
    // Each trailing one bit of the size is a perfect subtree that this leaf completes.
    for (let bits = this.#size; bits % 2 === 1; bits = (bits - 1) / 2) {
      const left = this.#hashes.pop()
      if (left === undefined) throw new Error('the frontier holds fewer hashes than its size says: read it again')
      node = nodeHash(left, node)
    }
    this.#hashes.push(node)
    this.#size += 1
  }

  root(): Buffer {
    const folded = this.#hashes.reduceRight<Uint8Array | undefined>(
      (right, left) => (right === undefined ? left : nodeHash(left, right)),
      undefined,
    )
    return folded === undefined ? emptyRoot : Buffer.from(folded)
  }

  toBytes(): Buffer {
    return Buffer.concat(this.#hashes)
  }
}

/** The root over leaf hashes. */
export function rootOf(leaves: Iterable<Uint8Array>): Buffer {
  const frontier = new Frontier()
  for (const leaf of leaves) frontier.push(leaf)
  return frontier.root()
}

const leafPrefix = Buffer.from([0])
const nodePrefix = Buffer.from([1])

export function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

function oneBits(value: number): number {
  let count = 0
  for (let bits = value; bits > 0; bits = Math.floor(bits / 2)) count += bits % 2
  return count
}
