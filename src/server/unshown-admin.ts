import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

// The first admin is made before the listeners are open: a start that fails on them, on a port in use most of all, has made a key
// that nobody was shown. As long as this file is there, the next start that is ready makes another (SPEC M1).
const markOf = (home: string): string => join(home, 'admin-key-unshown')

export function isAdminUnshown(home: string): boolean {
  return existsSync(markOf(home))
}

/** MUST be called before the first admin is made: a crash between the two would lose the key. */
export async function adminIsUnshown(home: string): Promise<void> {
  await writeFile(markOf(home), '', { mode: 0o600 })
}

export async function adminIsShown(home: string): Promise<void> {
  await rm(markOf(home), { force: true })
}
