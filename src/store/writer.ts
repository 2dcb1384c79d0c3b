import { setTimeout as delay } from 'node:timers/promises'
import { refuse, type Clock, type Refusal } from '#core'
import type { SpendingPort, WriteResult, WriterMember, WriterPort } from '#hub'
import { Batch, type WriterWatch } from './batch.ts'
import type { Held, KnownKills } from './batch-kills.ts'
import { Connection, type ConnectionSettings } from './connection.ts'

export interface WriterSettings {
  readonly connection: ConnectionSettings
  /** Batches in flight at once; each has a connection of its own. */
  readonly lanes: number
  readonly batchMax: number
  /** Calls that wait; one more is refused with store.busy, and earlier where it is not shed last. */
  readonly queueMax: number
  /** A call that waited longer is refused with store.busy when its turn comes. */
  readonly queueWaitMs: number
  /** How long a call waits for the first one with the same idempotency key. */
  readonly duplicateWaitMs: number
  readonly watch?: WriterWatch
  /** What writes are decided under; without it they are not asked. */
  readonly kills?: KnownKills
  /** Decides what calls spend; without it none may. */
  readonly spending?: SpendingPort
}

export const writerDefaults = {
  lanes: 2,
  batchMax: 256,
  queueMax: 4096,
  queueWaitMs: 5000,
  duplicateWaitMs: 2000,
} as const

// Every statement of a batch finds its rows by key. A plan made while a table was small must not scan it once it has grown.
// Where a plan is forbidden and taken all the same, PostgreSQL before 18 believes it to be dear enough to be compiled each time.
export const byKeyOnly = [
  ...['seqscan', 'bitmapscan', 'hashjoin', 'mergejoin', 'material', 'memoize'].map(
    (plan) => `set enable_${plan} = off`,
  ),
  'set jit = off',
]

// Rows of one batch; beyond it a batch takes no further call, so that one of many parts does not come with others like it.
const partsMax = 1000

interface Lane {
  readonly connection: Connection
  busy: boolean
}

/**
 * The group-commit writer (SPEC L5). Calls that wait while the lanes are busy form the next batch: one transaction of two
 * pipelined flushes, effects first, then their entries and the commit. No timer decides.
 */
export class Writer implements WriterPort {
  readonly #settings: WriterSettings
  readonly #clock: Clock
  readonly #lanes: readonly Lane[]
  readonly #asking: Connection
  readonly #queue: Held[] = []
  readonly #firsts = new Map<string, Promise<unknown>>()
  #pumping = false
  #idle: (() => void)[] = []

