import { setTimeout as wait } from 'node:timers/promises'
import type { Secret } from '#core'
import type { EmbeddedBinaries } from './binaries.ts'
import type { EmbeddedFiles } from './home.ts'
import { readPidFile } from './postmaster.ts'
import { probe } from './probe.ts'
import { startProgram } from './program.ts'
import type { Identity } from './reach.ts'
import { openServerLog, tailOf } from './server-log.ts'
import { serverArguments } from './settings.ts'

export interface Launch {
  readonly files: EmbeddedFiles
  readonly binaries: EmbeddedBinaries
  readonly identity: Identity | undefined
  readonly password: Secret
  readonly port: number
  /** On the clock of `performance.now()`. */
  readonly until: number
}

/** `retry`: something else still had the data directory, and is about to let go of it. */
export type LaunchOutcome = { readonly version: string } | 'port_taken' | 'retry'

const pollMs = 10

/** Starts the server on the port and waits until it accepts a connection. */
export async function launch(request: Launch): Promise<LaunchOutcome> {
  const { files, binaries, identity, port } = request
  const log = await openServerLog(files.logFile)
  try {
    const words = serverArguments(files.dataDir, port)
    const child = await startProgram({ binaries, name: 'postgres', words, identity, log })
    // It outlives this process.
    child.unref()
    while (child.exitCode === null && child.signalCode === null) {
      const version = await versionWhenReady(request, child.pid)
      if (version !== undefined) return { version }
      if (performance.now() > request.until) throw new Error(await stillStarting(files, log.offset))
      await wait(pollMs)
    }
    return explain(await tailOf(log), files)
  } finally {
    await log.handle.close()
  }
}

// Only the status in its pid file proves that the port is this server's and not a stranger's.
async function versionWhenReady(
  { files, port, password }: Launch,
  pid: number | undefined,
): Promise<string | undefined> {
  const said = await readPidFile(files.dataDir)
  if (said === undefined || said === 'unreadable' || said.pid !== pid || said.status !== 'ready') return undefined
  return probe(port, password)
}

function explain(lines: string, { logFile }: EmbeddedFiles): 'port_taken' | 'retry' {
  if (lines.includes('could not create any TCP/IP sockets')) return 'port_taken'
  if (lines.includes('pre-existing shared memory block') || /lock file "postmaster.pid" already exists/.test(lines)) {
    return 'retry'
  }
  throw new Error(
    `The embedded PostgreSQL ended while it started. Its last lines say why; the whole log is ${logFile}.\n${lines}`,
  )
}

async function stillStarting({ logFile, dataDir }: EmbeddedFiles, offset: number): Promise<string> {
  return (
    `The embedded PostgreSQL in ${dataDir} is not ready in time; after a crash it may have much to recover. It goes on, ` +
    `and the next start takes it over: start again in a while, or stop it with \`portcullis down\`. ` +
    `The whole log is ${logFile}.\n${await tailOf({ path: logFile, offset })}`
  )
}
