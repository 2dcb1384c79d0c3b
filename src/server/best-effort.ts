import { setTimeout as delay } from 'node:timers/promises'
import type { Clock } from '#core'
import type { WriterPort } from '#hub'
import type { LedgerRecord } from '#ledger'
import { countedRecord } from './counted-record.ts'

const batchMax = 128
const retryAfterMs = 200
const logsMax = 256

interface Lost {
  readonly tenantId: string | undefined
  count: number
  readonly firstAtMs: number
  lastAtMs: number
}

interface Waiting {
  readonly record: LedgerRecord
  readonly atMs: number
}

/**
 * Entries of calls that are answered first (SPEC L7, `best_effort`). They go to the writer at once and are committed with the next
 * batches. While the store cannot take them they wait in a bounded queue; what finds it full is counted per log, and told by an
 * entry `entries.lost` as soon as the store takes one. Offering never throws and never waits.
 */
export class BestEffort {
  readonly #writer: WriterPort
  readonly #clock: Clock
  readonly #queueMax: number
  readonly #gap: (lost: number) => void
  readonly #lost = new Map<string, Lost>()
  #waiting: Waiting[] = []
  #lostTotal = 0
  #pumping: Promise<void> | undefined
  #closed = false

  /** `gap` is told when entries begin to be lost, for the log. */
  constructor(writer: WriterPort, clock: Clock, gap: (lost: number) => void, queueMax = 4096) {
    this.#writer = writer
    this.#clock = clock
    this.#gap = gap
    this.#queueMax = queueMax
  }

  /** Entries that wait. */
  get queued(): number {
    return this.#waiting.length
  }

  /** Entries that found the queue full, since the start. */
  get lost(): number {
    return this.#lostTotal
  }

  offer(record: LedgerRecord): void {
    const atMs = this.#clock.now()
    if (this.#closed || this.#waiting.length >= this.#queueMax) this.#lose({ record, atMs })
    else this.#waiting.push({ record, atMs })
    this.#pumping ??= this.#pump()
  }

  /** Writes what waits, or as much of it as the store takes; the rest is told to `gap`. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#pumping
    if (this.#waiting.length > 0) await this.#writeBatch()
    for (const one of this.#waiting.splice(0)) this.#lose(one)
    if (this.#lost.size > 0 && !(await this.#tellLost())) this.#gap(this.#lostTotal)
  }

  async #pump(): Promise<void> {
    // What is offered in this turn of the event loop leaves together, after the replies.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#waiting.length > 0 || this.#lost.size > 0) {
      const written = (await this.#writeBatch()) && (await this.#tellLost())
      if (this.#closed && !written) break
      if (!written) await delay(retryAfterMs, undefined, { ref: false })
    }
    this.#pumping = undefined
  }

  /** Whether the store took all of the batch; what it did not take waits on, in its order. */
  async #writeBatch(): Promise<boolean> {
    const batch = this.#waiting.splice(0, batchMax)
    const taken = await Promise.all(batch.map(({ record }) => this.#write(record)))
    const left = batch.filter((_, index) => taken[index] === 'later')
    for (const [index, one] of batch.entries()) if (taken[index] === 'never') this.#lose(one)
    this.#waiting = [...left, ...this.#waiting]
    return left.length === 0
  }

  async #tellLost(): Promise<boolean> {
    for (const [log, lost] of this.#lost) {
      const { count, firstAtMs, lastAtMs, tenantId } = lost
      this.#lost.delete(log)
      const reason = `${count} entries of best effort found the queue full`
      const told = { kind: 'entries.lost', outcome: 'error', count, firstAtMs, lastAtMs, reason } as const
      const record = countedRecord({ ...told, log: { name: log, tenantId } }, this.#clock.now())
      if ((await this.#write(record)) !== 'later') continue
      const more = this.#lost.get(log)
      this.#lost.set(log, {
        tenantId,
        count: count + (more?.count ?? 0),
        firstAtMs,
        lastAtMs: more?.lastAtMs ?? lastAtMs,
      })
      return false
    }
    return true
  }

  async #write(record: LedgerRecord): Promise<'done' | 'later' | 'never'> {
    try {
      const written = await this.#writer.submit({ tenantId: record.tenantId, record: () => record })
      return written.refused ? 'later' : 'done'
    } catch {
      // The store will not have this entry: it is counted as lost, and the others go on.
      return 'never'
    }
  }

  #lose({ record: { log, tenantId }, atMs }: Waiting): void {
    this.#lostTotal += 1
    const name = this.#lost.has(log) || this.#lost.size < logsMax ? log : 'system'
    const lost = this.#lost.get(name)
    if (lost === undefined) {
      if (this.#lost.size === 0) this.#gap(this.#lostTotal)
      this.#lost.set(name, {
        tenantId: name === 'system' ? undefined : tenantId,
        count: 1,
        firstAtMs: atMs,
        lastAtMs: atMs,
      })
      return
    }
    lost.count += 1
    lost.lastAtMs = atMs
  }
}
