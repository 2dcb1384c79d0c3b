import { manifestFormat, seal, type Manifest, type ManifestFile } from './bundle.ts'
import { genesisPrev, parseEntry, recordHash } from './entry.ts'
import { Frontier } from './tree.ts'

/** Which entries a bundle is to hold, and what stands before them. */
export interface BundlePlan {
  readonly log: string
  readonly from: number
  /** Record hash of the entry before `from`; 64 zeros at 0. */
  readonly prev: string
  /** The frontier at `from`, as in audits.heads; undefined where it is not known, and then the bundle has no root. */
  readonly frontier?: Uint8Array | undefined
}

/** What is said at the end. */
export interface BundleEnd {
  /** A signed checkpoint over at most as many entries as the log has up to the last one here. */
  readonly checkpoint?: string | undefined
  /** The entries that say what retention took away before `from`. */
  readonly prunes?: readonly string[] | undefined
}

/** Adds up exported entries for their manifest. Memory is bounded. Entries are not judged: that is for the verifier. */
export class BundleTally {
  readonly #plan: BundlePlan
  readonly #frontier: Frontier | undefined
  #entries = 0
  #to: number
  #lastHash: string

  constructor(plan: BundlePlan) {
    const { from, frontier } = plan
    this.#plan = plan
    this.#to = from - 1
    this.#lastHash = plan.prev
    if (from === 0) this.#frontier = new Frontier()
    else if (frontier !== undefined) this.#frontier = Frontier.fromBytes(from, frontier)
  }

  /** The seq to go on with. */
  get next(): number {
    return this.#to + 1
  }

  /** The seq of an entry: what it says, or its place where it cannot be read. */
  seqOf(entry: Uint8Array): number {
    const parsed = parseEntry(entry)
    return parsed.ok ? parsed.entry.seq : this.next
  }

  add(entry: Uint8Array, seq: number): void {
    const hash = recordHash(entry)
    this.#frontier?.push(hash)
    this.#lastHash = hash.toString('hex')
    this.#to = seq
    this.#entries += 1
  }

  /** The manifest as text. */
  seal(files: readonly ManifestFile[], { checkpoint, prunes = [] }: BundleEnd): string {
    const { log, from, prev, frontier } = this.#plan
    const known = frontier === undefined ? null : Buffer.from(frontier).toString('hex')
    const manifest: Omit<Manifest, 'digest'> = {
      format: manifestFormat,
      log,
      from,
      to: this.#to,
      entries: this.#entries,
      start: from === 0 ? { prev: genesisPrev, frontier: '' } : { prev, frontier: known },
      root: this.#frontier?.root().toString('hex') ?? null,
      last_hash: this.#lastHash,
      files: [...files],
      checkpoint: checkpoint ?? null,
      prunes: [...prunes],
    }
    return seal(manifest)
  }
}
