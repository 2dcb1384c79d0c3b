import { hash } from 'node:crypto'
import { BlockCursor, type Block } from './block.ts'
import { EntryScanner, entryBytesMax } from './scan.ts'
import { joinSubtree, type Subtree } from './tree.ts'

/** What a block of entries that hang together comes to; hashes in hex. The edges are still to be joined with what is around. */
export interface RangeSummary {
  readonly log: string
  readonly first: number
  readonly count: number
  /** `prev` of the first entry. */
  readonly prev: string
  readonly lastHash: string
  readonly firstTs: string
  readonly lastTs: string
  /** The roots of the perfect subtrees that the range is made of, left to right: a compact range. */
  readonly subtrees: readonly Subtree[]
}

/**
 * Checks a block by itself: each entry canonical, of one log, at the place after the one before, with its hash as `prev`, its own
 * hash as the stored leaf, and time not going back. Undefined where anything is not so: then the entries are looked at one by
 * one, by what can say why.
 */
export function summarizeRange(block: Block): RangeSummary | undefined {
  const { bytes } = block
  const cursor = new BlockCursor(block)
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const subtrees: Subtree[] = []
  let [log, prev, firstTs, hashed] = ['', '', '', '']
  let [first, count, lastTs] = [0, 0, 0]
  while (cursor.next()) {
    const { start, end } = cursor
    if (!scanner.scan(bytes, start, end)) return undefined
    const { seq, prevStart, tsStart } = scanner
    if (cursor.seq >= 0 && cursor.seq !== seq) return undefined
    const name = text.toString('latin1', scanner.logStart, scanner.logEnd)
    const leaf = hashEntry(bytes, start, end)
    if (cursor.leafStart >= 0 && text.toString('hex', cursor.leafStart, cursor.leafStart + 32) !== leaf)
      return undefined
    if (count === 0) {
      ;[first, log] = [seq, name]
      prev = text.toString('latin1', prevStart, prevStart + 64)
      firstTs = text.toString('latin1', tsStart, tsStart + 27)
    } else {
      if (seq !== first + count || name !== log) return undefined
      if (text.toString('latin1', prevStart, prevStart + 64) !== hashed) return undefined
      // Digits at the same places: in the order of time where they are in the order of bytes.
      if (text.compare(text, lastTs, lastTs + 27, tsStart, tsStart + 27) < 0) return undefined
    }
    hashed = leaf
    lastTs = tsStart
    count += 1
    joinSubtree(subtrees, seq, { level: 0, hash: leaf })
  }
  if (count === 0) return undefined
  return {
    log,
    first,
    count,
    prev,
    lastHash: hashed,
    firstTs,
    lastTs: text.toString('latin1', lastTs, lastTs + 27),
    subtrees,
  }
}

const scanner = new EntryScanner()
const scratch = Buffer.alloc(entryBytesMax + 1)

function hashEntry(bytes: Uint8Array, start: number, end: number): string {
  scratch.set(bytes.subarray(start, end), 1)
  return hash('sha256', scratch.subarray(0, end - start + 1), 'hex')
}
