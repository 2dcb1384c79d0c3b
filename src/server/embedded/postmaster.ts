import { execFile } from 'node:child_process'
import { readFile, readlink, rm } from 'node:fs/promises'
import { basename, isAbsolute, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { z } from 'zod'
import { readIfPresent } from './private-file.ts'

/** A live postmaster of one data directory, as its pid file describes it. */
export interface Postmaster {
  readonly pid: number
  /** Missing for the moment before the server has written it. */
  readonly port: number | undefined
  readonly status: 'starting' | 'ready' | 'standby' | 'stopping' | undefined
}

// Lines of postmaster.pid: pid, data directory, start time, port, socket folder, address, shared memory, status.
const pidFile = z.object({
  pid: z.coerce.number().int().positive(),
  port: z.coerce.number().int().positive().optional().catch(undefined),
  status: z.enum(['starting', 'ready', 'standby', 'stopping']).optional().catch(undefined),
})

const halfWrittenMs = 200

/**
 * The live postmaster of the data directory. A pid file that names another program is removed; one that names no
 * process is left to PostgreSQL, which first makes sure that no orphaned backend still uses the data. The caller MUST
 * hold the lock: without it the file of a server that is just starting could be removed.
 */
export async function findPostmaster(dataDir: string): Promise<Postmaster | undefined> {
  let found = await readPidFile(dataDir)
  if (found === 'unreadable') {
    // Somebody may have started it by hand and be writing the file; one that stays so is left over from a power cut.
    await wait(halfWrittenMs)
    found = await readPidFile(dataDir)
  }
  if (found === undefined) return undefined
  const process = found === 'unreadable' ? 'other' : await identify(found.pid, dataDir)
  if (found !== 'unreadable' && process === 'ours') return found
  if (process === 'other') await rm(pidFilePath(dataDir), { force: true })
  return undefined
}

/** Whether the postmaster of that data directory lives; removes nothing and needs no lock. */
export async function isRunning(dataDir: string): Promise<boolean> {
  const said = await readPidFile(dataDir)
  // A file that is just being written belongs to one that lives.
  if (said === 'unreadable') return true
  return said !== undefined && (await identify(said.pid, dataDir)) === 'ours'
}

/** What the pid file says, whether or not it is true; removes nothing. */
export async function readPidFile(dataDir: string): Promise<Postmaster | 'unreadable' | undefined> {
  const text = await readIfPresent(pidFilePath(dataDir))
  if (text === undefined) return undefined
  const lines = text.split('\n').map((line) => line.trim())
  const { data } = pidFile.safeParse({ pid: lines[0], port: lines[3], status: lines[7] })
  return data ? { pid: data.pid, port: data.port, status: data.status } : 'unreadable'
}

function pidFilePath(dataDir: string): string {
  return join(dataDir, 'postmaster.pid')
}

/** What runs under the pid: a postmaster of this data directory, another program (or a dead one's shell), or nothing. */
export async function identify(pid: number, dataDir: string): Promise<'ours' | 'other' | 'gone'> {
  const words = process.platform === 'linux' ? await wordsOnLinux(pid) : await wordsByPs(pid, dataDir)
  if (words === undefined) return 'gone'
  const [program = '', ...rest] = words
  // Its children show as "postgres: checkpointer" and the like.
  if (basename(program) !== 'postgres') return 'other'
  const named = rest[rest.indexOf('-D') + 1]
  if (rest.includes('-D') && named !== undefined && isAbsolute(named)) return named === dataDir ? 'ours' : 'other'
  return (await workingFolder(pid)) === dataDir ? 'ours' : 'other'
}

// Any user may read the command line of any process; that of a zombie is empty.
async function wordsOnLinux(pid: number): Promise<readonly string[] | undefined> {
  try {
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0')
  } catch (error) {
    if (isNoProcess(error)) return undefined
    throw error
  }
}

async function wordsByPs(pid: number, dataDir: string): Promise<readonly string[] | undefined> {
  try {
    const { stdout } = await promisify(execFile)('ps', ['-ww', '-o', 'command=', '-p', String(pid)])
    const [before, after] = stdout.trim().split(` -D ${dataDir} `)
    return before !== undefined && after !== undefined ? [before, '-D', dataDir] : [stdout.trim()]
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 1) return undefined
    throw error
  }
}

// A postmaster works in its data directory. Where we may not look, PostgreSQL's own interlock on shared memory holds.
async function workingFolder(pid: number): Promise<string | undefined> {
  try {
    return await readlink(`/proc/${pid}/cwd`)
  } catch (error) {
    if (isNoProcess(error) || (error instanceof Error && 'code' in error && error.code === 'EACCES')) return undefined
    throw error
  }
}

function isNoProcess(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')
}
