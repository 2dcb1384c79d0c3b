import { constants, type Stats } from 'node:fs'
import { open, stat, statfs, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'

/** What became of a file between two looks: its name was given away, its last name removed, or its length changed by others. */
export type FileChange = 'moved' | 'deleted' | 'truncated' | 'extended'

/** A file as it was left, to be told from what is found under its name later. */
export interface Left {
  readonly dev: number
  readonly ino: number
  /** A number that was given back is given to the next file. */
  readonly birthtimeMs: number
  readonly size: number
}

const flags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW

/** A file that is only added to, and that notices when it is not the file of its name any more. */
export class AppendFile {
  readonly path: string
  readonly #handle: FileHandle
  readonly #id: Omit<Left, 'size'>
  #size: number

  private constructor(path: string, handle: FileHandle, { dev, ino, birthtimeMs, size }: Left) {
    this.path = path
    this.#handle = handle
    this.#id = { dev, ino, birthtimeMs }
    this.#size = size
  }

  /** Opens the file for adding, or makes it, readable by its owner alone; its name is on disk afterwards. */
  static async open(path: string): Promise<AppendFile> {
    const handle = await open(path, flags, 0o600)
    try {
      const found = await handle.stat()
      if (found.size === 0) await syncFolder(dirname(path))
      return new AppendFile(path, handle, found)
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  get left(): Left {
    return { ...this.#id, size: this.#size }
  }

  /** What became of a file of this name that had been closed. That another one stands there now is all that can be known then. */
  since({ size, ...id }: Left): FileChange | undefined {
    const { dev, ino, birthtimeMs } = this.#id
    if (dev !== id.dev || ino !== id.ino || birthtimeMs !== id.birthtimeMs) return 'deleted'
    if (size === this.#size) return undefined
    return this.#size < size ? 'truncated' : 'extended'
  }

  /** Undefined while it is the file of its name, as long as we left it. */
  async change(): Promise<FileChange | undefined> {
    const [named, held] = await Promise.all([statOf(this.path), this.#handle.stat()])
    if (named === undefined || named.ino !== held.ino || named.dev !== held.dev) {
      return held.nlink === 0 ? 'deleted' : 'moved'
    }
    if (held.size === this.#size) return undefined
    return held.size < this.#size ? 'truncated' : 'extended'
  }

  /** Its last bytes, at most so many. */
  async tail(bytesMax: number): Promise<Buffer> {
    const length = Math.min(bytesMax, this.#size)
    const buffer = Buffer.alloc(length)
    let read = 0
    while (read < length) {
      const { bytesRead } = await this.#handle.read(buffer, read, length - read, this.#size - length + read)
      if (bytesRead === 0) break
      read += bytesRead
    }
    return buffer.subarray(0, read)
  }

  /**
   * Adds bytes; they are on disk when it resolves, and in the file of this name where it resolves without a change. After a
   * rejection what has been written is not known: close it and look anew.
   */
  async append(bytes: Uint8Array): Promise<FileChange | undefined> {
    const { bavail, bsize } = await statfs(dirname(this.path))
    // Better not begun than torn.
    if (bavail * bsize < bytes.length) throw new Error('the disk is full')
    let written = 0
    while (written < bytes.length) {
      const { bytesWritten } = await this.#handle.write(bytes, written)
      written += bytesWritten
    }
    await this.#handle.sync()
    this.#size += bytes.length
    return this.change()
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
