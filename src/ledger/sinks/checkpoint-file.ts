import { open } from 'node:fs/promises'
import { AppendFile, type FileChange, type Left } from './append-file.ts'
import type { SinkCheckpoint } from './ports.ts'

// Some hundred checkpoints: what is before them is older.
const tailBytes = 64 * 1024
// Origin, size, root and whatever lines more, an empty line, signatures (C2SP signed-note).
const notePattern = /(?:[^\n]+\n){3,}\n(?:— [^\n]+\n)+/g

/** The checkpoints of one log in a file, oldest first, each as it was signed, with an empty line behind it. */
export class CheckpointFile {
  readonly #path: string
  readonly #changed: (change: FileChange) => void
  #left: Left | undefined

  constructor(path: string, changed: (change: FileChange) => void) {
    this.#path = path
    this.#changed = changed
  }

  async append({ note, origin }: SinkCheckpoint): Promise<void> {
    const file = await AppendFile.open(this.#path)
    try {
      const change = this.#left && file.since(this.#left)
      if (change !== undefined && !(await isOurs(change, file, this.#left, origin))) this.#changed(change)
      this.#left = file.left
      const tail = (await file.tail(tailBytes)).toString()
      if (newestIn(tail, origin) === note) return
      // What a crash left of an earlier one is ended first.
      const begin = tail === '' || tail.endsWith('\n\n') ? '' : '\n\n'
      this.#left = undefined
      const harm = await file.append(Buffer.from(`${begin}${note}\n`))
      if (harm !== undefined) throw new Error(`${this.#path} was ${harm} while it was written: it is written again`)
      this.#left = file.left
    } finally {
      await file.close()
    }
  }

  async newest(origin: string): Promise<string | undefined> {
    try {
      const file = await open(this.#path, 'r')
      try {
        const { size } = await file.stat()
        const length = Math.min(size, tailBytes)
        const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length)
        return newestIn(buffer.subarray(0, bytesRead).toString(), origin)
      } finally {
        await file.close()
      }
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
      throw error
    }
  }
}

/** Other replicas of the deployment publish too: what they add is checkpoints of this log, and nothing else. */
async function isOurs(change: FileChange, file: AppendFile, left: Left | undefined, origin: string): Promise<boolean> {
  const added = file.left.size - (left?.size ?? 0)
  if (change !== 'extended' || added > tailBytes) return false
  const text = (await file.tail(added)).toString()
  return text.replaceAll(notePattern, (note) => (note.startsWith(`${origin}\n`) ? '' : note)).trim() === ''
}

function newestIn(text: string, origin: string): string | undefined {
  const notes = [...text.matchAll(notePattern)].map(([note]) => note)
  return notes.findLast((note) => note.startsWith(`${origin}\n`))
}