  constructor(settings: WriterSettings, clock: Clock) {
    this.#settings = settings
    this.#clock = clock
    this.#asking = new Connection(settings.connection, 'writer asks')
    this.#lanes = Array.from({ length: settings.lanes }, (_, lane) => ({
      connection: new Connection({ ...settings.connection, setUp: byKeyOnly }, `writer ${lane}`),
      busy: false,
    }))
  }

  /** Calls that wait for a lane. */
  get queued(): number {
    return this.#queue.length
  }

  async submit(member: WriterMember): Promise<WriteResult> {
    const { idempotency } = member
    if (idempotency === undefined) return this.#enqueue(member)
    const key = `${member.tenantId ?? ''} ${idempotency.keyDigest}`
    const deadline = this.#clock.monotonic() + this.#settings.duplicateWaitMs
    for (;;) {
      const first = this.#firsts.get(key)
      if (first === undefined) {
        const work = this.#enqueueTold(member)
        this.#firsts.set(key, work)
        let result: WriteResult | 'elsewhere'
        try {
          result = await work
        } finally {
          this.#firsts.delete(key)
        }
        if (result !== 'elsewhere') return result
        // Another replica is at it: ask again until it has committed or given up.
        if (this.#clock.monotonic() >= deadline) return this.#refuseInFlight(member)
        await delay(20)
      } else {
        const left = deadline - this.#clock.monotonic()
        if (left <= 0) return this.#refuseInFlight(member)
        const late = new AbortController()
        await Promise.race([
          first.catch(() => undefined),
          delay(left, undefined, { signal: late.signal }).catch(() => undefined),
        ])
        late.abort()
      }
    }
  }

  /** Asks on a connection of its own; waits for a commit that is under way. */
  async committed(batch: string): Promise<boolean> {
    const client = await this.#asking.client()
    const { rows } = await client.query<{ committed: boolean }>({
      name: 'batch.committed',
      text: 'select portcullis.has_committed($1) as committed',
      values: [batch],
    })
    return rows[0]?.committed === true
  }

  /** Resolves once nothing waits and no batch is in flight; then closes the connections. */
  async close(): Promise<void> {
    if (this.#queue.length > 0 || this.#lanes.some((lane) => lane.busy)) {
      await new Promise<void>((resolve) => this.#idle.push(resolve))
    }
    await Promise.all([this.#asking, ...this.#lanes.map(({ connection }) => connection)].map((one) => one.close()))
  }

  async #enqueue(member: WriterMember): Promise<WriteResult> {
    const result = await this.#enqueueTold(member)
    return result === 'elsewhere' ? refuse('idempotency.in_flight', 'key held by another replica') : result
  }

  #enqueueTold(member: WriterMember): Promise<WriteResult | 'elsewhere'> {
    const { queueMax } = this.#settings
    // The last quarter of the queue is for what must not be shed with the rest (SPEC O14).
    const most = member.shedLast === true ? queueMax : queueMax - Math.floor(queueMax / 4)
    if (this.#queue.length >= most) {
      return Promise.resolve(refuse('store.busy', `${this.#queue.length} calls wait`, { retryAfterSeconds: 1 }))
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ member, resolve, reject, queuedAt: this.#clock.monotonic() })
      this.#schedule()
    })
  }

  async #refuseInFlight(member: WriterMember): Promise<Refusal> {
    const refusal = refuse('idempotency.in_flight', 'the first call with this key is still under way', {
      retryAfterSeconds: 1,
    })
    await this.#enqueue({
      tenantId: member.tenantId,
      record: () => member.record({ outcome: 'deny', code: refusal.code, reason: refusal.reason }),
    })
    return refusal
  }

  // Waits for the end of the current phase of the event loop, so that calls which arrived together leave together.
  #schedule(): void {
    if (this.#pumping) return
    this.#pumping = true
    setImmediate(() => {
      this.#pumping = false
      this.#pump()
    })
  }

  #pump(): void {
    for (const lane of this.#lanes) {
      if (this.#queue.length === 0) break
      if (!lane.busy) this.#dispatch(lane)
    }
    if (this.#queue.length === 0 && this.#lanes.every((lane) => !lane.busy)) {
      const waiting = this.#idle
      this.#idle = []
      for (const resolve of waiting) resolve()
    }
  }

  /** The calls whose turn it is, without those that waited too long: their callers are told that nothing was done. */
  #takeBatch(): readonly Held[] {
    const since = this.#clock.monotonic() - this.#settings.queueWaitMs
    const taken = this.#queue.splice(0, this.#batchSize())
    if ((taken[0]?.queuedAt ?? since) >= since) return taken
    // What is shed last has waited behind calls that are refused now: it has as long again for its own turn.
    const isLate = ({ member, queuedAt }: Held): boolean =>
      queuedAt < (member.shedLast === true ? since - this.#settings.queueWaitMs : since)
    for (const late of taken.filter(isLate)) {
      late.resolve(refuse('store.busy', 'waited too long for the store', { retryAfterSeconds: 1 }))
    }
    return taken.filter((one) => !isLate(one))
  }

  /** How many of the waiting calls fit into one batch; a call of many parts counts with all of them. */
  #batchSize(): number {
    let weight = 0
    const { batchMax } = this.#settings
    for (const [index, { member }] of this.#queue.entries()) {
      if (index >= batchMax || weight > partsMax) return index
      weight += weightOf(member)
    }
    return batchMax
  }

  #dispatch(lane: Lane): void {
    lane.busy = true
    const held = this.#takeBatch()
    void new Batch(lane.connection, held, this.#settings).run().finally(() => {
      lane.busy = false
      this.#pump()
    })
  }
}

function weightOf({ effect, more }: WriterMember): number {
  return (effect === undefined || !('parts' in effect) ? 1 : effect.parts.length) + (more?.length ?? 0)
}
