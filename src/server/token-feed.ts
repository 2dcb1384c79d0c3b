import type { Logger } from 'pino'
import { isRefusal, refuse, type Caller, type Refusal } from '#core'
import { decide, locate, type Call, type GatePorts } from '#gate'
import { bare, type EntryRow, type EventCursor, type ReaderPort } from '#hub'
import { withoutBuckets } from './recheck.ts'

export interface FeedParts {
  readonly gate: GatePorts
  readonly reader: Pick<ReaderPort, 'tokenEvents'>
  readonly log: Logger
  readonly bounds?: FeedBounds
}

export interface FeedBounds {
  readonly pollMs: number
  /** Streams of one caller, of all callers of one tenant, and of all together. */
  readonly perCallerMax: number
  readonly perTenantMax: number
  readonly streamsMax: number
  /** A client that reads nothing for so long is let go. */
  readonly stuckMs: number
}

export const feedDefaults: FeedBounds = {
  pollMs: 300,
  perCallerMax: 4,
  perTenantMax: 32,
  streamsMax: 64,
  stuckMs: 30_000,
}
const eventsAtOnce = 100

/** Whoever hears of token events: one HTTP response. */
export interface Listener {
  /** Whether what was told before has been taken. */
  ready(): boolean
  tell(events: readonly EntryRow[], next: EventCursor): void
  end(why: FeedEnd): void
}

/** `killed`: a kill switch stops who listens. */
export type FeedEnd = 'credential' | 'killed' | 'slow' | 'draining'

interface Stream {
  readonly call: Call
  readonly caller: Caller
  readonly listener: Listener
  cursor: EventCursor
  takenAt: number
}

/**
 * Tells streams what became of tokens (SPEC A11), out of the ledger and by cursor: nothing is kept for a client that is slow or away, and
 * nothing is lost for one that comes back. One look at a time for all streams of the process; those that are up to date share it.
 */
export class TokenFeed {
  readonly #parts: FeedParts
  readonly #bounds: FeedBounds
  /** The gate, without its buckets: it is asked again and again whether the credential still holds. */
  readonly #recheck: GatePorts
  readonly #streams = new Set<Stream>()
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined
  #closed = false

  constructor(parts: FeedParts) {
    this.#parts = parts
    this.#bounds = parts.bounds ?? feedDefaults
    this.#recheck = withoutBuckets(parts.gate)
  }

  get size(): number {
    return this.#streams.size
  }

  /** Why there is no room for another stream of that caller. */
  full(caller: Caller): Refusal | undefined {
    const { perCallerMax, perTenantMax, streamsMax } = this.#bounds
    if (this.#closed) return refuse('server.draining', 'token events end')
    if (this.#streams.size >= streamsMax)
      return refuse('store.busy', `${streamsMax} streams of token events are open`, { retryAfterSeconds: 10 })
    const near = [...this.#streams].filter((one) => one.caller.tenant.id === caller.tenant.id)
    const own = near.filter((one) => one.caller.id === caller.id)
    const limited = (open: number, max: number, whose: string): Refusal =>
      refuse('rate.limited', `${open} streams of the ${whose} are open`, {
        detail: `at most ${max} streams of token events for each ${whose}`,
        retryAfterSeconds: 10,
      })
    if (own.length >= perCallerMax) return limited(own.length, perCallerMax, 'caller')
    return near.length < perTenantMax ? undefined : limited(near.length, perTenantMax, 'tenant')
  }

  /** Tells the listener what comes after the cursor, until it leaves; answers how. */
  join(call: Call, caller: Caller, cursor: EventCursor, listener: Listener): () => void {
    const stream = { call, caller, listener, cursor, takenAt: this.#now() }
    this.#streams.add(stream)
    this.#schedule(0)
    return () => void this.#streams.delete(stream)
  }

  /** Ends every stream; there are no more. */
  async close(): Promise<void> {
    this.#closed = true
    for (const stream of this.#streams) this.#end(stream, 'draining')
    clearTimeout(this.#timer)
    await this.#looking
  }

  #now(): number {
    return this.#parts.gate.clock.monotonic()
  }

  #schedule(afterMs: number): void {
    if (this.#closed || this.#timer !== undefined || this.#looking !== undefined || this.#streams.size === 0) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      let more = false
      this.#looking = this.#look()
        .then((found) => {
          more = found
        })
        .catch((error: unknown) =>
          this.#parts.log.debug({ event: 'token_events.waiting', err: error }, 'token events wait for the store'),
        )
        .finally(() => {
          this.#looking = undefined
          this.#schedule(more ? 0 : this.#bounds.pollMs)
        })
    }, afterMs)
    this.#timer.unref()
  }

  /** Answers whether there is more to be told at once. */
  async #look(): Promise<boolean> {
    const due = [...this.#streams].filter((stream) => this.#isDue(stream))
    let more = false
    for (const streams of Map.groupBy(due, sameAnswer).values()) {
      const [first] = streams
      if (first === undefined) continue
      const scope = { tenantId: bare(first.caller.tenant.id), platform: false }
      const found = await this.#parts.reader.tokenEvents(scope, first.cursor, eventsAtOnce)
      // The tenant reads too much at a time: later.
      if (isRefusal(found)) continue
      more ||= found.more
      for (const stream of streams) {
        if (!this.#streams.has(stream)) continue
        stream.cursor = found.next
        stream.listener.tell(found.rows, found.next)
      }
    }
    return more
  }

  /** Whether the stream may hear more now. One whose credential has ended, or that is stuck, ends. */
  #isDue(stream: Stream): boolean {
    const { bypass: _then, ...call } = stream.call
    const decision = decide(locate(call, this.#recheck), this.#recheck)
    if (decision.refused) {
      // What cannot be told now may be told in a moment; meanwhile nobody hears anything.
      if (/^(?:store|kill\.stale|auth\.authority)/.test(decision.refusal.code)) return false
      this.#end(stream, decision.refusal.code === 'kill.engaged' ? 'killed' : 'credential')
      return false
    }
    const now = this.#now()
    if (stream.listener.ready()) {
      stream.takenAt = now
      return true
    }
    if (now - stream.takenAt > this.#bounds.stuckMs) this.#end(stream, 'slow')
    return false
  }

  #end(stream: Stream, why: FeedEnd): void {
    this.#streams.delete(stream)
    stream.listener.end(why)
  }
}

function sameAnswer({ caller, cursor }: Stream): string {
  return `${caller.tenant.id} ${JSON.stringify(cursor)}`
}
