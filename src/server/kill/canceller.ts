import type { Logger } from 'pino'
import { publicId, uuidv7, type Clock } from '#core'
import { effect, type WriterMember, type WriterPort } from '#hub'
import type { KillWork, Replicas } from '#store'
import { killRecord } from './records.ts'

export interface CancellerParts {
  readonly clock: Clock
  readonly writer: Pick<WriterPort, 'submit'>
  readonly replicas: Pick<Replicas, 'killWork'>
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
      if (work.length === 0) return false
      let ended = 0
      for (const one of work) ended += await this.#step(one).catch((error: unknown) => this.#postpone(error))
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
    const { killId, tenantId, tenantName } = work
    const nowMs = this.#parts.clock.now()
    let cancelled = 0
    await this.#submit(tenantId, {
      effect: effect({
        operation: 'kill.cancel',
        key: killId,
        args: {
          id: killId,
          eventIds: Array.from({ length: work.runs ? atOnce : 0 }, () => uuidv7(nowMs)),
          atMs: nowMs,
          // Each was counted in the transaction that ended it.
          settled: 0,
        },
        answer: (row) => {
          cancelled = row?.cancelled ?? 0
          return {}
        },
      }),
      record: (outcome) => {
        const args = { killId: publicId('kil', killId), reservations: count, runs: cancelled }
        return killRecord('kill.cancelled', { tenantId, tenantName, args }, nowMs, outcome)
      },
    })
    return count + cancelled
  }

  /** Books what was seen of a reservation and frees the rest (SPEC K3): 1, or 0 where it had ended before. */
  async #settle({ killId, tenantId, tenantName }: KillWork, reservationId: string): Promise<number> {
    const nowMs = this.#parts.clock.now()
    let ended = false
    await this.#submit(tenantId, {
      effect: effect({
        operation: 'spend',
        key: reservationId,
        args: {
          kind: 'expire',
          killed: true,
          killId,
          reservationId,
          log: tenantName,
          tenant: publicId('ten', tenantId),
          ownerAgentId: null,
        },
        answer: (row) => {
          ended = row?.verdict === 'done' && !row.unchanged
          return {}
        },
      }),
      record: (outcome) => {
        const args = { killId: publicId('kil', killId), reservationId: publicId('rsv', reservationId) }
        return killRecord('kill.cancelled', { tenantId, tenantName, args }, nowMs, outcome)
      },
    })
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

  async #submit(tenantId: string, member: Pick<WriterMember, 'effect' | 'record'>): Promise<void> {
    const done = await this.#parts.writer.submit({ tenantId, shedLast: true, ...member })
    if (done.refused) throw new Error(`a step was refused: ${done.code} ${done.reason}`)
  }
}
