import { digestsEqual } from '#core'
import { genesisPrev, parseEntry, recordHash, type Entry, type ParsedEntry } from './entry.ts'
import type { RangeSummary } from './range.ts'
import { Frontier } from './tree.ts'

export type ChainProblem =
  | 'gap'
  | 'bad_link'
  | 'bad_bytes'
  | 'bad_leaf'
  | 'wrong_log'
  | 'ts_back'
  | 'bad_seq'
  | 'head_mismatch'
  | 'checkpoint_mismatch'

export interface ChainItem {
  /** The seq stored beside the entry, where there is one. */
  readonly seq?: bigint | number | undefined
  readonly entry: Uint8Array
  /** The leaf hash stored beside the entry, where there is one. */
  readonly leaf?: Uint8Array | undefined
}

export interface Expected {
  readonly log: string
  /**
   * Where to begin, from something trusted; the beginning of the log without it. `frontier` as in audits.heads: without it links
   * are checked, and no root.
   */
  readonly from?:
    { readonly seq: number; readonly prev: string; readonly frontier?: Uint8Array | undefined } | undefined
  /** Where to end, hashes in hex: a head. Without it a cut tail and an altered last entry go unseen. */
  readonly head?:
    { readonly size: number; readonly root?: string | undefined; readonly lastHash?: string | undefined } | undefined
  /** Sizes whose root is known from elsewhere, in hex. */
  readonly checkpoints?: readonly { readonly size: number; readonly root: string }[] | undefined
}

/** Names as the interface shows them (SPEC L10). */
export interface VerifyResult {
  readonly chain_valid: boolean
  readonly from: number
  /** The last seq found good; `from` - 1 where there is none. */
  readonly to: number
  readonly count: number
  /** Merkle root, in hex, over all entries up to `to`; empty where what is before `from` is not known. */
  readonly root: string
  /** The first place that does not hold its right entry; absent where only a root is wrong. */
  readonly first_bad_seq?: number
  readonly problem?: ChainProblem
  readonly detail: string
}

interface Finding {
  readonly problem: ChainProblem
  readonly seq: number | undefined
  readonly detail: string
}

/** One replay of a log, in order. */
export class Walk {
  readonly #expected: Expected
  readonly #start: number
  /** Undefined where what is before the start is not known. */
  readonly #frontier: Frontier | undefined
  /** Sizes whose root is to be compared, ascending. */
  readonly #marks: { readonly size: number; readonly root: string }[]
  #size: number
  #prev: string
  #ts = ''
  #found: Finding | undefined
  /** A root that is not that of its checkpoint: told only where nothing names the entry that is to blame. */
  #otherRoot: Finding | undefined
  /** An entry whose link is broken; what follows it tells whether it or the entry before was altered. */
  #suspect: { readonly seq: number; readonly hash: string } | undefined

  constructor(expected: Expected) {
    const { from } = expected
    this.#expected = expected
    this.#start = from?.seq ?? 0
    this.#prev = from?.prev ?? genesisPrev
    this.#size = this.#start
    this.#frontier = frontierOf(expected)
    const checkpoints = expected.checkpoints ?? []
    this.#marks = checkpoints.filter(({ size }) => size >= this.#start).toSorted((a, b) => a.size - b.size)
    this.#compareMarks()
  }

  /** How many entries the log has up to here. */
  get size(): number {
    return this.#size
  }

