import { createHash } from 'node:crypto'
import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { chmod, chown, mkdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { StartError } from '../start-error.ts'
import { findDedicatedUser, isRoot } from './owner.ts'
import { canReach, type Identity } from './reach.ts'

export interface EmbeddedHome {
  /** The folder that holds the files of the server, absolute and without symbolic links. */
  readonly home: string
  /** The same folder, set only where it is not the one that was asked for. */
  readonly movedTo?: string
}

/** Where root keeps what the dedicated user could not reach otherwise. */
export const stateRoot = '/var/lib/portcullis'

/** The files of one embedded server. */
export function embeddedFiles(home: string) {
  return {
    dataDir: join(home, 'pgdata'),
    passwordFile: join(home, 'postgres-password'),
    portFile: join(home, 'postgres-port'),
    logFile: join(home, 'postgres.log'),
    lockFile: join(home, 'postgres.lock'),
  } as const
}

export type EmbeddedFiles = ReturnType<typeof embeddedFiles>

/**
 * Where the files of that `.portcullis` folder really live. An ordinary user keeps them there. Root keeps them there
 * where the dedicated user can come in, and under /var/lib/portcullis otherwise. A cluster that exists is never left
 * behind: it decides, whatever the permissions have become since.
 */
export function embeddedHome(dir: string): EmbeddedHome {
  const home = canonical(dir)
  if (statSync(home, { throwIfNoEntry: false })?.isDirectory() === false) {
    throw new StartError(`${dir} is not a folder`, ['name the folder of an instance, or one that is not there yet'])
  }
  if (!isRoot() || hasCluster(home)) return { home }
  const moved = join(stateRoot, createHash('sha256').update(home).digest('hex').slice(0, 16))
  const user = findDedicatedUser()
  const stays = !hasCluster(moved) && canReach(home, user) && (isOurs(home) || canReach(join(home, 'pgdata'), user))
  return stays ? { home } : { home: moved, movedTo: moved }
}

/** Makes the folder: 0700, and as root 0710 with the group of the dedicated user, which may pass but not list. */
export async function prepareHome(home: string, user: Identity | undefined): Promise<void> {
  if (home.startsWith(`${stateRoot}/`)) {
    await mkdir(stateRoot, { recursive: true, mode: 0o755 })
    await chmod(stateRoot, 0o755)
  }
  // Only the folder itself is private: the mode would count for every parent that is made, too.
  await mkdir(dirname(home), { recursive: true })
  await mkdir(home, { recursive: true, mode: 0o700 })
  requireOwner(home)
  const { uid, gid, mode } = await stat(home)
  if (!isOurs(home)) return
  if (user && gid !== user.gid) await chown(home, uid, user.gid)
  const wanted = user ? 0o710 : 0o700
  if ((mode & 0o777) !== wanted) await chmod(home, wanted)
}

/** Refuses a folder of somebody else: whether a server runs there could not be seen. Root may enter any. */
export function requireOwner(home: string): void {
  const uid = statSync(home, { throwIfNoEntry: false })?.uid
  if (uid === undefined || isRoot() || uid === process.getuid?.()) return
  throw new Error(`${home} belongs to user ${uid}. Start as that user, or give the folder away: chown -R, as root.`)
}

function hasCluster(home: string): boolean {
  return existsSync(join(embeddedFiles(home).dataDir, 'PG_VERSION'))
}

// Permissions are changed on folders that are plainly ours only: never on one like /tmp that --dir was pointed at.
function isOurs(home: string): boolean {
  if (!existsSync(home)) return true
  if (statSync(home).uid !== process.getuid?.()) return false
  return (
    basename(home) === '.portcullis' ||
    dirname(home) === stateRoot ||
    readdirSync(home).length === 0 ||
    hasCluster(home)
  )
}

function canonical(path: string): string {
  if (existsSync(path)) return realpathSync(path)
  return dirname(path) === path ? path : join(canonical(dirname(path)), basename(path))
}
