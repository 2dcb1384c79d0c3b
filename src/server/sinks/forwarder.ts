import { setTimeout as delay } from 'node:timers/promises'
import type { Sink, SinkEntry, SinkNotice } from '#ledger'
import type { LogBehind, SinkCursors } from '#store'
import { Outage, type OutageTold } from './outage.ts'
import { catchUp, positionOf, type Position } from './position.ts'

export interface ForwarderParts {
  readonly sink: Sink
  readonly cursors: Pick<SinkCursors, 'has' | 'entries' | 'advance'>
  /** The host of the origins of all logs. */
  readonly host: string
  readonly notice: (notice: SinkNotice) => void
  readonly told: OutageTold
  readonly count: (result: 'sent' | 'failed', entries: number) => void
  /** Between 0 and 1, for the jitter. */
  readonly random: () => number
  /** For one batch, everything included. */
  readonly attemptMs: number
  /** Resolves after that time, or when the signal says so. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>
  /** Monotonic milliseconds. */
  readonly now: () => number
}

export const forwarderDefaults = {
  random: Math.random,
  attemptMs: 5000,
  wait: (ms: number, signal: AbortSignal) => delay(ms, undefined, { signal, ref: false }).catch(() => undefined),
  now: () => performance.now(),
} as const

const ladderMs = [1000, 2000, 5000, 30_000] as const

/** Whatever is wrong is not the sink's: the store is away, and the next look tries again. */
class StoreAway extends Error {}

/** Sends what one sink has not had: one batch of each log in turn, each in order, nothing before the batch before is acknowledged. */
export class Forwarder {
  readonly #parts: ForwarderParts
  readonly #logs = new Map<string, Position>()
  readonly #outage: Outage
  readonly #stop = new AbortController()
  #working: Promise<void> | undefined
  /** A call of the sink that has not settled although its time was up: it is waited for, so that none overtakes it. */
  #stuck: Promise<unknown> | undefined
  #failuresInARow = 0
  /** Logs of which the sink has been sent something: what happens to those afterwards it tells itself. */
  readonly #begun = new Set<string>()

  constructor(parts: ForwarderParts) {
    this.#parts = parts
    this.#outage = new Outage(parts.sink.name, parts.told)
  }

  /** What waits, by the last look and what has been sent since. */
  get lag(): { readonly entries: number; readonly seconds: number } {
    let [entries, seconds] = [0, 0]
    for (const { size, next, waitingSeconds } of this.#logs.values()) {
      entries += Math.max(0, size - next)
      if (size > next) seconds = Math.max(seconds, waitingSeconds)
    }
    return { entries, seconds }
  }

