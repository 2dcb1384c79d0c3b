import { Frontier, inTurns, RangePool, verifyBlocks, type Block, type Expected, type VerifyResult } from '#ledger'
import type { LogHead, LogStanding, LogVerdict, ReaderPort, ReadScope } from '#hub'
import type { EntriesBlock } from './entries-block.ts'

// A longer log is hashed on a thread of its own: the one that answers calls only hands blocks on.
const inTurnsMax = 4096
const deadlineMs = 10 * 60_000

type Verdict = LogVerdict | 'too_long' | undefined

/** What a replay reads. */
export interface LogSource extends Pick<ReaderPort, 'head' | 'tlog'> {
  /** Entries in order from one seq on and below another: some of them, undefined where there are none. */
  entriesBlock(scope: ReadScope, log: string, fromSeq: number, toSeq: number): Promise<EntriesBlock | undefined>
}

/**
 * Replays logs block by block against their heads (SPEC L10), in bounded memory. One replay for each tenant at a time: who asks for
 * the same log shares its result, who asks for another waits.
 */
export class LogVerifier {
  readonly #source: LogSource
  readonly #running = new Map<string, { readonly log: string; readonly verdict: Promise<Verdict> }>()

  constructor(source: LogSource) {
    this.#source = source
  }

  async verify(scope: ReadScope, log: string): Promise<Verdict> {
    for (;;) {
      const running = this.#running.get(scope.tenantId)
      if (running === undefined) break
      if (running.log === log) return running.verdict
      await running.verdict.catch(() => undefined)
    }
    const verdict = this.#replay(scope, log).finally(() => this.#running.delete(scope.tenantId))
    this.#running.set(scope.tenantId, { log, verdict })
    return verdict
  }

  async #replay(scope: ReadScope, log: string): Promise<Verdict> {
    // Before the head: what was signed by now must be in it.
    const standing = await this.#source.tlog.standing(scope, log)
    const head = await this.#source.head(scope, log)
    if (head === undefined || standing === undefined) return undefined
    const checkpoints = standing.checkpoint === undefined ? [] : [standing.checkpoint]
    const deadline = new Deadline()
    const expected: Expected = { log, head, from: head.begin, checkpoints }
    const result = await verify(this.#blocks(scope, log, head, deadline), expected, head)
    if (deadline.passed) return 'too_long'
    // Retention took the beginning away meanwhile: that is no gap.
    if (!result.chain_valid && (await this.#source.head(scope, log))?.begin?.seq !== head.begin?.seq) {
      return this.#replay(scope, log)
    }
    const signed = signedOf(standing)
    // Whole in itself, and yet not the log that was published.
    if (result.chain_valid && standing.stopped !== undefined) {
      return {
        ...signed,
        chainValid: false,
        from: result.from,
        to: Math.min(result.to, signed.checkpointSize - 1),
        root: result.root,
        firstBadSeq: signed.checkpointSize,
        problem: `rollback: ${standing.stopped}`,
      }
    }
    return {
      ...signed,
      chainValid: result.chain_valid,
      from: result.from,
      // Where the entry after the bad one told of it, the replay had gone one further.
      to: Math.min(result.to, (result.first_bad_seq ?? result.to + 1) - 1),
      root: result.root,
      firstBadSeq: result.first_bad_seq,
      problem: result.chain_valid ? cutByPolicy(head) : `${result.problem ?? ''}: ${result.detail}`,
    }
  }

  async *#blocks(scope: ReadScope, log: string, head: LogHead, deadline: Deadline): AsyncGenerator<Block> {
    let next = head.begin?.seq ?? 0
    while (next < head.size) {
      if (deadline.check()) return
      const found = await this.#source.entriesBlock(scope, log, next, head.size)
      if (found === undefined) return
      yield found.block
      next = found.lastSeq + 1
    }
    // What stood behind the head when the head was read is not part of the log.
    if (head.lastSeq >= head.size) {
      const behind = await this.#source.entriesBlock(scope, log, head.size, Number.MAX_SAFE_INTEGER)
      if (behind !== undefined) yield behind.block
    }
  }
}

async function verify(
  blocks: AsyncIterable<Block>,
  expected: Expected,
  { begin, size }: LogHead,
): Promise<VerifyResult> {
  if (size - (begin?.seq ?? 0) <= inTurnsMax) return verifyBlocks(blocks, expected, inTurns)
  await using pool = new RangePool(1)
  return await verifyBlocks(blocks, expected, pool)
}

function signedOf({ checkpoint, anchors }: LogStanding) {
  return { checkpointSize: checkpoint?.size ?? 0, anchoredSize: Math.max(0, ...anchors.map(({ size }) => size)) }
}

/** What says of a valid log why it does not begin at 0 (SPEC L12). */
function cutByPolicy({ begin }: LogHead): string {
  return begin === undefined ? '' : `truncated by policy at ${begin.seq}: see entry ${begin.pruneSeq}`
}

class Deadline {
  readonly #atMs = performance.now() + deadlineMs
  passed = false

  check(): boolean {
    this.passed = performance.now() > this.#atMs
    return this.passed
  }
}

/** The state of a head as the table has it. */
export function headOf(row: {
  readonly size: string
  readonly frontier: Uint8Array
  readonly lastHash: Uint8Array
  readonly lastSeq: string | null
  readonly below: string | null
  readonly belowPrev: string | null
  readonly belowFrontier: Uint8Array | null
  readonly pruneSeq: string | null
}): LogHead {
  const size = Number(row.size)
  return {
    size,
    root: Frontier.fromBytes(size, row.frontier).root().toString('hex'),
    lastHash: Buffer.from(row.lastHash).toString('hex'),
    lastSeq: row.lastSeq === null ? -1 : Number(row.lastSeq),
    begin:
      row.below === null || row.belowPrev === null || row.belowFrontier === null
        ? undefined
        : {
            seq: Number(row.below),
            prev: row.belowPrev,
            frontier: row.belowFrontier,
            pruneSeq: Number(row.pruneSeq),
          },
  }
}
