import { CliError } from './errors.ts'
import type { Io } from './io.ts'

const triesMax = 8
const waitMaxMs = 15_000

/** Tries again where the server asks for it: whoever reads everything is in no hurry. */
export async function patiently<T>(io: Io, work: () => Promise<T>): Promise<T> {
  for (let tries = 1, waitMs = 1000; ; tries += 1, waitMs = Math.min(waitMaxMs, waitMs * 2)) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof CliError) || !isPassing(error) || tries >= triesMax) throw error
      await io.sleep(waitMs)
    }
  }
}

/** Too many calls, or a server that is busy or restarts. */
function isPassing({ code }: CliError): boolean {
  return (
    code === 'rate.limited' || code === 'server.draining' || code.startsWith('store.') || code === 'audit.unavailable'
  )
}
