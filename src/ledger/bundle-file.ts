import { createHash, type Hash } from 'node:crypto'
import { closeSync, fsyncSync, ftruncateSync, openSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fileNameOf, type ManifestFile } from './bundle.ts'

const bufferBytes = 256 * 1024

/** One NDJSON file of a bundle while it is written. */
export class BundleFile {
  bytes = 0
  readonly #first: number
  readonly #file: number
  readonly #sha256: Hash = createHash('sha256')
  readonly #waiting: Uint8Array[] = []
  #waitingBytes = 0
  #entries = 0

  /** Makes the file anew, or opens the one that is there. */
  constructor(folder: string, first: number) {
    this.#first = first
    this.#file = openSync(join(folder, fileNameOf(first)), 'a', 0o600)
  }

  write(entry: Uint8Array): void {
    this.keep(entry)
    this.#waiting.push(entry, newline)
    this.#waitingBytes += entry.length + 1
    if (this.#waitingBytes >= bufferBytes) this.#flush()
  }

  /** Counts an entry that is in the file already. */
  keep(entry: Uint8Array): void {
    this.#sha256.update(entry).update(newline)
    this.bytes += entry.length + 1
    this.#entries += 1
  }

  /** Cuts off what comes behind the entries that were kept. */
  cut(): void {
    ftruncateSync(this.#file, this.bytes)
  }

  close(): ManifestFile {
    this.abandon()
    const { bytes } = this
    const first = this.#first
    return { name: fileNameOf(first), first, entries: this.#entries, bytes, sha256: this.#sha256.digest('hex') }
  }

  /** Writes what waits, and closes the file. */
  abandon(): void {
    try {
      this.#flush()
      fsyncSync(this.#file)
    } finally {
      closeSync(this.#file)
    }
  }

  #flush(): void {
    const bytes = Buffer.concat(this.#waiting.splice(0))
    this.#waitingBytes = 0
    for (let at = 0; at < bytes.length;) at += writeSync(this.#file, bytes, at)
  }
}

/** Writes a file beside its place and moves it there: it is there as a whole, or not at all. */
export function writeInOneStep(folder: string, name: string, text: string): void {
  const temporary = join(folder, `${name}.tmp`)
  const file = openSync(temporary, 'w', 0o600)
  try {
    writeSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(temporary, join(folder, name))
  const handle = openSync(folder, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

const newline = Buffer.from('\n')
