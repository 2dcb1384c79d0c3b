import type { Logger } from 'pino'
import type { Clock } from '#core'
import type { JobKind } from '#hub'
import { nextOccurrence } from './occurrences.ts'

// The clock may be set and the machine may sleep: the time is looked at again.
const lookAgainMs = 60_000

interface SchedulerParts {
  readonly kinds: readonly JobKind[]
  readonly clock: Clock
  readonly log: Logger
  /** Triggers one job. Every replica does for the same occurrence; the writer lets one of them. */
  readonly fire: (kind: JobKind, dueMs: number) => Promise<void>
}

/** Fires each kind when its schedule is due. Occurrences while no process ran are not made up for. */
export class Scheduler {
  readonly #parts: SchedulerParts
  readonly #due = new Map<JobKind, number>()
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(parts: SchedulerParts) {
    this.#parts = parts
  }

  async start(): Promise<void> {
    const { clock, kinds, log } = this.#parts
    for (const kind of kinds) {
      if (!kind.enabled || kind.schedule === '') continue
      await this.#plan(kind, clock.now()).catch((error: unknown) =>
        log.error({ event: 'job.no_schedule', kind: kind.kind, err: error }, 'a schedule cannot be kept: change it'),
      )
    }
    this.#arm()
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
  }

  async #plan(kind: JobKind, afterMs: number): Promise<void> {
    const next = await nextOccurrence(kind.schedule, kind.timeZone, afterMs)
    if (next === undefined) this.#due.delete(kind)
    else this.#due.set(kind, next)
  }

  #arm(): void {
    if (this.#closed || this.#due.size === 0) return
    const inMs = Math.min(...this.#due.values()) - this.#parts.clock.now()
    this.#timer = setTimeout(() => void this.#pass(), Math.max(0, Math.min(inMs, lookAgainMs)))
    this.#timer.unref()
  }

  async #pass(): Promise<void> {
    const { clock, fire, log } = this.#parts
    const nowMs = clock.now()
    for (const [kind, dueMs] of this.#due) {
      if (dueMs > nowMs) continue
      try {
        await this.#plan(kind, nowMs)
        await fire(kind, dueMs)
      } catch (error) {
        log.error({ event: 'job.not_triggered', kind: kind.kind, err: error }, 'a job was due and is not triggered')
      }
    }
    this.#arm()
  }
}
