import { mkdir, open, readdir, readFile, rm, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'

export interface SpillSettings {
  readonly dir: string
  /** Begins the names of the files: one forwarder, one prefix. */
  readonly prefix: string
  readonly bytesMax: number
  readonly filesMax: number
}

export const spillBounds = { bytesMax: 64 * 1024 * 1024, filesMax: 1024 } as const

/** Batches on disk, oldest first, while their target is away. Bounded: what does not fit is refused, the old ones stay. */
export class Spill {
  readonly #settings: SpillSettings
  readonly #waiting: { readonly name: string; readonly bytes: number }[] = []
  /** Not removable: sent already, and never sent again by this process, or a draft that an earlier one left. */
  readonly #stuck = new Set<string>()
  #bytes = 0
  #serial = 0
  #opened: Promise<void> | undefined

  constructor(settings: SpillSettings) {
    this.#settings = settings
  }

  /** Whether batches wait; false until the folder has been read by {@link open}. */
  get waiting(): number {
    return this.#waiting.length
  }

  /** Finds what an earlier process left. Rejects where the folder cannot be read; the next use then looks again. */
  open(): Promise<void> {
    this.#opened ??= this.#open().catch((error: unknown) => {
      this.#opened = undefined
      throw error
    })
    return this.#opened
  }

  /** Keeps a batch; rejects where it cannot be written or where the bounds are reached. */
  async keep(text: string): Promise<void> {
    const { dir, prefix, bytesMax, filesMax } = this.#settings
    await this.open()
    const bytes = Buffer.byteLength(text)
    // What cannot be removed takes its room, too.
    if (this.#waiting.length + this.#stuck.size >= filesMax || this.#bytes + bytes > bytesMax)
      throw new Error('the spill folder is full')
    this.#serial += 1
    const order = `${String(Date.now()).padStart(15, '0')}-${String(this.#serial).padStart(9, '0')}`
    const name = `${prefix}-${order}-${process.pid}.json`
    // Written under another name first, so that a crash leaves no half of a batch under its own.
    const draft = join(dir, `${name}.part`)
    try {
      const file = await open(draft, 'wx', 0o600)
      try {
        await file.writeFile(text)
      } finally {
        await file.close()
      }
      await rename(draft, join(dir, name))
    } catch (error) {
      await rm(draft, { force: true }).catch((left: unknown) => {
        throw new AggregateError([error, left], 'a batch could not be kept, and its draft could not be removed', {
          cause: error,
        })
      })
      throw error
    }
    this.#waiting.push({ name, bytes })
    this.#bytes += bytes
  }

  /** The oldest batch, left where it is. A file that cannot be read is passed over. */
  async oldest(): Promise<{ readonly name: string; readonly text: string } | undefined> {
    for (;;) {
      const first = this.#waiting[0]
      if (first === undefined) return undefined
      try {
        return { name: first.name, text: await readFile(join(this.#settings.dir, first.name), 'utf8') }
      } catch {
        // Somebody took it away: nothing is left to send.
        this.#forget()
      }
    }
  }

  /** Removes the oldest batch, after it was sent; rejects where that fails, and then never offers it again. */
  async removeOldest(): Promise<void> {
    const first = this.#waiting[0]
    if (first === undefined) return
    this.#waiting.shift()
    try {
      await rm(join(this.#settings.dir, first.name))
    } catch (error) {
      this.#stuck.add(first.name)
      throw error
    }
    this.#bytes -= first.bytes
  }

  #forget(): void {
    this.#bytes -= this.#waiting.shift()?.bytes ?? 0
  }

  async #open(): Promise<void> {
    const { dir, prefix } = this.#settings
    await mkdir(dir, { recursive: true, mode: 0o700 })
    const names = (await readdir(dir)).filter((name) => name.startsWith(`${prefix}-`))
    for (const found of names.toSorted()) {
      const [, order, pid = '', draft] = form.exec(found.slice(prefix.length + 1)) ?? []
      // What another worker keeps is its own until that has ended.
      if (order === undefined || (Number(pid) !== process.pid && isAlive(Number(pid)))) continue
      if (draft === undefined) await this.#take(found, `${prefix}-${order}-${process.pid}.json`)
      // A draft that stays takes its room.
      else await rm(join(dir, found), { force: true }).catch(() => this.#stuck.add(found))
    }
  }

  /** Makes a batch ours by its name: of several who try, one succeeds. */
  async #take(found: string, name: string): Promise<void> {
    const { dir } = this.#settings
    try {
      await rename(join(dir, found), join(dir, name))
      const { size } = await stat(join(dir, name))
      this.#waiting.push({ name, bytes: size })
      this.#bytes += size
    } catch {
      // Another worker was faster, or the folder is read-only: then nothing in it can be removed once it is sent.
    }
  }
}

const form = /^(\d{15}-\d{9})-(\d{1,10})\.json(\.part)?$/

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
