import { setTimeout as delay } from 'node:timers/promises'
import type { Sink, SinkCheckpoint } from '#ledger'

const busyWaitMs = 50
// A replica that is frozen while it publishes must not keep the others from it.
const patienceMs = 1500

interface Lane {
  sending: SinkCheckpoint | undefined
  /** The newest that waits; an older one that waited is not worth sending. */
  next: SinkCheckpoint | undefined
  acknowledged: number
}

export interface PublisherParts {
  readonly sinks: readonly Sink[]
  readonly deadlineMs: number
  /** Does the work while no other replica publishes this log to this sink; `busy` where one is at it. */
  readonly alone: <Result>(log: string, sink: string, work: () => Promise<Result>) => Promise<Result | 'busy'>
  /** What the sink has acknowledged to any replica. */
  readonly known: (log: string, sink: string) => Promise<number>
  readonly acknowledged: (log: string, sink: string, size: number) => Promise<void>
  readonly failed: (sink: string, error: unknown) => void
}

/** Hands checkpoints to every sink, to each in its own time: one that hangs holds up no other. */
export class Publisher {
  readonly #parts: PublisherParts
  readonly #lanes = new Map<string, Lane>()
  readonly #waiting = new Set<() => void>()
  readonly #working = new Set<Promise<void>>()
  readonly #closing = new AbortController()

  constructor(parts: PublisherParts) {
    this.#parts = parts
  }

  /** Begins to publish it wherever it is not known yet. Never waits. */
  publish(checkpoint: SinkCheckpoint, known: Readonly<Record<string, number>> = {}): void {
    for (const sink of this.#parts.sinks) {
      const lane = this.#lane(checkpoint.log, sink.name)
      lane.acknowledged = Math.max(lane.acknowledged, known[sink.name] ?? 0)
      if (furthest(lane) >= checkpoint.size || this.#closing.signal.aborted) continue
      lane.next = checkpoint
      if (lane.sending === undefined) this.#send(sink, lane)
    }
  }

  /**
   * Whether that many sinks acknowledged a checkpoint of the log over at least that many entries, before the signal. False as soon as
   * too few of them can still do so.
   */
  async confirmed(log: string, size: number, atLeast: number, signal: AbortSignal): Promise<boolean> {
    const lanes = this.#parts.sinks.map(({ name }) => this.#lane(log, name))
    for (;;) {
      if (lanes.filter(({ acknowledged }) => acknowledged >= size).length >= atLeast) return true
      if (lanes.filter((lane) => furthest(lane) >= size).length < atLeast) return false
      if (signal.aborted || this.#closing.signal.aborted) return false
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#waiting.delete(wake)
          signal.removeEventListener('abort', wake)
          resolve()
        }
        this.#waiting.add(wake)
        signal.addEventListener('abort', wake)
      })
    }
  }

  /** Gives up what is under way. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('the server is shutting down'))
    this.#wake()
    await Promise.all(this.#working)
  }

  #send(sink: Sink, lane: Lane): void {
    const checkpoint = lane.next
    if (checkpoint === undefined || this.#closing.signal.aborted) return
    lane.sending = checkpoint
    lane.next = undefined
    const work = this.#attempt(sink, lane, checkpoint).finally(() => this.#working.delete(work))
    this.#working.add(work)
  }

  async #attempt(sink: Sink, lane: Lane, checkpoint: SinkCheckpoint): Promise<void> {
    const { deadlineMs, alone, failed } = this.#parts
    const signal = AbortSignal.any([AbortSignal.timeout(deadlineMs), this.#closing.signal])
    try {
      const sinceMs = performance.now()
      for (;;) {
        let reached = await alone(checkpoint.log, sink.name, () => this.#deliver(sink, checkpoint, signal))
        if (reached === 'busy' && performance.now() - sinceMs > patienceMs) {
          reached = await this.#deliver(sink, checkpoint, signal)
        }
        if (reached !== 'busy') {
          lane.acknowledged = Math.max(lane.acknowledged, reached)
          break
        }
        await delay(busyWaitMs, undefined, { ref: false, signal })
      }
    } catch (error) {
      failed(sink.name, error)
    }
    lane.sending = undefined
    this.#send(sink, lane)
    this.#wake()
  }

  /** What the sink has acknowledged afterwards. */
  async #deliver(sink: Sink, checkpoint: SinkCheckpoint, signal: AbortSignal): Promise<number> {
    const { known, acknowledged } = this.#parts
    const reached = await known(checkpoint.log, sink.name)
    if (reached >= checkpoint.size) return reached
    await within(signal, () => sink.publish(checkpoint, signal))
    await acknowledged(checkpoint.log, sink.name, checkpoint.size)
    return checkpoint.size
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
  }

  #lane(log: string, sink: string): Lane {
    const name = `${sink} ${log}`
    const lane = this.#lanes.get(name) ?? { sending: undefined, next: undefined, acknowledged: 0 }
    this.#lanes.set(name, lane)
    return lane
  }
}

/** What it has acknowledged, or may do so once what is on its way arrives. */
function furthest({ acknowledged, sending, next }: Lane): number {
  return Math.max(acknowledged, sending?.size ?? 0, next?.size ?? 0)
}

/** The work, or a rejection when the signal is over: a sink that forgets its signal hangs nobody. */
export async function within<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
  let over: (() => void) | undefined
  const late = new Promise<never>((_, reject) => {
    over = () => reject(signal.reason instanceof Error ? signal.reason : new Error('it took too long'))
    if (signal.aborted) over()
    else signal.addEventListener('abort', over)
  })
  try {
    return await Promise.race([work(), late])
  } finally {
    if (over !== undefined) signal.removeEventListener('abort', over)
  }
}
