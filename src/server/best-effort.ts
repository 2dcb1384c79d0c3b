import { setTimeout as delay } from 'node:timers/promises'
import type { Clock } from '#core'
import type { WriterPort } from '#hub'
import type { LedgerRecord } from '#ledger'
import { countedRecord } from './counted-record.ts'
import type { Hand } from './hand.ts'

const batchMax = 256
const retryAfterMs = 200
const logsMax = 256
// For a process that keeps no account of what it has in hand.
const bounded: Pick<Hand, 'takes'> = { takes: (inHand) => inHand < 4096 }

interface Lost {
  readonly tenantId: string | undefined
  count: number
  readonly firstAtMs: number
  lastAtMs: number
}

interface Waiting {
  readonly record: LedgerRecord
  readonly atMs: number
  /** The batch that may have written it: the answer to its commit was lost. */
  unknownIn?: string | undefined
}

/**
 * Entries of calls that are answered first (SPEC L7, `best_effort`). They go to the writer at once and are committed with the next
 * batches; while the store cannot take them they wait. What is in hand is bounded by what the database knows of (`Hand`), so that a
 * crash can be told of. What cannot be written is counted per log, and told by an entry `entries.lost` as soon as the store takes
 * one. Offering never throws and never waits.
 */
export class BestEffort {
  readonly #writer: WriterPort
  readonly #clock: Clock
  readonly #hand: Pick<Hand, 'takes'>
  readonly #gap: (lost: number) => void
  readonly #lost = new Map<string, Lost>()
  #waiting: Waiting[] = []
  #writing = 0
  #lostTotal = 0
  #pumping: Promise<void> | undefined
  #closed = false

  /** `gap` is told when entries begin to be lost, for the log. */
  constructor(writer: WriterPort, clock: Clock, gap: (lost: number) => void, hand: Pick<Hand, 'takes'> = bounded) {
    this.#writer = writer
    this.#clock = clock
    this.#gap = gap
    this.#hand = hand
  }

  /** Entries that wait. */
  get queued(): number {
    return this.#waiting.length
  }

  /** Entries that could not be kept, since the start. */
  get lost(): number {
    return this.#lostTotal
  }

  /** False where no more may be in hand: then the caller is answered after its entry, as others are. */
  offer(record: LedgerRecord): boolean {
    if (this.#closed || !this.#hand.takes(this.#waiting.length + this.#writing)) return false
    this.#waiting.push({ record, atMs: this.#clock.now() })
    this.#pumping ??= this.#pump()
    return true
  }

  /** For what the writer did not take and nobody waits for: a refusal. It is counted where no more may be in hand. */
  offerOrCount(record: LedgerRecord): void {
    if (this.offer(record)) return
    this.#lose({ record, atMs: this.#clock.now() })
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
    if (!(await this.#settleUnknown())) return false
    const batch = this.#waiting.splice(0, batchMax)
    this.#writing = batch.length
    const groups = Map.groupBy(batch, ({ record }) => record.log)
    const left = (await Promise.all([...groups.values()].map((group) => this.#writeGroup(group)))).flat()
    this.#writing = 0
    this.#waiting = [...left, ...this.#waiting]
    return left.length === 0
  }

  async #tellLost(): Promise<boolean> {
    for (const [log, lost] of this.#lost) {
      const { count, firstAtMs, lastAtMs, tenantId } = lost
      this.#lost.delete(log)
      const reason = `${count} entries could not be kept until the store took them`
      const told = { kind: 'entries.lost', outcome: 'error', count, firstAtMs, lastAtMs, reason } as const
      const record = countedRecord({ ...told, log: { name: log, tenantId } }, this.#clock.now())
      const one: Waiting = { record, atMs: lastAtMs }
      if ((await this.#writeGroup([one])).length === 0) continue
      if (one.unknownIn !== undefined) {
        // It may be there: it is asked for before it is sent again.
        this.#waiting.unshift(one)
        return false
      }
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

  /** No entry is written twice: what may have been committed is asked for before it is tried again. False where it cannot be. */
  async #settleUnknown(): Promise<boolean> {
    const batches = new Set(this.#waiting.flatMap(({ unknownIn }) => unknownIn ?? []))
    for (const batch of batches) {
      let there: boolean
      try {
        there = (await this.#writer.committed?.(batch)) === true
      } catch {
        // The store is away still: nothing is sent again before it has answered.
        return false
      }
      this.#waiting = this.#waiting.filter(({ unknownIn }) => !there || unknownIn !== batch)
      for (const one of this.#waiting) if (one.unknownIn === batch) one.unknownIn = undefined
    }
    return true
  }

  /** Entries of one log, together; answers those that the store could not take now. */
  async #writeGroup(group: readonly Waiting[]): Promise<readonly Waiting[]> {
    const [first, ...rest] = group
    if (first === undefined) return []
    const { record } = first
    const more = rest.map((one) => one.record)
    const unknown = (batch: string): void => {
      for (const one of group) one.unknownIn = batch
    }
    try {
      const written = await this.#writer.submit({ tenantId: record.tenantId, record: () => record, more, unknown })
      return written.refused ? group : []
    } catch {
      // One that the store will not have makes all of them fail: it is found alone, counted as lost, and the others go on.
      if (rest.length > 0) return (await Promise.all(group.map((one) => this.#writeGroup([one])))).flat()
      this.#lose(first)
      return []
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
