import { Worker } from 'node:worker_threads'
import type { Checked } from './check-set.ts'
import type { PolicyFile } from './policy-folder.ts'

export interface CheckInput {
  readonly files: readonly PolicyFile[]
  readonly schema: string
}

const deadlineMs = 30_000
// Less than the main thread has: what fits here can be prepared there.
const stackSizeMb = 0.5
const heapMb = 256

/**
 * Validates policies in a thread of their own. Nesting of a thousand levels overflows the stack of WebAssembly, and the module is
 * of no use afterwards; large sets take seconds, in which no call would be decided.
 */
export function checkApart(input: CheckInput): Promise<Checked> {
  const worker = new Worker(new URL('check-worker.ts', import.meta.url), {
    workerData: input,
    resourceLimits: { stackSizeMb, maxOldGenerationSizeMb: heapMb },
  })
  return new Promise((resolve) => {
    const end = (checked: Checked): void => {
      clearTimeout(late)
      resolve(checked)
      void worker.terminate()
    }
    const refuse = (message: string): void => end({ ok: false, problems: [{ file: '', line: 0, message }] })
    const late = setTimeout(
      () => refuse(`the policies could not be validated within ${deadlineMs / 1000} s`),
      deadlineMs,
    )
    worker.once('message', end)
    worker.once('error', (error: unknown) => {
      const why = error instanceof Error ? error.message : String(error)
      refuse(`Cedar cannot take these policies (${why}); are conditions nested hundreds of levels deep?`)
    })
    worker.once('exit', (code) => refuse(`the thread that validates policies ended with ${code}`))
  })
}
