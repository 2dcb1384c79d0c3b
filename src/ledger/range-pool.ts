import { availableParallelism } from 'node:os'
import { setImmediate } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { Block } from './block.ts'
import { summarizeRange } from './range.ts'
import type { Summarized, Summarizer } from './verify.ts'

// More would wait for the one thread that reads.
const threadsMax = 8
const blocksPerThread = 2

interface Waiting {
  readonly resolve: (summarized: Summarized) => void
  readonly reject: (error: Error) => void
}

interface Thread {
  readonly worker: Worker
  readonly waiting: Waiting[]
  /** Why it answers nothing any more. */
  ended: Error | undefined
}

/** Looks at blocks on threads of their own. The bytes of a block are taken over by it: who gave them must not keep them. */
export class RangePool implements Summarizer, AsyncDisposable {
  readonly width: number
  readonly #threads: readonly Thread[]
  #next = 0

  /** Without `threads`, one for each core. */
  constructor(threads = Math.min(threadsMax, availableParallelism())) {
    this.#threads = Array.from({ length: threads }, startThread)
    this.width = threads * blocksPerThread
  }

  summarize(block: Block): Promise<Summarized> {
    this.#next = (this.#next + 1) % this.#threads.length
    const thread = this.#threads[this.#next]
    if (thread === undefined) throw new Error('a pool without threads looks at nothing: make it with one or more')
    if (thread.ended !== undefined) return Promise.reject(thread.ended)
    return new Promise((resolve, reject) => {
      thread.waiting.push({ resolve, reject })
      // A copy where the buffer holds more than the block.
      const bytes = block.bytes.byteLength === block.bytes.buffer.byteLength ? block.bytes : block.bytes.slice()
      thread.worker.postMessage({ ...block, bytes }, [bytes.buffer])
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()))
  }
}

/** Looks at blocks on the thread that asks, and lets others have their turn between two of them. */
export const inTurns: Summarizer = {
  width: 1,
  summarize: async (block) => {
    await setImmediate()
    return { block, summary: summarizeRange(block) }
  },
}

function startThread(): Thread {
  const worker = new Worker(new URL('range-worker.ts', import.meta.url))
  const thread: Thread = { worker, waiting: [], ended: undefined }
  const fail = (error: Error): void => {
    thread.ended ??= error
    for (const { reject } of thread.waiting.splice(0)) reject(error)
  }
  worker.on('message', (summarized: Summarized) => thread.waiting.shift()?.resolve(summarized))
  worker.on('error', fail)
  worker.on('exit', (code) => fail(new Error(`a thread of the replay ended with ${code}: run it again`)))
  return thread
}
