import type { Client } from './client.ts'
import { readBody } from './entry-line.ts'
import { CliError } from './errors.ts'
import type { Io } from './io.ts'
import { entryPage, type Entry } from './replies.ts'

const soonestMs = 1000
const latestMs = 5000
// Far below what a server sends in one reply.
const pageSizeMax = 200
const ownRequestsMax = 256
// Of 50,000 entries each.
const looksMax = 20

/** The end of one log, read again and again. Entries come oldest first. */
export class Tail {
  readonly #client: Client
  readonly #filter: object
  readonly #ownRequests = new Set<string>()
  #lastSeq = -1n

  constructor(client: Client, filter: object) {
    this.#client = client
    this.#filter = filter
  }

  /** The newest entries. */
  newest(limit: number): Promise<readonly Entry[]> {
    return this.#read(limit)
  }

  /**
   * Goes on with new entries until the process ends. Each look is a call that is recorded like any other: its entry is left
   * out, or the tail would follow itself for ever. Looks become rarer while nothing happens.
   */
  async follow(show: (entries: readonly Entry[]) => void, io: Io): Promise<never> {
    let waitMs = soonestMs
    let isLost = false
    for (;;) {
      await io.sleep(waitMs)
      try {
        const fresh = await this.#read(Infinity)
        const others = fresh.filter((entry) => !this.#ownRequests.has(readBody(entry).requestId ?? ''))
        show(others)
        waitMs = others.length > 0 ? soonestMs : Math.min(latestMs, waitMs * 1.5)
        isLost = false
      } catch (error) {
        if (!(error instanceof CliError) || !isPassing(error)) throw error
        if (!isLost) io.err.write(`${error.message} Trying again.\n`)
        isLost = true
        waitMs = latestMs
      }
    }
  }

  /** At most `limit` of the entries that were not read before, over as many pages as it takes. */
  async #read(limit: number): Promise<readonly Entry[]> {
    const found: Entry[] = []
    let pageToken = ''
    let looks = 0
    do {
      looks += 1
      const pageSize = Math.min(pageSizeMax, limit - found.length)
      const message = JSON.stringify({ ...this.#filter, pageSize, pageToken })
      const { body, requestId } = await this.#client.callText('LedgerService/Query', message)
      this.#remember(requestId)
      const page = this.#client.parse(body, entryPage)
      const fresh = page.rows.filter(({ seq }) => BigInt(seq) > this.#lastSeq)
      found.push(...fresh)
      // A filter that no index serves gives short pages, also empty ones: the first look goes on behind them.
      const goesOn = fresh.length === page.rows.length && (fresh.length > 0 || (this.#lastSeq < 0n && looks < looksMax))
      pageToken = goesOn ? page.nextPageToken : ''
    } while (pageToken !== '' && found.length < limit)
    this.#lastSeq = BigInt(found[0]?.seq ?? this.#lastSeq)
    return found.toReversed()
  }

  #remember(requestId: string | undefined): void {
    if (requestId === undefined) return
    this.#ownRequests.add(requestId)
    const [oldest] = this.#ownRequests
    if (oldest !== undefined && this.#ownRequests.size > ownRequestsMax) this.#ownRequests.delete(oldest)
  }
}

/** What may be over in a moment: no connection, a server that restarts, too many calls. */
function isPassing({ exit, code }: CliError): boolean {
  return exit === 'unavailable' || code === 'rate.limited' || code === 'server.draining' || code.startsWith('store.')
}
