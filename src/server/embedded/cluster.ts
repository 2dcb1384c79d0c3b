import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chown, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { z } from 'zod'
import { Secret } from '#core'
import type { EmbeddedBinaries } from './binaries.ts'
import type { EmbeddedFiles } from './home.ts'
import { readIfPresent, syncFolder, writePrivateFile } from './private-file.ts'
import { startProgram } from './program.ts'
import type { Identity } from './reach.ts'
import { openServerLog, tailOf, type ServerLog } from './server-log.ts'
import { initdbArguments, postgresMajor } from './settings.ts'

export interface Cluster {
  readonly firstStart: boolean
  readonly password: Secret
}

const passwordText = z.string().regex(/^[0-9A-Za-z_-]{43}$/)

/**
 * Opens the cluster, or makes it. A new one is made aside and renamed when it is complete, so what a kill in between
 * leaves is never taken for a cluster and is removed here. The caller MUST hold the lock.
 */
export async function ensureCluster(
  files: EmbeddedFiles,
  binaries: EmbeddedBinaries,
  identity: Identity | undefined,
): Promise<Cluster> {
  await removeUnfinished(files.dataDir)
  const password = passwordText.safeParse((await readIfPresent(files.passwordFile))?.trim())
  if (!existsSync(files.dataDir)) {
    const chosen = password.success ? password.data : randomBytes(32).toString('base64url')
    // The password is safe on disk before a cluster exists that needs it.
    if (!password.success) await writePrivateFile(files.passwordFile, `${chosen}\n`)
    await makeCluster(files, binaries, identity, chosen)
    return { firstStart: true, password: new Secret(chosen) }
  }
  const major = (await readIfPresent(join(files.dataDir, 'PG_VERSION')))?.trim()
  if (major !== postgresMajor) {
    throw new Error(
      `${files.dataDir} is ${major === undefined ? 'not a complete cluster' : `of PostgreSQL ${major}`} and these binaries ` +
        `are of PostgreSQL ${postgresMajor}. Restore it from a backup, or move it away to begin anew.`,
    )
  }
  if (!password.success) {
    throw new Error(
      `${files.passwordFile} is missing or damaged, and nothing else opens ${files.dataDir}. ` +
        'Restore the file from a backup, or move the data directory away to begin anew.',
    )
  }
  return { firstStart: false, password: new Secret(password.data) }
}

async function makeCluster(
  files: EmbeddedFiles,
  binaries: EmbeddedBinaries,
  identity: Identity | undefined,
  password: string,
): Promise<void> {
  const aside = `${unfinishedPrefix(files.dataDir)}${randomBytes(4).toString('hex')}`
  const passwordFile = join(aside, 'password')
  await mkdir(aside, { mode: 0o700 })
  await writeFile(passwordFile, password, { mode: 0o600 })
  if (identity) await Promise.all([aside, passwordFile].map((path) => chown(path, identity.uid, identity.gid)))
  const log = await openServerLog(files.logFile)
  try {
    const words = initdbArguments(join(aside, 'data'), passwordFile)
    const initdb = await startProgram({ binaries, name: 'initdb', words, identity, log })
    const [code] = await once(initdb, 'exit')
    if (code !== 0) {
      throw new Error(await adviceFor(code, dirname(aside), log))
    }
    await rename(join(aside, 'data'), files.dataDir)
    await syncFolder(dirname(files.dataDir))
  } finally {
    await log.handle.close()
    await rm(aside, { recursive: true, force: true })
  }
}

async function adviceFor(code: unknown, folder: string, log: ServerLog): Promise<string> {
  const lines = await tailOf(log)
  // A container that was given a bare user number.
  const advice = lines.includes('could not look up effective user ID')
    ? 'This user has no name, which PostgreSQL needs: add a line for it to /etc/passwd, or start as a user that has one.'
    : 'Check free space and the rights of the folder, then start again.'
  return `initdb could not make a cluster in ${folder} (exit ${String(code)}). ${advice} Its last lines:\n${lines}`
}

async function removeUnfinished(dataDir: string): Promise<void> {
  const folder = dirname(dataDir)
  const names = (await readdir(folder)).filter((name) => name.startsWith(basename(unfinishedPrefix(dataDir))))
  // An initdb whose launcher was killed may still be writing into it.
  const options = { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }
  await Promise.all(names.map((name) => rm(join(folder, name), options)))
}

function unfinishedPrefix(dataDir: string): string {
  return `${dataDir}.new-`
}
