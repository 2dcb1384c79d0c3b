import { Frontier, verifyChain, type ChainItem } from '#ledger'
import type { EntryRow, LogHead, LogVerdict, ReaderPort, ReadScope } from '#hub'

// A page is a transaction of its own, so that a long log meets no statement timeout and holds no snapshot.
const pageEntries = 200
const deadlineMs = 10 * 60_000

type Verdict = LogVerdict | 'too_long' | undefined

/**
 * Replays logs page by page against their heads (SPEC L10), in bounded memory. One replay for each tenant at a time: who asks for
 * the same log shares its result, who asks for another waits.
 */
export class LogVerifier {
  readonly #pages: Pick<ReaderPort, 'head' | 'entriesFrom'>
  readonly #running = new Map<string, { readonly log: string; readonly verdict: Promise<Verdict> }>()

  constructor(pages: Pick<ReaderPort, 'head' | 'entriesFrom'>) {
    this.#pages = pages
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
    const head = await this.#pages.head(scope, log)
    if (head === undefined) return undefined
    const deadline = new Deadline()
    const result = await verifyChain(this.#entries(scope, log, head, deadline), { log, head })
    if (deadline.passed) return 'too_long'
    return {
      chainValid: result.chain_valid,
      from: result.from,
      // Where the entry after the bad one told of it, the replay had gone one further.
      to: Math.min(result.to, (result.first_bad_seq ?? result.to + 1) - 1),
      root: result.root,
      firstBadSeq: result.first_bad_seq,
      problem: result.chain_valid ? '' : `${result.problem ?? ''}: ${result.detail}`,
    }
  }

  async *#entries(scope: ReadScope, log: string, head: LogHead, deadline: Deadline): AsyncGenerator<ChainItem> {
    let next = 0
    while (next < head.size) {
      if (deadline.check()) return
      const rows = await this.#pages.entriesFrom(scope, log, next, Math.min(pageEntries, head.size - next))
      for (const row of rows) yield itemOf(row)
      const last = rows.at(-1)
      if (last === undefined) return
      next = Number(last.seq) + 1
    }
    // What stood behind the head when the head was read is not part of the log.
    if (head.lastSeq >= head.size) {
      for (const row of await this.#pages.entriesFrom(scope, log, head.size, 1)) yield itemOf(row)
    }
  }
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
}): LogHead {
  const size = Number(row.size)
  return {
    size,
    root: Frontier.fromBytes(size, row.frontier).root().toString('hex'),
    lastHash: Buffer.from(row.lastHash).toString('hex'),
    lastSeq: row.lastSeq === null ? -1 : Number(row.lastSeq),
  }
}

function itemOf({ seq, entry, leaf }: EntryRow): ChainItem {
  return { seq: BigInt(seq), entry, leaf }
}
