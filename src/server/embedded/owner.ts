import { execFile, execFileSync } from 'node:child_process'
import { promisify } from 'node:util'
import type { Identity } from './reach.ts'

const run = promisify(execFile)

/** PostgreSQL refuses to run as root, so root runs it as this system user. */
export const dedicatedUser = 'portcullis'

export function isRoot(): boolean {
  return process.getuid?.() === 0
}

/** The dedicated user, or undefined where it does not exist yet. */
export function findDedicatedUser(): Identity | undefined {
  try {
    return { uid: askId('-u'), gid: askId('-g') }
  } catch (error) {
    // `id` ends with 1 for a user that does not exist; anything else means that we could not look.
    if (error instanceof Error && 'status' in error && error.status === 1) return undefined
    throw new Error('The command `id` could not be run. Install coreutils, or start as an ordinary user.', {
      cause: error,
    })
  }
}

/** The dedicated user, created where it is missing: a system account without home, password or shell. */
export async function ensureDedicatedUser(): Promise<Identity> {
  const found = findDedicatedUser()
  if (found) return found
  const account = [
    '--system',
    '--user-group',
    '--no-create-home',
    '--home-dir',
    '/nonexistent',
    '--shell',
    '/usr/sbin/nologin',
  ]
  try {
    await run('useradd', [...account, dedicatedUser])
  } catch (error) {
    // Two starts at the same time: the other one may have been first.
    const other = findDedicatedUser()
    if (other) return other
    throw new Error(
      `PostgreSQL does not run as root, and the system user "${dedicatedUser}" could not be created. ` +
        `Create it (useradd --system --user-group ${dedicatedUser}), or start as an ordinary user.`,
      { cause: error },
    )
  }
  const created = findDedicatedUser()
  if (created) return created
  throw new Error(`useradd ended well but the user "${dedicatedUser}" does not exist. Start as an ordinary user.`)
}

function askId(flag: '-u' | '-g'): number {
  return Number(execFileSync('id', [flag, dedicatedUser], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
}
