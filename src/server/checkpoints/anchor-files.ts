import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'

const noteBytesMax = 64 * 1024

/**
 * The newest checkpoint of each log in a folder of this machine, outside of the database: what a database that was restored from an
 * older backup is compared with (SPEC L8).
 */
export class AnchorFiles {
  readonly #dir: string

  constructor(dir: string) {
    this.#dir = dir
  }

  /** Undefined where none was kept; throws where that cannot be told. */
  async newest(log: string): Promise<string | undefined> {
    try {
      const bytes = await readFile(this.#file(log))
      // A file that is not ours is not believed, and not passed over either.
      return bytes.length > noteBytesMax ? '' : bytes.toString('utf8')
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
      throw error
    }
  }

  /** Resolves once it is on the disk: the old note or the new one, whenever the power goes. */
  async keep(log: string, note: string): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 })
    const file = this.#file(log)
    const fresh = `${file}.${process.pid}.new`
    await withFile(fresh, 'w', async (handle) => {
      await handle.writeFile(note)
      await handle.sync()
    })
    await rename(fresh, file)
    await withFile(this.#dir, 'r', (handle) => handle.sync())
  }

  // A log has no plus sign in its name, and a file no slash.
  #file(log: string): string {
    return join(this.#dir, `${log.replaceAll('/', '+')}.checkpoint`)
  }
}

type Handle = Awaited<ReturnType<typeof open>>

async function withFile(path: string, flags: string, work: (handle: Handle) => Promise<void>): Promise<void> {
  const handle = await open(path, flags, 0o600)
  try {
    await work(handle)
  } finally {
    await handle.close()
  }
}
