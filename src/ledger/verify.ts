import { BlockCursor, type Block } from './block.ts'
import type { RangeSummary } from './range.ts'
import { Walk, type ChainItem, type Expected, type VerifyResult } from './walk.ts'

/** Replays a log in order: bytes, places, links, hashes and at last the head. Memory is bounded; nothing is written. */
export async function verifyChain(
  entries: AsyncIterable<ChainItem> | Iterable<ChainItem>,
  expected: Expected,
): Promise<VerifyResult> {
  const walk = new Walk(expected)
  for await (const item of entries) {
    if (!walk.accept(item)) break
  }
  return walk.finish()
}

/** A block and what it comes to; undefined where something is wrong in it. */
export interface Summarized {
  readonly block: Block
  readonly summary: RangeSummary | undefined
}

/** Who looks at blocks, here or on other threads. */
export interface Summarizer {
  /** How many blocks it takes at a time. */
  readonly width: number
  summarize(block: Block): Promise<Summarized>
}

/**
 * The same replay for blocks: each is checked by itself, several at a time, and joined to what is before it. A block that has
 * anything wrong in it, or does not join, is gone through entry by entry, so that the verdict is that of `verifyChain`.
 */
export async function verifyBlocks(
  blocks: AsyncIterable<Block>,
  expected: Expected,
  summarizer: Summarizer,
): Promise<VerifyResult> {
  const walk = new Walk(expected)
  const pending: Promise<Summarized>[] = []
  try {
    for await (const block of blocks) {
      pending.push(summarizer.summarize(block))
      const first = pending.length > summarizer.width ? pending.shift() : undefined
      if (first !== undefined && !takeBlock(walk, await first)) return walk.finish()
    }
    for (let first = pending.shift(); first !== undefined; first = pending.shift()) {
      if (!takeBlock(walk, await first)) break
    }
    return walk.finish()
  } finally {
    // Those that are not looked at any more.
    await Promise.allSettled(pending)
  }
}

function takeBlock(walk: Walk, { block, summary }: Summarized): boolean {
  if (summary !== undefined && walk.acceptRange(summary)) return true
  const cursor = new BlockCursor(block)
  const { bytes } = block
  while (cursor.next()) {
    const entry = bytes.subarray(cursor.start, cursor.end)
    const leaf = cursor.leafStart < 0 ? undefined : bytes.subarray(cursor.leafStart, cursor.leafStart + 32)
    const seq = cursor.seq < 0 ? undefined : cursor.seq
    if (!walk.accept({ entry, seq, leaf })) return false
  }
  return true
}