  get #attemptMs(): number {
    return this.#parts.sink.attemptMs ?? this.#parts.attemptMs
  }

  /** What a look found. `mine`: whether this process is the one that sends; another one's work is only measured. */
  look(behind: readonly LogBehind[], mine: boolean): void {
    const found = new Set(behind.map(({ log }) => log))
    for (const [log, position] of this.#logs) {
      // What is sent again although the cursor is at the end is not found by looking at cursors.
      if (found.has(log) || (mine && position.next < position.size)) continue
      this.#logs.delete(log)
      this.#outage.worked(log)
    }
    for (const one of behind) {
      const known = mine ? this.#logs.get(one.log) : undefined
      if (known === undefined) this.#logs.set(one.log, positionOf(one, this.#parts.host))
      else catchUp(known, one)
    }
    if (!mine || this.#working !== undefined || this.#stop.signal.aborted) return
    this.#working = this.#work().finally(() => {
      this.#working = undefined
    })
  }

  /** Lets the batch that is on its way end, within its deadline. */
  async close(): Promise<void> {
    this.#stop.abort()
    const late = new AbortController()
    // A sink that does not keep its deadline holds up no stop.
    const given = delay(this.#parts.attemptMs, undefined, { signal: late.signal }).catch(() => undefined)
    await Promise.race([this.#working, given])
    late.abort()
  }

  async #work(): Promise<void> {
    for (;;) {
      const position = this.#first()
      if (position === undefined || this.#stop.signal.aborted || !this.#parts.cursors.has(this.#parts.sink.name)) return
      // To the end of the line, so that a log with much to send holds up none with little.
      this.#logs.delete(position.of.log)
      this.#logs.set(position.of.log, position)
      if (!(await this.#turn(position))) return
    }
  }

  #first(): Position | undefined {
    const now = this.#parts.now()
    for (const one of this.#logs.values()) if (one.next < one.size && one.notBefore <= now) return one
    return undefined
  }

  /** False where there is nothing to do before the next look. */
  async #turn(position: Position): Promise<boolean> {
    try {
      await this.#stuck
      const sent = await this.#batch(position)
      this.#failuresInARow = 0
      position.failures = 0
      this.#outage.worked(position.of.log)
      if (sent > 0) this.#parts.count('sent', sent)
      return true
    } catch (error) {
      if (error instanceof StoreAway) return false
      this.#failed(position, error)
      const waitMs = this.#pause(this.#failuresInARow, error)
      await this.#parts.wait(waitMs, this.#stop.signal)
      return true
    }
  }

  #failed(position: Position, error: unknown): void {
    position.failures += 1
    this.#failuresInARow += 1
    position.notBefore = this.#parts.now() + this.#pause(position.failures, error)
    this.#parts.count('failed', 0)
    this.#outage.failed(position.of.log, error)
  }

  #pause(failures: number, error: unknown): number {
    const asked = error instanceof Error && 'retryAfterMs' in error ? Number(error.retryAfterMs ?? 0) : 0
    const step = ladderMs[Math.min(failures, ladderMs.length) - 1] ?? ladderMs[0]
    return Math.max(Math.round(step * (0.8 + 0.4 * this.#parts.random())), asked)
  }

  /** One batch of a log; answers how many entries of it have been acknowledged. */
  async #batch(position: Position): Promise<number> {
    const { sink, cursors } = this.#parts
    const { of } = position
    const signal = AbortSignal.timeout(this.#attemptMs)
    const asked = sink.next === undefined ? undefined : await this.#within(signal, sink.next(of, signal))
    const from = Math.max(asked ?? position.next, position.begun)
    if (from > position.size) {
      throw new Error(
        `it holds entries of ${of.log} up to ${from - 1}, and the database ends at ${position.size - 1}: the database is older than the sink; verify both, and keep what the sink holds`,
      )
    }
    this.#tellAgain(position, from)
    const entries = unbroken(await store(cursors.entries(of.log, from)))
    const [first] = entries
    const next = first === undefined ? position.size : first.seq + entries.length
    this.#tellMissing(position, from, first?.seq ?? position.size)
    if (first !== undefined) {
      await this.#within(signal, sink.send({ ...of, entries }, signal))
    }
    this.#begun.add(of.log)
    position.next = next
    position.size = Math.max(position.size, next)
    if (next > position.cursor) {
      await store(cursors.advance(sink.name, of.log, next))
      position.cursor = next
    }
    return entries.length
  }

  /** The far side has lost what it had acknowledged while nobody watched it. */
  #tellAgain(position: Position, from: number): void {
    const { cursor, of } = position
    if (from >= cursor || this.#begun.has(of.log)) return
    const detail = `it had acknowledged entries up to ${cursor - 1} and goes on with ${from}: they are sent again, as far as they are kept. Find out what became of them.`
    this.#parts.notice({ what: 'sent_again', log: of.log, detail })
  }

  #tellMissing(position: Position, from: number, first: number): void {
    if (first <= from || first <= position.toldTo) return
    position.toldTo = first
    const detail = `entries ${from} to ${first - 1} are not in the database any more, and the sink does not hold them. Look for them in the archive of the retention, and verify the log.`
    this.#parts.notice({ what: 'missing', log: position.of.log, detail })
  }

  /** What a sink answers, or a rejection when the time is up; then it is not asked again before that call has settled. */
  async #within<Result>(signal: AbortSignal, answer: Promise<Result>): Promise<Result> {
    const settled = answer.then(
      () => undefined,
      () => undefined,
    )
    this.#stuck = settled
    let late: (() => void) | undefined
    const timeout = new Promise<never>((_, reject) => {
      late = () => reject(new Error(`no answer within ${this.#attemptMs / 1000} s`))
      signal.addEventListener('abort', late, { once: true })
    })
    try {
      return await Promise.race([answer, timeout])
    } finally {
      if (late !== undefined) signal.removeEventListener('abort', late)
    }
  }
}

async function store<Result>(answer: Promise<Result>): Promise<Result> {
  try {
    return await answer
  } catch (error) {
    throw new StoreAway('the store is away', { cause: error })
  }
}

/** Up to the first place that is missing. */
function unbroken(entries: readonly SinkEntry[]): readonly SinkEntry[] {
  const [first] = entries
  const end = entries.findIndex(({ seq }, index) => seq !== (first?.seq ?? 0) + index)
  return end < 0 ? entries : entries.slice(0, end)
}
