import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { EmbeddedPostgres } from './embedded/index.ts'

const lookEveryMs = 1000
const retryMs = 1000

/** Brings the embedded PostgreSQL back where it ended under a running server; until then every call is refused (SPEC G20). */
export function keepRunning(
  postgres: Pick<EmbeddedPostgres, 'dataDir' | 'running'>,
  start: () => Promise<void>,
  log: Logger,
): { stop(): Promise<void> } {
  const over = new AbortController()
  const look = async (): Promise<number> => {
    try {
      if (await postgres.running()) return lookEveryMs
      log.warn({ event: 'postgres.ended' }, 'PostgreSQL ended; calls are refused until it is back')
      requireCluster(postgres.dataDir)
      await start()
      log.warn({ event: 'postgres.back' }, 'PostgreSQL is back')
      return lookEveryMs
    } catch (error) {
      log.error({ event: 'postgres.away', err: error }, 'PostgreSQL cannot be started; trying again')
      return retryMs
    }
  }
  const watch = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const pauseMs = await look()
      // Ends early where the watch is over.
      await delay(pauseMs, undefined, { signal: over.signal, ref: false }).catch(() => undefined)
    }
  }
  const watching = watch()
  return {
    stop: async () => {
      over.abort()
      await watching
    },
  }
}

// A start would make a new and empty cluster in its place, in the way of whoever restores it.
function requireCluster(dataDir: string): void {
  if (!existsSync(join(dataDir, 'PG_VERSION')))
    throw new Error(`the data directory ${dataDir} is gone: put it back, or restart the server to begin anew`)
}
