import { existsSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { embeddedFiles, embeddedHome, requireOwner } from './home.ts'
import { withLock } from './lock.ts'
import { findPostmaster, identify } from './postmaster.ts'

const lockDeadlineMs = 60_000
const fastDeadlineMs = 15_000
const immediateDeadlineMs = 10_000
const pollMs = 10

/** Stops the PostgreSQL of that folder, whoever started it (`portcullis down`). */
export async function stopEmbedded(dir: string): Promise<'stopped' | 'not_running'> {
  const { home } = embeddedHome(dir)
  requireOwner(home)
  const { dataDir, lockFile } = embeddedFiles(home)
  if (!existsSync(lockFile)) return 'not_running'
  return withLock(lockFile, lockDeadlineMs, () => stopPostmaster(dataDir, 'fast'))
}

/** Fast: running work is rolled back and all is written; immediate: as in a crash. The caller MUST hold the lock. */
export async function stopPostmaster(dataDir: string, mode: 'fast' | 'immediate'): Promise<'stopped' | 'not_running'> {
  const running = await findPostmaster(dataDir)
  if (!running) return 'not_running'
  if (mode === 'fast' && (await endsAfter('SIGINT', running.pid, dataDir, fastDeadlineMs))) return 'stopped'
  if (await endsAfter('SIGQUIT', running.pid, dataDir, immediateDeadlineMs)) return 'stopped'
  throw new Error(
    `PostgreSQL of ${dataDir} (pid ${running.pid}) does not end. End that process by hand, then start again.`,
  )
}

async function endsAfter(
  signal: 'SIGINT' | 'SIGQUIT',
  pid: number,
  dataDir: string,
  deadlineMs: number,
): Promise<boolean> {
  send(signal, pid)
  const until = performance.now() + deadlineMs
  while ((await identify(pid, dataDir)) === 'ours') {
    if (performance.now() > until) return false
    await wait(pollMs)
  }
  return true
}

function send(signal: 'SIGINT' | 'SIGQUIT', pid: number): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return
    throw new Error(`PostgreSQL (pid ${pid}) may not be stopped by this user. Stop it as the user who started it.`, {
      cause: error,
    })
  }
}
