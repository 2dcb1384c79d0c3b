import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { BlockCursor } from './block.ts'
import { fileNameOf, manifestName, type Manifest, type ManifestFile } from './bundle.ts'
import { BundleFile, writeInOneStep } from './bundle-file.ts'
import { BundleTally, type BundleEnd, type BundlePlan } from './bundle-tally.ts'
import { Walk } from './walk.ts'

/**
 * Writes the entries of one log into a folder: NDJSON files of bounded size, and at the end, in one step, the manifest. A folder
 * without a manifest is a torn export; a writer made for it again with the same plan keeps what is whole there, and goes on at
 * `next`. Files are for their owner alone. Entries are not judged: what is wrong with one is for the verifier to see.
 */
export class BundleWriter {
  readonly #folder: string
  readonly #plan: BundlePlan
  readonly #fileBytesMax: number
  readonly #tally: BundleTally
  readonly #files: ManifestFile[] = []
  #open: BundleFile | undefined

  constructor(folder: string, plan: BundlePlan, fileBytesMax = 16 * 1024 * 1024) {
    this.#folder = folder
    this.#plan = plan
    this.#fileBytesMax = fileBytesMax
    this.#tally = new BundleTally(plan)
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    if (existsSync(join(folder, manifestName))) {
      throw new Error(`${folder} holds a whole bundle already: name another folder, nothing is overwritten`)
    }
    this.#keepWhole()
  }

  /** The seq to go on with. */
  get next(): number {
    return this.#tally.next
  }

  /** The exact bytes of the entry that comes next. */
  add(entry: Uint8Array): void {
    const seq = this.#tally.seqOf(entry)
    if (this.#open !== undefined && this.#open.bytes + entry.length + 1 > this.#fileBytesMax) this.#closeFile()
    this.#open ??= new BundleFile(this.#folder, seq)
    this.#open.write(entry)
    this.#tally.add(entry, seq)
  }

  /** Closes the files and puts the manifest in its place. */
  finish(end: BundleEnd = {}): Manifest {
    this.#closeFile()
    const text = this.#tally.seal(this.#files, end)
    writeInOneStep(this.#folder, manifestName, text)
    return JSON.parse(text) as Manifest
  }

  /** Leaves what is written for the next try. */
  abandon(): void {
    this.#open?.abandon()
    this.#open = undefined
  }

  #closeFile(): void {
    if (this.#open === undefined) return
    this.#files.push(this.#open.close())
    this.#open = undefined
  }

  /** Keeps the entries of a torn export up to the first that is not whole, and removes the rest. */
  #keepWhole(): void {
    const { log, from, prev } = this.#plan
    const walk = new Walk({ log, from: { seq: from, prev } })
    const names = readdirSync(this.#folder).filter((name) => name.endsWith('.ndjson'))
    let isWhole = true
    for (const name of names.toSorted()) {
      if (isWhole && name === fileNameOf(this.next)) isWhole = this.#keepFile(name, walk)
      else {
        isWhole = false
        rmSync(join(this.#folder, name))
      }
    }
  }

  /** Whether all of the file was kept. */
  #keepFile(name: string, walk: Walk): boolean {
    const bytes = new Uint8Array(readFileSync(join(this.#folder, name)))
    const cursor = new BlockCursor({ form: 'lines', bytes })
    this.#closeFile()
    const file = new BundleFile(this.#folder, this.next)
    this.#open = file
    while (cursor.next()) {
      const entry = bytes.subarray(cursor.start, cursor.end)
      const seq = walk.size
      // A broken link is a matter of the entry after it, too: what counts is that the walk has gone on.
      const isWhole = cursor.end < bytes.length && walk.accept({ entry }) && walk.size > seq
      if (!isWhole) break
      file.keep(entry)
      this.#tally.add(entry, seq)
    }
    if (file.bytes < bytes.length) file.cut()
    return file.bytes === bytes.length
  }
}
