import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'

/** More bytes than this are not read of one file under judgement. */
export const fileBytesMax = 4 * 1024 * 1024

/**
 * The content of a regular file, never through a symbolic link; undefined where it is too large. Throws what opening throws, and an
 * error without a code for what is no file. Not asynchronous: a fifth of the time for the many small files of a repository, and
 * never more than one of them open.
 */
export function readBytes(path: string, bytesMax = fileBytesMax): Buffer | undefined {
  const handle = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const stats = fstatSync(handle)
    if (!stats.isFile()) throw new Error('not a regular file')
    if (stats.size > bytesMax) return undefined
    let room = Buffer.allocUnsafe(stats.size + 1)
    let length = 0
    for (;;) {
      const count = readSync(handle, room, length, room.length - length, null)
      length += count
      if (count === 0) return room.subarray(0, length)
      if (length > bytesMax) return undefined
      // It grew since it was opened, or is one of those files that do not know their size.
      if (length === room.length) room = Buffer.concat([room, Buffer.allocUnsafe(Math.max(room.length, 4096))])
    }
  } finally {
    closeSync(handle)
  }
}
