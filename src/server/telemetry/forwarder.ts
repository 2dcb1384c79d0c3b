import type { Logger } from 'pino'
import type { AuditFields } from './audit-line.ts'
import { sendBounded, type Sent, type Target } from './bounded-send.ts'
import type { Spill } from './spill.ts'

/** One authorization decision on its way out: the fields of the audit line and when. */
export interface ForwardedEvent extends AuditFields {
  readonly at: string
}

export interface ForwarderParts {
  /** For the log and the metrics, such as `datadog-0`. */
  readonly name: string
  readonly target: Target
  /** A batch in the form that the target takes. */
  readonly encode: (events: readonly ForwardedEvent[]) => string | Promise<string>
  /** Undefined where there is no folder for it. */
  readonly spill: Spill | undefined
  readonly log: Logger
  readonly count: (result: 'sent' | 'spilled' | 'replayed' | 'dropped', events: number) => void
  /** Between the first event of a batch and its sending. */
  readonly gatherMs: number
  /** After a failed send, until the next try. */
  readonly retryMs: number
}

export const forwarderDefaults = { gatherMs: 1000, retryMs: 10_000 } as const
export const queueMax = 4096
const batchMax = 256
const closeMs = 3_000
// A target that says this of a batch says it each time, and whatever is behind the batch would wait for ever.
const refusedFor: ReadonlySet<number> = new Set([400, 413, 422])

type Became = 'sent' | 'dropped' | 'away'

/**
 * Sends events in batches to one system that watches this one. Giving it an event costs a push onto a bounded queue and cannot
 * fail; what becomes of it is nobody's wait (SPEC O4).
 */
export class Forwarder {
  readonly #parts: ForwarderParts
  readonly #queue: ForwardedEvent[] = []
  #timer: NodeJS.Timeout | undefined
  #working: Promise<void> | undefined
  #away = false
  /** Monotonic milliseconds; nothing is sent any more once it has passed. */
  #closeBy: number | undefined

  constructor(parts: ForwarderParts) {
    this.#parts = parts
    // What an earlier process left is sent without waiting for an event.
    if (parts.spill !== undefined) this.#plan(0)
  }

  give(event: ForwardedEvent): void {
    if (this.#queue.length >= queueMax) return this.#parts.count('dropped', 1)
    this.#queue.push(event)
    if (this.#working !== undefined || this.#closeBy !== undefined) return
    const full = this.#queue.length >= batchMax
    if (full && (!this.#away || this.#parts.spill !== undefined)) this.#start(!this.#away)
    else if (this.#timer === undefined) this.#plan(this.#away ? this.#parts.retryMs : this.#parts.gatherMs)
  }

  /** Sends what waits, for a few seconds at most; what cannot be sent is kept on disk where there is a folder for it. */
  async close(): Promise<void> {
    this.#closeBy = performance.now() + closeMs
    clearTimeout(this.#timer)
    await this.#working
    await this.#work(true)
    if (this.#queue.length > 0) this.#parts.count('dropped', this.#queue.splice(0).length)
  }

  #plan(afterMs: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (this.#working === undefined) this.#start(true)
    }, afterMs)
    this.#timer.unref()
  }

  #start(attempt: boolean): void {
    this.#working = this.#work(attempt).finally(() => {
      this.#working = undefined
      if (this.#closeBy !== undefined || this.#timer !== undefined) return
      if (this.#away) this.#plan(this.#parts.retryMs)
      else if (this.#queue.length > 0) this.#plan(this.#queue.length >= batchMax ? 0 : this.#parts.gatherMs)
    })
  }

  /** Without `attempt` the target counts as away still. Never rejects: a fault here is a line in the log. */
  async #work(attempt: boolean): Promise<void> {
    try {
      this.#away = !attempt
      if (attempt) await this.#replay()
      while (this.#queue.length > 0) {
        // Order: while older batches wait on disk, newer ones go behind them.
        const events = this.#queue.slice(0, batchMax)
        const became = this.#away ? 'away' : await this.#send(events)
        if (became !== 'away') this.#parts.count(became, events.length)
        else if (this.#parts.spill === undefined) return
        else await this.#keep(this.#parts.spill, events)
        this.#queue.splice(0, events.length)
      }
    } catch (error) {
      this.#parts.log.debug({ event: 'forwarder.failed', forwarder: this.#parts.name, err: error }, 'forwarder failed')
    }
  }

  async #send(events: readonly ForwardedEvent[]): Promise<Became> {
    const { target, encode, log, name } = this.#parts
    const leftMs = (this.#closeBy ?? Number.POSITIVE_INFINITY) - performance.now()
    const deadlineMs = Math.min(target.deadlineMs, leftMs)
    const sent: Sent =
      deadlineMs > 0
        ? await sendBounded({ ...target, deadlineMs }, () => encode(events))
        : { ok: false, why: 'the server stops' }
    if (sent.ok) return 'sent'
    log.debug({ event: 'forwarder.not_sent', forwarder: name, status: sent.status, why: sent.why }, 'events not sent')
    if (refusedFor.has(sent.status ?? 0)) return 'dropped'
    this.#away = true
    return 'away'
  }

  async #keep(spill: Spill, events: readonly ForwardedEvent[]): Promise<void> {
    const { count, log, name } = this.#parts
    try {
      await spill.keep(JSON.stringify(events))
      count('spilled', events.length)
    } catch (error) {
      log.debug({ event: 'forwarder.not_kept', forwarder: name, error: messageOf(error) }, 'events not kept')
      count('dropped', events.length)
    }
  }

  async #replay(): Promise<void> {
    const { spill, log, count, name } = this.#parts
    if (spill === undefined) return
    try {
      await spill.open()
    } catch (error) {
      log.debug({ event: 'forwarder.no_spill', forwarder: name, error: messageOf(error) }, 'no spill folder')
      return
    }
    for (let first = await spill.oldest(); first !== undefined; first = await spill.oldest()) {
      const events = eventsOf(first.text)
      const became = events.length > 0 ? await this.#send(events) : 'dropped'
      if (became === 'away') return
      count(became === 'sent' ? 'replayed' : 'dropped', events.length)
      try {
        await spill.removeOldest()
      } catch (error) {
        const fields = { event: 'forwarder.spill_stays', file: first.name, error: messageOf(error) }
        // Once per file: it is not offered again. One that was not sent is refused again after a restart, or holds nothing.
        if (became === 'sent')
          log.warn(fields, 'a spilled batch was sent and cannot be removed; a restart sends it again')
        else log.debug(fields, 'a spilled file that was not sent cannot be removed')
      }
    }
  }
}

/** The events of a spilled batch; none where the file is not one of ours any more. */
function eventsOf(text: string): readonly ForwardedEvent[] {
  try {
    const events: unknown = JSON.parse(text)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our own file, in our own folder
    return Array.isArray(events) ? (events as ForwardedEvent[]) : []
  } catch {
    return []
  }
}

/** The code alone where there is one: the message of a file error holds its whole path. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message
}
