import { entryBytesMax, parseEntry, recordHash } from '../entry.ts'
import { AppendFile, type FileChange, type Left } from './append-file.ts'
import type { SinkEntry } from './ports.ts'

const newline = 0x0a
// A torn entry behind a whole one, and the end of the one before.
const tailBytes = 2 * (entryBytesMax + 1) + 1

/** What the end of the file holds. */
interface End {
  readonly seq: number
  /** Record hash of the last whole entry, in hex; undefined where the file has none. */
  readonly hash: string | undefined
  /** The beginning of an entry whose rest was never written. */
  readonly torn: Buffer
}

const empty: End = { seq: -1, hash: undefined, torn: Buffer.alloc(0) }

/** The entries of one log in a file, one a line: goes on behind what the file really holds, and never writes an entry twice. */
export class LogFile {
  readonly #path: string
  readonly #log: string
  readonly #changed: (change: FileChange, next: number) => void
  #file: AppendFile | undefined
  /** How it was left, where it was closed to save its descriptor. */
  #left: Left | undefined
  #end: End = empty

  /** `changed` is told what others did to the file, and with which seq it goes on. */
  constructor(path: string, log: string, changed: (change: FileChange, next: number) => void) {
    this.#path = path
    this.#log = log
    this.#changed = changed
  }

  /** The seq to go on with; looks at the file first. */
  async next(): Promise<number> {
    const seen = await this.#file?.change()
    if (seen !== undefined || this.#file === undefined) {
      const [before, left] = [this.#end, this.#left]
      await this.close()
      const file = await this.#open()
      const change = seen ?? (left && file.since(left))
      // Who moves the file away keeps what is in it: the new one goes on. In every other case the file is made whole again.
      if (change === 'moved' && this.#end === empty) this.#end = { ...before, torn: empty.torn }
      if (change !== undefined) this.#changed(change, this.#end.seq + 1)
    }
    return this.#end.seq + 1
  }

  /** Gives its descriptor back, and knows the file again afterwards. */
  async rest(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    this.#left = file?.left ?? this.#left
    await file?.close()
  }

  async append(entries: readonly SinkEntry[]): Promise<void> {
    const next = await this.next()
    const fresh = entries.filter(({ seq }) => seq >= next)
    const [first] = fresh
    const last = fresh.at(-1)
    if (first === undefined || last === undefined || this.#file === undefined) return
    this.#mustFollow(first)
    const text = Buffer.concat(fresh.flatMap(({ entry }) => [entry, lineEnd]))
    const { torn } = this.#end
    if (!text.subarray(0, torn.length).equals(torn)) {
      throw new Error(
        `${this.#path} ends with text that is no beginning of entry ${first.seq}: move it away and keep it`,
      )
    }
    const change = await this.#write(this.#file, text.subarray(torn.length))
    this.#end = { seq: last.seq, hash: Buffer.from(last.leaf).toString('hex'), torn: empty.torn }
    // Somebody was at it in that moment: what became of these entries shows at the next look.
    if (change !== undefined && (await this.next()) <= last.seq) {
      throw new Error(`${this.#path} was ${change} while it was written: it is written again`)
    }
  }

  async close(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    this.#left = undefined
    this.#end = empty
    await file?.close()
  }

  async #write(file: AppendFile, bytes: Uint8Array): Promise<FileChange | undefined> {
    try {
      return await file.append(bytes)
    } catch (error) {
      // How much of it is there shows at the next look.
      await this.close()
      throw error
    }
  }

  /** A link that does not hold means that the database has another past than the file. */
  #mustFollow({ seq, entry }: SinkEntry): void {
    const { hash, seq: lastSeq } = this.#end
    if (hash === undefined || seq !== lastSeq + 1) return
    const parsed = parseEntry(entry)
    if (parsed.ok && parsed.entry.prev === hash) return
    throw new Error(
      `entry ${seq} does not hold the hash of entry ${lastSeq} in ${this.#path}: the database is not what this file was written from; find out which of them was changed, and move the file away to begin anew`,
    )
  }

  async #open(): Promise<AppendFile> {
    const file = await AppendFile.open(this.#path)
    try {
      this.#end = endOf(await file.tail(tailBytes), this.#log, this.#path)
      this.#file = file
      return file
    } catch (error) {
      await file.close()
      throw error
    }
  }
}

const lineEnd = Buffer.from('\n')

function endOf(tail: Buffer, log: string, path: string): End {
  const end = tail.lastIndexOf(newline)
  const torn = Buffer.from(tail.subarray(end + 1))
  if (end < 0 && torn.length <= entryBytesMax) return torn.length === 0 ? empty : { ...empty, torn }
  const line = tail.subarray(end <= 0 ? 0 : tail.lastIndexOf(newline, end - 1) + 1, Math.max(end, 0))
  const parsed = parseEntry(line)
  if (parsed.ok && parsed.entry.log === log && torn.length <= entryBytesMax) {
    return { seq: parsed.entry.seq, hash: recordHash(line).toString('hex'), torn }
  }
  throw new Error(`the last line of ${path} is not an entry of the log ${log}: move the file away and keep it`)
}
