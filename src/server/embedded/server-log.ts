import { constants } from 'node:fs'
import { open, rename, stat, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'

const bytesMax = 10 * 1024 * 1024
// Root may write into the folder of another user, who must not be able to lead it elsewhere.
const appendWithoutLinks = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW
const tailBytes = 4096
const tailLines = 15

export interface ServerLog {
  readonly handle: FileHandle
  readonly path: string
  /** Where the lines of this launch begin. */
  readonly offset: number
}

/** Opens the log to append; one that has grown past 10 MiB is set aside first, in place of the one before. */
export async function openServerLog(path: string): Promise<ServerLog> {
  const handle = await open(path, appendWithoutLinks, 0o600)
  const { size } = await handle.stat()
  if (size > bytesMax) {
    await handle.close()
    await rename(path, `${path}.1`)
    return openServerLog(path)
  }
  const { uid, gid } = await stat(dirname(path))
  if (process.getuid?.() === 0) await handle.chown(uid, gid)
  return { handle, path, offset: size }
}

/** The last lines that this launch wrote. */
export async function tailOf(log: Pick<ServerLog, 'path' | 'offset'>): Promise<string> {
  const handle = await open(log.path, 'r')
  try {
    const { size } = await handle.stat()
    const from = Math.max(log.offset, size - tailBytes)
    const buffer = Buffer.alloc(Math.max(0, size - from))
    await handle.read(buffer, 0, buffer.length, from)
    return buffer.toString('utf8').trim().split('\n').slice(-tailLines).join('\n')
  } finally {
    await handle.close()
  }
}
