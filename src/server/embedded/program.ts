import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { EmbeddedBinaries } from './binaries.ts'
import type { Identity } from './reach.ts'
import type { ServerLog } from './server-log.ts'
import { serverEnvironment } from './settings.ts'

export interface ServerProgram {
  readonly binaries: EmbeddedBinaries
  readonly name: 'initdb' | 'postgres'
  readonly words: readonly string[]
  /** Set where we are root. */
  readonly identity: Identity | undefined
  readonly log: ServerLog
}

/**
 * Starts the program in a session of its own, so that Ctrl-C in the terminal does not reach it, with all its output in
 * the log. Resolves once it runs; a program that cannot be run is a fault.
 */
export async function startProgram({ binaries, name, words, identity, log }: ServerProgram): Promise<ChildProcess> {
  const path = join(binaries.binDir, name)
  const child = spawn(path, words, {
    cwd: '/',
    detached: true,
    env: serverEnvironment,
    stdio: ['ignore', log.handle.fd, log.handle.fd],
    ...identity,
  })
  try {
    await once(child, 'spawn')
  } catch (error) {
    throw new Error(
      `${path} cannot be run. The binaries need glibc (not musl) and a folder that allows programs; ` +
        'run `npm ci` again, or set database.url to a PostgreSQL of yours.',
      { cause: error },
    )
  }
  return child
}
