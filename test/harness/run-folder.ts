import { existsSync, readFileSync, statfsSync } from 'node:fs'
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'

const variable = 'TEST_RUN_FOLDER'
const inMemory = '/dev/shm'
const freeBytesMin = 4 * 2 ** 30
const prefix = 'portcullis-run-'

/** The folder of this run of the tests, under which all of them make theirs; undefined outside of Vitest. */
export function runFolder(): string | undefined {
  return process.env[variable]
}

/** Global setup of Vitest: makes the folder before the first worker starts, and removes it with whatever tests left in it. */
export async function setup({ vitest }: TestProject): Promise<(() => Promise<void>) | undefined> {
  // Another project of the same run was first.
  if (runFolder() !== undefined) return undefined
  // What is about crashes stays on a disk; for the rest the syncs of PostgreSQL are most of what a commit waits for.
  const needsDisk = vitest.projects.some(({ name }) => name === 'full')
  const place = needsDisk || !memoryIsFit() ? tmpdir() : inMemory
  await removeAbandoned(place)
  const folder = await mkdtemp(join(place, `${prefix}${process.pid}-`))
  // As root, PostgreSQL runs as a user of its own, which has to pass.
  await chmod(folder, 0o711)
  process.env[variable] = folder
  process.env['TMPDIR'] = folder
  return () => rm(folder, { recursive: true, force: true })
}

/** What runs that were killed left there; a PostgreSQL ends by itself once its files are gone. */
async function removeAbandoned(place: string): Promise<void> {
  const abandoned = (await readdir(place)).filter((name) => {
    const pid = name.startsWith(prefix) ? Number(name.slice(prefix.length).split('-')[0]) : Number.NaN
    return Number.isInteger(pid) && !isAlive(pid)
  })
  await Promise.all(abandoned.map((name) => rm(join(place, name), { recursive: true, force: true })))
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH')
  }
}

/** A container gives little of it, and runs no programs from there. */
function memoryIsFit(): boolean {
  const table = '/proc/mounts'
  if (!existsSync(table)) return false
  const mount = readFileSync(table, 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .find(([, path]) => path === inMemory)
  if (mount === undefined || mount[3]?.split(',').some((option) => option === 'noexec' || option === 'ro') === true)
    return false
  const { bavail, bsize } = statfsSync(inMemory)
  return bavail * bsize >= freeBytesMin
}
