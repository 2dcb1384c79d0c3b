import { digestsEqual } from '#core'
import { genesisPrev, parseEntry, recordHash, type Entry } from './entry.ts'
import { Frontier } from './tree.ts'

export type ChainProblem =
  'gap' | 'bad_link' | 'bad_bytes' | 'bad_leaf' | 'wrong_log' | 'ts_back' | 'bad_seq' | 'head_mismatch'

export interface ChainItem {
  readonly seq: bigint | number
  readonly entry: Uint8Array
  /** The leaf hash stored beside the entry, where there is one. */
  readonly leaf?: Uint8Array | undefined
}

export interface Expected {
  readonly log: string
  /** Where to begin, from something trusted; the beginning of the log without it. `frontier` as in audits.heads. */
  readonly from?: { readonly seq: number; readonly prev: string; readonly frontier: Uint8Array } | undefined
  /** Where to end, hashes in hex: a head or a checkpoint. Without it a cut tail and an altered last entry go unseen. */
  readonly head?: { readonly size: number; readonly root: string; readonly lastHash?: string | undefined } | undefined
}

/** Names as the interface shows them (SPEC L10). */
export interface VerifyResult {
  readonly chain_valid: boolean
  readonly from: number
  /** The last seq found good; `from` - 1 where there is none. */
  readonly to: number
  readonly count: number
  /** Merkle root, in hex, over all entries up to `to`. */
  readonly root: string
  /** The first place that does not hold its right entry; absent where only the root of the head is wrong. */
  readonly first_bad_seq?: number
  readonly problem?: ChainProblem
  readonly detail: string
}

/** Replays a log in order: bytes, places, links, hashes and at last the head. Memory is bounded; nothing is written. */
export async function verifyChain(
  entries: AsyncIterable<ChainItem> | Iterable<ChainItem>,
  expected: Expected,
): Promise<VerifyResult> {
  const walk = new Walk(expected)
  for await (const item of entries) {
    if (!walk.accept(item)) break
  }
  return walk.finish()
}

interface Finding {
  readonly problem: ChainProblem
  readonly seq: number | undefined
  readonly detail: string
}

class Walk {
  readonly #expected: Expected
  readonly #start: number
  readonly #frontier: Frontier
  #prev: string
  #ts = ''
  #found: Finding | undefined
  /** An entry whose link is broken; what follows it tells whether it or the entry before was altered. */
  #suspect: { readonly seq: number; readonly hash: string } | undefined

  constructor(expected: Expected) {
    const { from } = expected
    this.#expected = expected
    this.#start = from?.seq ?? 0
    this.#prev = from?.prev ?? genesisPrev
    this.#frontier = from === undefined ? new Frontier() : Frontier.fromBytes(from.seq, from.frontier)
  }

  /** Whether to go on. */
  accept(item: ChainItem): boolean {
    if (this.#suspect !== undefined) {
      const parsed = parseEntry(item.entry)
      this.#blame(parsed.ok ? parsed.entry.prev : undefined)
      return false
    }
    this.#found = this.#place(item) ?? this.#content(item)
    return this.#found === undefined
  }

  finish(): VerifyResult {
    const next = this.#frontier.size
    if (this.#suspect !== undefined && this.#found === undefined) {
      const { head } = this.#expected
      this.#blame(head?.size === this.#suspect.seq + 1 ? head.lastHash : undefined)
    }
    const found = this.#found ?? this.#end()
    const root = this.#frontier.root()
    const summary = { from: this.#start, to: next - 1, count: next - this.#start, root: root.toString('hex') }
    if (found === undefined) {
      return { chain_valid: true, ...summary, detail: `${summary.count} entries, every link and hash holds` }
    }
    const place = found.seq === undefined ? {} : { first_bad_seq: found.seq }
    return { chain_valid: false, ...summary, ...place, problem: found.problem, detail: found.detail }
  }

  #place(item: ChainItem): Finding | undefined {
    const seq = this.#frontier.size
    const { head } = this.#expected
    if (head !== undefined && seq >= head.size) {
      return { problem: 'head_mismatch', seq: head.size, detail: `there are entries behind the head at ${head.size}` }
    }
    if (BigInt(item.seq) > BigInt(seq)) {
      return { problem: 'gap', seq, detail: `entry ${seq} is missing; the next one there is ${item.seq}` }
    }
    if (BigInt(item.seq) < BigInt(seq)) {
      return { problem: 'bad_seq', seq, detail: `entry ${item.seq} stands where entry ${seq} belongs` }
    }
    return undefined
  }

  #content(item: ChainItem): Finding | undefined {
    const seq = this.#frontier.size
    const parsed = parseEntry(item.entry)
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
    this.#frontier.push(hash)
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

  #end(): Finding | undefined {
    const { head } = this.#expected
    const size = this.#frontier.size
    if (head === undefined) return undefined
    if (size !== head.size) {
      const seq = Math.min(size, head.size)
      return { problem: 'head_mismatch', seq, detail: `the head counts ${head.size} entries, ${size} are there` }
    }
    if (head.lastHash !== undefined && head.lastHash !== this.#prev) {
      const seq = Math.max(size - 1, 0)
      return { problem: 'head_mismatch', seq, detail: `entry ${seq} is not the last entry that the head knows` }
    }
    if (head.root !== this.#frontier.root().toString('hex')) {
      return { problem: 'head_mismatch', seq: undefined, detail: 'the Merkle root is not the root that the head knows' }
    }
    return undefined
  }
}