  /** Takes a whole range at once. False: it does not join what is here, or ends are to be seen inside it: go through it. */
  acceptRange(range: RangeSummary): boolean {
    const end = range.first + range.count
    const { head, log } = this.#expected
    if (this.#suspect !== undefined || this.#found !== undefined) return false
    if (range.log !== log || range.first !== this.#size || range.prev !== this.#prev || range.firstTs < this.#ts)
      return false
    if (head !== undefined && end > head.size) return false
    if (this.#frontier !== undefined && this.#marks.some(({ size }) => size < end)) return false
    this.#frontier?.append(range.subtrees)
    this.#size = end
    this.#prev = range.lastHash
    this.#ts = range.lastTs
    this.#compareMarks()
    return true
  }

  /** Whether to go on. */
  accept(item: ChainItem): boolean {
    if (this.#found !== undefined) return false
    if (this.#suspect !== undefined) {
      const parsed = parseEntry(item.entry)
      this.#blame(parsed.ok ? parsed.entry.prev : undefined)
      return false
    }
    const parsed = parseEntry(item.entry)
    // Where nothing is stored beside it, an entry is where it says that it is, and one that cannot be read is where it stands.
    const seq = item.seq ?? (parsed.ok ? parsed.entry.seq : this.#size)
    this.#found = this.#place(seq) ?? this.#content(item, parsed)
    this.#compareMarks()
    return this.#found === undefined
  }

  finish(): VerifyResult {
    const next = this.#size
    if (this.#suspect !== undefined && this.#found === undefined) {
      const { head } = this.#expected
      this.#blame(head?.size === this.#suspect.seq + 1 ? head.lastHash : undefined)
    }
    const found = this.#found ?? this.#end()
    const root = this.#frontier?.root().toString('hex') ?? ''
    const summary = { from: this.#start, to: next - 1, count: next - this.#start, root }
    if (found === undefined) {
      return { chain_valid: true, ...summary, detail: `${summary.count} entries, every link and hash holds` }
    }
    const place = found.seq === undefined ? {} : { first_bad_seq: found.seq }
    return { chain_valid: false, ...summary, ...place, problem: found.problem, detail: found.detail }
  }

  #place(stored: bigint | number): Finding | undefined {
    const seq = this.#size
    const { head } = this.#expected
    if (head !== undefined && seq >= head.size) {
      return { problem: 'head_mismatch', seq: head.size, detail: `there are entries behind the head at ${head.size}` }
    }
    if (BigInt(stored) > BigInt(seq)) {
      return { problem: 'gap', seq, detail: `entry ${seq} is missing; the next one there is ${stored}` }
    }
    if (BigInt(stored) < BigInt(seq)) {
      return { problem: 'bad_seq', seq, detail: `entry ${stored} stands where entry ${seq} belongs` }
    }
    return undefined
  }

  #content(item: ChainItem, parsed: ParsedEntry): Finding | undefined {
    const seq = this.#size
    if (!parsed.ok) return { problem: 'bad_bytes', seq, detail: `entry ${seq} cannot be read: ${parsed.why}` }
    const { entry } = parsed
    if (entry.log !== this.#expected.log) {
      return { problem: 'wrong_log', seq, detail: `entry ${seq} belongs to the log ${entry.log}` }
    }
    if (entry.seq !== seq) {
      return { problem: 'bad_seq', seq, detail: `the bytes at ${seq} are those of entry ${entry.seq}` }
    }
    return this.#links(item, entry)
  }

  #links(item: ChainItem, entry: Entry): Finding | undefined {
    const { seq } = entry
    const hash = recordHash(item.entry)
    if (item.leaf !== undefined && !digestsEqual(item.leaf, hash)) {
      return { problem: 'bad_leaf', seq, detail: `the leaf hash stored with entry ${seq} is not the hash of its bytes` }
    }
    if (entry.prev !== this.#prev) {
      const detail = `entry ${seq} does not hold the hash of what stands before it`
      if (seq === this.#start) return { problem: 'bad_link', seq, detail }
      this.#suspect = { seq, hash: hash.toString('hex') }
      return undefined
    }
    if (entry.ts < this.#ts) {
      return { problem: 'ts_back', seq, detail: `the time of entry ${seq}, ${entry.ts}, is before ${this.#ts}` }
    }
    this.#frontier?.push(hash)
    this.#size += 1
    this.#prev = hash.toString('hex')
    this.#ts = entry.ts
    return undefined
  }

  /** `witness` is the hash of the suspect as the next entry or the head has it. */
  #blame(witness: string | undefined): void {
    if (this.#suspect === undefined) return
    const { seq, hash } = this.#suspect
    const intact = witness === hash
    this.#found = {
      problem: 'bad_link',
      seq: intact ? seq - 1 : seq,
      detail: intact
        ? `entry ${seq - 1} was altered: entry ${seq} holds another hash for it`
        : `entry ${seq} does not hold the hash of entry ${seq - 1}`,
    }
  }

  /** Compares the roots of the checkpoints that are reached. */
  #compareMarks(): void {
    for (let mark = this.#marks[0]; mark !== undefined && mark.size === this.#size; mark = this.#marks[0]) {
      this.#marks.shift()
      if (this.#frontier === undefined || this.#frontier.root().toString('hex') === mark.root) continue
      const detail = `the first ${mark.size} entries are not those of the checkpoint of that size: they were replaced`
      this.#otherRoot ??= { problem: 'checkpoint_mismatch', seq: undefined, detail }
    }
  }

  #end(): Finding | undefined {
    const found = this.#atHead() ?? this.#otherRoot
    const [missed] = this.#marks
    if (found !== undefined || missed === undefined) return found
    const detail = `a checkpoint covers ${missed.size} entries, ${this.#size} are there: entry ${this.#size} and what follows is missing`
    return { problem: 'checkpoint_mismatch', seq: this.#size, detail }
  }

  #atHead(): Finding | undefined {
    const { head } = this.#expected
    const size = this.#size
    if (head === undefined) return undefined
    if (size !== head.size) {
      const seq = Math.min(size, head.size)
      return { problem: 'head_mismatch', seq, detail: `the head counts ${head.size} entries, ${size} are there` }
    }
    if (head.lastHash !== undefined && head.lastHash !== this.#prev) {
      const seq = Math.max(size - 1, 0)
      return { problem: 'head_mismatch', seq, detail: `entry ${seq} is not the last entry that the head knows` }
    }
    if (head.root === undefined || this.#frontier === undefined) return undefined
    if (head.root !== this.#frontier.root().toString('hex')) {
      return { problem: 'head_mismatch', seq: undefined, detail: 'the Merkle root is not the root that the head knows' }
    }
    return undefined
  }
}

function frontierOf({ from }: Expected): Frontier | undefined {
  if (from === undefined) return new Frontier()
  return from.frontier === undefined ? undefined : Frontier.fromBytes(from.seq, from.frontier)
}
