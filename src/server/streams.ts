import type { Message } from '@bufbuild/protobuf'
import { refuse, type Caller, type Refusal } from '#core'
import { decide, locate, type Call, type GatePorts } from '#gate'
import type { Opened } from '#hub'
import { withoutBuckets } from './recheck.ts'

export interface StreamBounds {
  /** Between two looks whether a stream may go on. */
  readonly tickMs: number
  /** Where nothing was said for so long, it is said that the stream lives. */
  readonly heartbeatMs: number
  /** Streams of one caller, of all callers of one tenant, and of all together. */
  readonly perCallerMax: number
  readonly perTenantMax: number
  readonly streamsMax: number
  /** A client that reads nothing for so long is let go, and one that has so many messages before it at once. */
  readonly stuckMs: number
  readonly waitingMax: number
}

export const streamDefaults: StreamBounds = {
  tickMs: 300,
  heartbeatMs: 5000,
  perCallerMax: 8,
  perTenantMax: 256,
  streamsMax: 1024,
  stuckMs: 30_000,
  waitingMax: 2000,
}

/** Whoever hears of a stream: one call, over either door. */
export interface Hearer {
  /** Whether what was said before has been taken. */
  ready(): boolean
  say(message: Message): void
  /** `why` is what a call would be refused with now. */
  end(why: Refusal): void
}

interface Stream {
  readonly call: Call
  readonly caller: Caller
  readonly ownOnly: boolean
  readonly opened: Opened
  readonly hearer: Hearer
  readonly waiting: Message[]
  leave: () => void
  takenAt: number
  saidAt: number
}

/**
 * The streams that methods of the contract answer with, over both doors (SPEC K3). What is said to a slow reader waits, within bounds. Again
 * and again the gate decides on the call that opened a stream, without its buckets: it ends with its credential, and where a kill
 * switch stops it.
 */
export class Streams {
  readonly #gate: GatePorts
  readonly #bounds: StreamBounds
  readonly #streams = new Set<Stream>()
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(gate: GatePorts, bounds = streamDefaults) {
    this.#gate = withoutBuckets(gate)
    this.#bounds = bounds
  }

  get size(): number {
    return this.#streams.size
  }

  /** Why there is no room for another stream of that caller. */
  full(caller: Caller): Refusal | undefined {
    const { perCallerMax, perTenantMax, streamsMax } = this.#bounds
    if (this.#closed) return refuse('server.draining', 'streams end')
    if (this.#streams.size >= streamsMax)
      return refuse('store.busy', `${streamsMax} streams are open`, { retryAfterSeconds: 10 })
    const near = [...this.#streams].filter((one) => one.caller.tenant.id === caller.tenant.id)
    const own = near.filter((one) => one.caller.id === caller.id)
    if (own.length >= perCallerMax) return tooMany(own.length, perCallerMax, 'caller')
    return near.length < perTenantMax ? undefined : tooMany(near.length, perTenantMax, 'tenant')
  }

  /** Says what the stream says, until it ends or the hearer leaves; answers how to leave. */
  join(call: Call, caller: Caller, ownOnly: boolean, opened: Opened, hearer: Hearer): () => void {
    // Others may have come since there was room.
    const late = this.full(caller)
    if (late !== undefined) {
      hearer.end(late)
      return () => undefined
    }
    const now = this.#now()
    const stream: Stream = {
      call,
      caller,
      ownOnly,
      opened,
      hearer,
      waiting: [],
      leave: () => undefined,
      takenAt: now,
      saidAt: now,
    }
    this.#streams.add(stream)
    stream.leave = opened.listen((messages) => this.#hear(stream, messages))
    this.#hear(stream, opened.first())
    this.#timer ??= setInterval(() => this.#tick(), this.#bounds.tickMs).unref()
    return () => this.#drop(stream)
  }

  /** Ends every stream; there are no more. */
  close(): Promise<void> {
    this.#closed = true
    for (const stream of this.#streams) this.#end(stream, refuse('server.draining', 'the server stops'))
    clearInterval(this.#timer)
    return Promise.resolve()
  }

  #now(): number {
    return this.#gate.clock.monotonic()
  }

  #hear(stream: Stream, messages: readonly Message[]): void {
    if (messages.length === 0 || !this.#streams.has(stream)) return
    stream.waiting.push(...messages)
    this.#flush(stream)
    if (stream.waiting.length > this.#bounds.waitingMax) this.#end(stream, slow)
  }

  #flush(stream: Stream): void {
    const { hearer, waiting } = stream
    let next: Message | undefined
    while (hearer.ready() && (next = waiting.shift()) !== undefined) {
      hearer.say(next)
      stream.saidAt = this.#now()
    }
  }

  #tick(): void {
    for (const stream of this.#streams) {
      if (!this.#mayGoOn(stream)) continue
      this.#flush(stream)
      const now = this.#now()
      if (!stream.hearer.ready()) {
        if (now - stream.takenAt > this.#bounds.stuckMs) this.#end(stream, slow)
        continue
      }
      stream.takenAt = now
      if (now - stream.saidAt < this.#bounds.heartbeatMs) continue
      stream.hearer.say(stream.opened.heartbeat())
      stream.saidAt = now
    }
    if (this.#streams.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Nothing is said while nobody can tell; a stream whose caller may see less than when it began ends. */
  #mayGoOn(stream: Stream): boolean {
    const { bypass: _then, ...call } = stream.call
    const decision = decide(locate(call, this.#gate), this.#gate)
    if (decision.refused) {
      const unknown = /^(?:store|kill\.stale|auth\.authority)/.test(decision.refusal.code)
      if (!unknown) this.#end(stream, decision.refusal)
      return false
    }
    if (decision.ownOnly === stream.ownOnly) return true
    this.#end(stream, refuse('auth.scope_missing', 'what the caller may see has changed'))
    return false
  }

  #end(stream: Stream, why: Refusal): void {
    this.#drop(stream)
    stream.hearer.end(why)
  }

  #drop(stream: Stream): void {
    if (this.#streams.delete(stream)) stream.leave()
  }
}

const slow = refuse('bounds.deadline', 'the reader of a stream takes nothing', {
  detail: 'what was said was not read for too long',
})

function tooMany(open: number, max: number, whose: string): Refusal {
  return refuse('rate.limited', `${open} streams of the ${whose} are open`, {
    detail: `at most ${max} streams for each ${whose}`,
    retryAfterSeconds: 10,
  })
}
