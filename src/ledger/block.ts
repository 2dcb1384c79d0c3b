/**
 * A piece of a log in one run of bytes, as it comes from a file or from the database: what is handed to another thread.
 * `lines`: NDJSON; every line but the last of a file ends in a newline.
 * `rows`: each entry behind its seq (8 bytes), its length (4 bytes, both big-endian) and the leaf hash stored beside it (32 bytes).
 */
export interface Block {
  readonly form: 'lines' | 'rows'
  readonly bytes: Uint8Array<ArrayBuffer>
}

export const rowHeadBytes = 44

/** Goes through the entries of a block where they stand. */
export class BlockCursor {
  /** The entry is at `start` to `end` of the bytes. */
  start = 0
  end = 0
  /** The seq stored beside the entry; -1 in lines, which have none. */
  seq = -1
  /** Where the stored leaf hash begins; -1 in lines. */
  leafStart = -1

  readonly #view: DataView
  // A Buffer finds a byte many times faster than a plain array does.
  readonly #bytes: Buffer
  readonly #isRows: boolean
  #next = 0

  constructor({ form, bytes }: Block) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#isRows = form === 'rows'
  }

  /** Whether there was another entry. */
  next(): boolean {
    const at = this.#next
    if (at >= this.#bytes.length) return false
    if (this.#isRows) this.#row(at)
    else this.#line(at)
    return true
  }

  #line(at: number): void {
    const found = this.#bytes.indexOf(newline, at)
    this.start = at
    this.end = found < 0 ? this.#bytes.length : found
    this.#next = this.end + 1
  }

  #row(at: number): void {
    this.seq = Number(this.#view.getBigInt64(at))
    this.leafStart = at + 12
    this.start = at + rowHeadBytes
    this.end = this.start + this.#view.getInt32(at + 8)
    this.#next = this.end
  }
}

const newline = 0x0a
