import { setTimeout as wait } from 'node:timers/promises'
import { DatabaseSync } from 'node:sqlite'

const busy = 5 // SQLITE_BUSY
const retryMs = 20

/**
 * Runs the action while no other process, and nobody else in this one, holds the same lock file. The lock is the
 * kernel's (taken through SQLite, as Node has no file locks), so it ends with its holder and is never stale.
 */
export async function withLock<T>(file: string, deadlineMs: number, action: () => Promise<T>): Promise<T> {
  const until = performance.now() + deadlineMs
  const database = new DatabaseSync(file, { timeout: 0 })
  try {
    while (!tryLock(database)) {
      if (performance.now() > until) {
        throw new Error(
          `Another start or stop of this server has held ${file} for ${deadlineMs} ms. Wait for it or end it.`,
        )
      }
      await wait(retryMs)
    }
    return await action()
  } finally {
    database.close()
  }
}

function tryLock(database: DatabaseSync): boolean {
  try {
    database.exec('BEGIN EXCLUSIVE')
    return true
  } catch (error) {
    if (error instanceof Error && 'errcode' in error && error.errcode === busy) return false
    throw error
  }
}
