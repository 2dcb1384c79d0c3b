import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Method } from '@portcullis/contract'
import { refuse, type Refusal } from '#core'
import type { RecordedOutcome, WriterPort } from '#hub'
import type { LedgerRecord } from '#ledger'
import type { Covered } from './checkpointer.ts'
import { checkpointEvent } from './events.ts'

const deadlineMs = 5000

export interface OffboxParts {
  readonly writer: WriterPort
  /** Signs what is in the log and waits for the sinks. */
  readonly cover: (log: string, atLeast: number, signal: AbortSignal) => Promise<Covered>
  readonly sinks: number
  readonly acknowledgements: number
  /** An entry that the store did not take now. */
  readonly later: (record: LedgerRecord) => void
  readonly deadlineMs?: number
}

type Record = (outcome: RecordedOutcome, kind: 'intent' | 'aborted') => LedgerRecord

/**
 * The audit mode `required_offbox` (SPEC L7): before the effect of a call, an entry of its intent is committed, and a checkpoint over
 * it is acknowledged outside of the database. Whoever changes keys cannot take that back, whatever the keys open.
 */
export class Offbox {
  readonly #parts: OffboxParts

  constructor(parts: OffboxParts) {
    this.#parts = parts
  }

  /** Whether calls of the method wait for the sinks. */
  holds({ audit, needsSink }: Pick<Method, 'audit' | 'needsSink'>): boolean {
    if (audit !== 'required_offbox') return false
    return needsSink || (this.#parts.sinks > 0 && this.#parts.acknowledgements > 0)
  }

  /** Undefined once the intent is known outside; else the refusal, which has been recorded: then nothing may be done. */
  async intend(record: Record, { shedLast }: Partial<Pick<Method, 'shedLast'>> = {}): Promise<Refusal | undefined> {
    const { writer, cover, sinks } = this.#parts
    if (sinks === 0) return this.#abort(record, 'none is configured under audit.sinks')
    const intent = record({ outcome: 'allow' }, 'intent')
    const over = new AbortController()
    const late = delay(this.#parts.deadlineMs ?? deadlineMs, { ok: false, why: 'it took too long' } as const, {
      ref: false,
      signal: over.signal,
    })
    try {
      const written = await writer.submit({
        tenantId: intent.tenantId,
        record: () => intent,
        shedLast: shedLast === true,
      })
      if (written.refused) return written
      const covering = cover(intent.log, this.#wanted, over.signal).catch(unable)
      const covered: Covered = await Promise.race([covering, late])
      return covered.ok ? undefined : await this.#abort(record, covered.why)
    } finally {
      over.abort()
      late.catch(() => undefined)
    }
  }

  /** Who asks for a copy outside gets one, whatever is asked for in general. */
  get #wanted(): number {
    return Math.max(1, this.#parts.acknowledgements)
  }

  async #abort(record: Record, why: string): Promise<Refusal> {
    const { writer, later } = this.#parts
    const reason = `${this.#wanted} sinks had to acknowledge the intent: ${why}`
    const refusal = refuse('audit.offbox_unavailable', reason, { retryAfterSeconds: 5 })
    const aborted = record({ outcome: 'deny', code: refusal.code, reason }, 'aborted')
    const written = await writer.submit({ tenantId: aborted.tenantId, record: () => aborted })
    // It stays refused, whether or not that can be written down now.
    if (written.refused) later(aborted)
    return refusal
  }

  /** Says once that the settings ask for no acknowledgement although there are sinks (SPEC L7: an override is recorded). */
  async noteOverride(log: Logger): Promise<void> {
    const { writer, sinks, acknowledgements } = this.#parts
    if (sinks === 0 || acknowledgements > 0) return
    const reason =
      'audit.checkpoints.acknowledgements is 0: keys, agents and tenants are changed without an acknowledgement'
    log.warn({ event: 'audit.override' }, reason)
    const record = checkpointEvent({ kind: 'audit.override', reason, nowMs: Date.now() })
    const written = await writer.submit({ tenantId: undefined, record: () => record })
    if (written.refused) log.error({ event: 'audit.override', reason: written.reason }, 'the override has no entry')
  }
}

/** Also where the store went away: what is not known outside is not done. */
function unable(error: unknown): Covered {
  return { ok: false, why: error instanceof Error ? error.message : String(error) }
}
