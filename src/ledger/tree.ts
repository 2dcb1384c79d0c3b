import { hash } from 'node:crypto'

/** RFC 6962 Merkle trees with SHA-256. Hashes are 32 bytes; sizes and indexes are counts within 2^53. */
export const emptyRoot: Buffer = hash('sha256', '', 'buffer')

export function leafHash(data: Uint8Array): Buffer {
  return digestOf(Buffer.concat([leafPrefix, data]))
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  if (left.length !== 32 || right.length !== 32) {
    throw new RangeError(`a node has two hashes of 32 bytes, not ${left.length} and ${right.length}: read them again`)
  }
  pair.set(left, 1)
  pair.set(right, 33)
  return digestOf(pair)
}

/** The root of 2^level leaves that begin at a multiple of 2^level. */
export interface Subtree {
  readonly level: number
  /** In hex: node:crypto makes a string four times as fast as a Buffer. */
  readonly hash: string
}

/**
 * Puts a subtree behind a compact range. `index` counts subtrees of that level from the beginning of the tree: an odd one is the
 * right half of a larger subtree, where its left half is in the range.
 */
export function joinSubtree(range: Subtree[], index: number, added: Subtree): void {
  let { level, hash: node } = added
  let place = index
  for (let left = range.at(-1); place % 2 === 1 && left?.level === level; left = range.at(-1)) {
    range.pop()
    node = nodeHex(left.hash, node)
    level += 1
    place = (place - 1) / 2
  }
  range.push({ level, hash: node })
}

/** A growing tree as its compact range: one hash for each one bit of the size, so memory is bounded. */
export class Frontier {
  #size = 0
  readonly #range: Subtree[] = []

  /** Reads what toBytes wrote, and what audits.heads stores: the roots of the perfect subtrees, largest first. */
  static fromBytes(size: number, bytes: Uint8Array): Frontier {
    if (!isCount(size) || bytes.length !== 32 * oneBits(size)) {
      throw new RangeError(
        `a frontier of ${bytes.length} bytes is not one of ${size} leaves: read size and frontier of the same head`,
      )
    }
    const frontier = new Frontier()
    frontier.#size = size
    const levels = levelsOf(size)
    for (const [place, level] of levels.entries()) {
      const node = bytes.subarray(place * 32, place * 32 + 32)
      frontier.#range.push({ level, hash: Buffer.from(node).toString('hex') })
    }
    return frontier
  }

  get size(): number {
    return this.#size
  }

  push(leaf: Uint8Array): void {
    this.append([{ level: 0, hash: Buffer.from(leaf).toString('hex') }])
  }

  /** Goes on with a compact range that begins where this tree ends. */
  append(range: readonly Subtree[]): void {
    for (const subtree of range) {
      const leaves = 2 ** subtree.level
      if (this.#size % leaves !== 0) throw new RangeError('a subtree does not begin where the tree ends: read it again')
      joinSubtree(this.#range, this.#size / leaves, subtree)
      this.#size += leaves
    }
  }

  root(): Buffer {
    const folded = this.#range.reduceRight((right, left) => (right === '' ? left.hash : nodeHex(left.hash, right)), '')
    return folded === '' ? emptyRoot : Buffer.from(folded, 'hex')
  }

  toBytes(): Buffer {
    return Buffer.concat(this.#range.map(({ hash: node }) => Buffer.from(node, 'hex')))
  }
}

/** The root over leaf hashes. */
export function rootOf(leaves: Iterable<Uint8Array>): Buffer {
  const frontier = new Frontier()
  for (const leaf of leaves) frontier.push(leaf)
  return frontier.root()
}

const leafPrefix = Buffer.from([0])
// 0x01 and room for two hashes. One thread hashes one node at a time.
const pair = Buffer.alloc(65, 1)

function nodeHex(left: string, right: string): string {
  pair.write(left, 1, 'hex')
  pair.write(right, 33, 'hex')
  return hash('sha256', pair, 'hex')
}

function digestOf(bytes: Uint8Array): Buffer {
  return Buffer.from(hash('sha256', bytes, 'hex'), 'hex')
}

export function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

function oneBits(value: number): number {
  return levelsOf(value).length
}

/** The levels of the perfect subtrees of a size, largest first. */
function levelsOf(size: number): readonly number[] {
  const levels: number[] = []
  for (let level = 0, bits = size; bits > 0; bits = Math.floor(bits / 2), level += 1) {
    if (bits % 2 === 1) levels.unshift(level)
  }
  return levels
}
