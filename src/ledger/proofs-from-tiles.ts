import { tileWidth, widthIn } from './tiles.ts'
import { isCount, nodeHash } from './tree.ts'

/** The hashes of a tile, `width` of them, 32 bytes each: what a log serves as tlog-tiles, or has in its tables. */
export type TileSource = (level: number, index: number, width: number) => Promise<Uint8Array>

/**
 * One size of a log, read from tiles: a root or a proof takes at most two tiles of each level, whatever the size. Nothing is
 * believed of the tiles: what is computed from them is compared with a root that somebody signed.
 */
export class TiledTree {
  readonly size: number
  readonly #source: TileSource
  readonly #tiles = new Map<string, Promise<Uint8Array>>()

  constructor(size: number, source: TileSource) {
    if (!isCount(size) || size === 0) throw new RangeError(`a tree of ${size} leaves has no tiles: ask for 1 or more`)
    this.size = size
    this.#source = source
  }

  root(): Promise<Buffer> {
    return this.#range(0, this.size)
  }

  /** The leaf hash at an index. */
  leaf(index: number): Promise<Buffer> {
    return this.#range(index, index + 1)
  }

  /** The audit path of a leaf, from the leaf up (RFC 6962 2.1.1). */
  inclusion(leafIndex: number): Promise<Buffer[]> {
    if (!isCount(leafIndex) || leafIndex >= this.size) {
      throw new RangeError(`leaf ${leafIndex} is not in a tree of ${this.size}: ask for a smaller index`)
    }
    return this.#path(leafIndex, 0, this.size)
  }

  /** The proof that the first `size1` leaves are a prefix of this tree (RFC 6962 2.1.2). */
  consistency(size1: number): Promise<Buffer[]> {
    if (!isCount(size1) || size1 === 0 || size1 > this.size) {
      throw new RangeError(`no consistency proof from ${size1} to ${this.size}: sizes begin at 1 and grow`)
    }
    return this.#subproof(size1, 0, this.size, true)
  }

  async #path(leaf: number, from: number, to: number): Promise<Buffer[]> {
    if (to - from === 1) return []
    const middle = from + split(to - from)
    return leaf < middle
      ? [...(await this.#path(leaf, from, middle)), await this.#range(middle, to)]
      : [...(await this.#path(leaf, middle, to)), await this.#range(from, middle)]
  }

  async #subproof(size1: number, from: number, to: number, whole: boolean): Promise<Buffer[]> {
    if (size1 === to) return whole ? [] : [await this.#range(from, to)]
    const middle = from + split(to - from)
    return size1 <= middle
      ? [...(await this.#subproof(size1, from, middle, whole)), await this.#range(middle, to)]
      : [...(await this.#subproof(size1, middle, to, false)), await this.#range(from, middle)]
  }

  /** The hash over leaves `from` to `to`, which are a subtree: perfect subtrees of falling sizes, joined from the right. */
  async #range(from: number, to: number): Promise<Buffer> {
    const length = to - from
    const span = split(length + 1)
    if (span === length) return this.#perfect(from, length)
    return nodeHash(await this.#perfect(from, span), await this.#range(from + span, to))
  }

  /** The hash of a perfect subtree of `span` leaves, a power of two; it begins at a multiple of it. */
  async #perfect(from: number, span: number): Promise<Buffer> {
    let level = 0
    while (tileWidth ** (level + 1) <= span) level += 1
    const unit = tileWidth ** level
    const first = from / unit
    const index = Math.floor(first / tileWidth)
    const tile = await this.#tile(level, index)
    const start = (first - index * tileWidth) * 32
    return fold(tile.subarray(start, start + (span / unit) * 32))
  }

  #tile(level: number, index: number): Promise<Uint8Array> {
    const name = `${level}/${index}`
    const known = this.#tiles.get(name)
    if (known !== undefined) return known
    const width = widthIn(this.size, level, index)
    const read = this.#source(level, index, width).then((hashes) => {
      if (hashes.length !== width * 32) {
        throw new Error(
          `tile ${name} holds ${hashes.length / 32} hashes and not ${width}: restore the tables of the log`,
        )
      }
      return hashes
    })
    this.#tiles.set(name, read)
    return read
  }
}

/** The root over a power of two of hashes. */
function fold(hashes: Uint8Array): Buffer {
  if (hashes.length === 32) return Buffer.from(hashes)
  const half = hashes.length / 2
  return nodeHash(fold(hashes.subarray(0, half)), fold(hashes.subarray(half)))
}

/** The largest power of two smaller than n. */
function split(n: number): number {
  let k = 1
  while (k * 2 < n) k *= 2
  return k
}
