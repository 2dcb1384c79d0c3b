import { prepareHome } from './home.ts'
import { ensureDedicatedUser, isRoot } from './owner.ts'
import type { Identity } from './reach.ts'

/** Makes the folder for a cluster that comes from elsewhere; the user who is to own it, where that is not the one who asks. */
export async function prepareForRestore(home: string): Promise<Identity | undefined> {
  const user = isRoot() ? await ensureDedicatedUser() : undefined
  await prepareHome(home, user)
  return user
}
