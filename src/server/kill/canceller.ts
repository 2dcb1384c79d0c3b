import type { Logger } from 'pino'
import { publicId, uuidv7, type Clock, type Json } from '#core'
import { effect, type Answer, type Effect, type RecordedOutcome, type WriterPort } from '#hub'
import type { LedgerRecord } from '#ledger'
import type { KillThrough, KillWork, Replicas } from '#store'
import { killRecord } from './records.ts'

export interface CancellerParts {
  readonly clock: Clock
  readonly writer: Pick<WriterPort, 'submit'>
  readonly replicas: Pick<Replicas, 'killWork' | 'killsThrough'>
  readonly log: Logger
}

// Runs that one transaction ends, which has the lock of all writes; and reservations that are asked for at a time.
const atOnce = 200
const againAfterMs = 1000

/**
 * Ends what is under way in the scope of a kill (SPEC K3), in steps that each commit with their entry. What is left to do stands in the
 * database: where the replica that began it is gone, another one goes on. Several may be at it; a step that finds nothing does nothing.
 */
export class Canceller {
  readonly #parts: CancellerParts
  #timer: NodeJS.Timeout | undefined
  #working: Promise<void> | undefined
  #dueAt = Number.POSITIVE_INFINITY
  #again = false
  /** Steps of this look that failed, and why the first did. */
  #postponed = 0
  #fault: unknown
  #closed = false

  constructor(parts: CancellerParts) {
    this.#parts = parts
  }

  /** Looks for work in that time, or earlier where it was going to. */
  wake(afterMs: number): void {
    const dueAt = this.#parts.clock.monotonic() + afterMs
    if (this.#closed || dueAt >= this.#dueAt) return
    this.#dueAt = dueAt
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#begin(), afterMs).unref()
  }

  #begin(): void {
    this.#dueAt = Number.POSITIVE_INFINITY
    // One at a time: it looks again when it is through.
    if (this.#working !== undefined) return void (this.#again = true)
    this.#working = this.#work()
      .catch((error: unknown) => {
        this.#parts.log.warn({ event: 'kill.cancel_waits', err: error }, 'runs under a kill switch are ended later')
        return true
      })
      .then((later) => {
        this.#working = undefined
        if (this.#again) this.wake(0)
        else if (later) this.wake(againAfterMs)
        this.#again = false
      })
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#working
  }

  /** Answers whether to look again. */
  async #work(): Promise<boolean> {
    while (!this.#closed) {
      const work = await this.#parts.replicas.killWork(atOnce)
      let ended = 0
      for (const one of work) ended += await this.#step(one).catch((error: unknown) => this.#postpone(error))
      const through = await this.#parts.replicas.killsThrough()
      for (const one of through) ended += await this.#finish(one).catch((error: unknown) => this.#postpone(error))
      if (work.length + through.length === 0) return false
      if (this.#postponed > 0) this.#tellPostponed()
      if (ended === 0) return true
    }
    return false
  }

  async #step(work: KillWork): Promise<number> {
    const settled = await Promise.all(
      work.reservations.map((id) => this.#settle(work, id).catch((error: unknown) => this.#postpone(error))),
    )
    const count = settled.reduce((sum, one) => sum + one, 0)
    if (!work.runs) return count
    const nowMs = this.#parts.clock.now()
    let runs = 0
    await this.#submit(work, {}, (entries) =>
      effect({
        operation: 'kill.cancel',
        key: work.killId,
        args: {
          id: work.killId,
          eventIds: Array.from({ length: atOnce }, () => uuidv7(nowMs)),
          atMs: nowMs,
          // Each was counted in the transaction that ended it.
          settled: 0,
        },
        answer: (row) => {
          runs = row?.cancelled ?? 0
          return runs > 0 ? entries({ runs }) : {}
        },
      }),
    )
    return count + runs
  }

  /** Marks a kill as through and says how much was ended for it in all, in one transaction: who began to end it may be gone. */
  async #finish(kill: KillThrough): Promise<number> {
    await this.#submit(kill, { through: true }, (entries) =>
      effect({
        operation: 'kill.finish',
        key: kill.killId,
        args: { id: kill.killId },
        answer: (row) => {
          const [runs, reservations] = [Number(row?.runs ?? 0), Number(row?.reservations ?? 0)]
          return runs + reservations > 0 ? entries({ reservations, runs, through: true }) : {}
        },
      }),
    )
    return 1
  }

  /** Books what was seen of a reservation and frees the rest (SPEC K3): 1, or 0 where it had ended before. */
  async #settle(work: KillWork, reservationId: string): Promise<number> {
    const about = { reservationId: publicId('rsv', reservationId) }
    let ended = false
    await this.#submit(work, about, (entries) =>
      effect({
        operation: 'spend',
        key: reservationId,
        args: {
          kind: 'expire',
          killed: true,
          killId: work.killId,
          reservationId,
          log: work.tenantName,
          tenant: publicId('ten', work.tenantId),
          ownerAgentId: null,
        },
        answer: (row) => {
          ended = row?.verdict === 'done' && !row.unchanged
          return ended ? entries(about) : {}
        },
      }),
    )
    return ended ? 1 : 0
  }

  /** What cannot be ended now holds nobody else up: the others are, and it is tried again. */
  #postpone(error: unknown): number {
    this.#postponed += 1
    this.#fault ??= error
    return 0
  }

  #tellPostponed(): void {
    const about = { event: 'kill.cancel_failed', steps: this.#postponed, err: this.#fault }
    this.#parts.log.warn(about, 'steps that end what is under a kill switch have failed: they are tried again')
    this.#postponed = 0
    this.#fault = undefined
  }

  /** One step. It has an entry where it did something, and where it failed: then `about` is all that is known. */
  async #submit(
    { killId, tenantId, tenantName }: KillThrough,
    about: Readonly<Record<string, Json>>,
    make: (entries: (args: Readonly<Record<string, Json>>) => Answer) => Effect,
  ): Promise<void> {
    const nowMs = this.#parts.clock.now()
    const entry = (args: Readonly<Record<string, Json>>, outcome?: RecordedOutcome): LedgerRecord =>
      killRecord(
        'kill.cancelled',
        { tenantId, tenantName, args: { ...args, killId: publicId('kil', killId) } },
        nowMs,
        outcome,
      )
    const done = await this.#parts.writer.submit({
      tenantId,
      shedLast: true,
      silent: true,
      effect: make((args) => ({ entries: [entry(args)] })),
      record: (outcome) => entry(about, outcome),
    })
    if (done.refused) throw new Error(`a step was refused: ${done.code} ${done.reason}`)
  }
}
