import { existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/** The user and group that a process runs as. */
export interface Identity {
  readonly uid: number
  readonly gid: number
}

const read = 4
const search = 1

/**
 * Whether the identity may enter every folder above the path. Without an identity (the user does not exist yet) only
 * what is open to everybody counts. Judges by mode bits: an access list that grants more is taken as out of reach.
 */
export function canReach(path: string, identity: Identity | undefined): boolean {
  const parent = dirname(path)
  if (existsSync(parent) && !allows(parent, identity, search)) return false
  return parent === path || canReach(parent, identity)
}

/** Whether the identity may reach the file or folder and read it, and run or enter it where its owner may. */
export function canUse(path: string, identity: Identity | undefined): boolean {
  const needed = statSync(path).mode & 0o100 ? read | search : read
  return canReach(path, identity) && allows(path, identity, needed)
}

function allows(path: string, identity: Identity | undefined, needed: number): boolean {
  const { mode, uid, gid } = statSync(path)
  const shift = identity?.uid === uid ? 6 : identity?.gid === gid ? 3 : 0
  return ((mode >> shift) & needed) === needed
}
