import { parentPort } from 'node:worker_threads'
import type { Block } from './block.ts'
import { summarizeRange } from './range.ts'

// A thread of RangePool: one block in, what it comes to out, in the order of asking. The bytes go back with it.
parentPort?.on('message', (block: Block) => {
  parentPort?.postMessage({ block, summary: summarizeRange(block) }, [block.bytes.buffer])
})
