import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { WriterPort } from '#hub'
import { signCheckpoint, type Sink } from '#ledger'
import type { CheckpointProgress, CheckpointState, CheckpointStore } from '#store'
import type { AnchorFiles } from './anchor-files.ts'
import { checkpointEvent } from './events.ts'
import type { CheckpointKeys } from './keys.ts'
import { contradiction, readPublished } from './published.ts'
import { Publisher } from './publisher.ts'

const sinkDeadlineMs = 5000
const atOnce = 4
const busyWaitMs = 50
// The lock saves work: a size is signed once, whoever comes first. So one that a frozen replica holds is not waited for.
const patienceMs = 1500

export interface CheckpointerParts {
  readonly store: CheckpointStore
  readonly keys: CheckpointKeys
  /** The host of the origins. */
  readonly host: string
  readonly sinks: readonly Sink[]
  readonly anchors: AnchorFiles | undefined
  readonly everyMs: number
  readonly writer: WriterPort
  readonly log: Logger
}

/** Whether a checkpoint covers what was there when it was asked for. */
export type Covered = { readonly ok: true; readonly size: number } | { readonly ok: false; readonly why: string }

type Outcome =
  | { readonly kind: 'signed'; readonly size: number }
  | { readonly kind: 'stopped'; readonly why: string }
  | { readonly kind: 'unable'; readonly why: string }
  | { readonly kind: 'busy' }

/**
 * Signs each log that has grown, from time to time and on demand, and publishes the checkpoints (SPEC L8). Tiles are made first; then
 * the tree is compared with the head and with everything that was published. Where they differ nothing is signed any more, which is
 * recorded and shows in every read of the checkpoint, until they agree again.
 */
export class Checkpointer {
  readonly #parts: CheckpointerParts
  readonly #publisher: Publisher
  readonly #working = new Map<string, Promise<Outcome>>()
  readonly #next = new Map<string, Promise<Outcome>>()
  /** The size at which a log was looked at last, and agreed. */
  readonly #looked = new Map<string, number>()
  /** Logs that are longer than their checkpoint, since when, in monotonic milliseconds. */
  readonly #unsigned = new Map<string, number>()
  /** Logs that another replica has been at, since when. */
  readonly #busySince = new Map<string, number>()
  #stopped: ReadonlyMap<string, string> = new Map()
  readonly #away = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #pass: Promise<void> | undefined
  #closed = false

  constructor(parts: CheckpointerParts) {
    this.#parts = parts
    this.#publisher = new Publisher({
      sinks: parts.sinks,
      deadlineMs: sinkDeadlineMs,
      // A log has no blank in its name: this is the lock of none.
      alone: (log, sink, work) => parts.store.alone(`${log} to ${sink}`, work),
      known: async (log, sink) => (await parts.store.state(log))?.anchors[sink] ?? 0,
      acknowledged: async (log, sink, size) => {
        if (this.#away.delete(sink)) {
          parts.log.info({ event: 'ledger.publish_resumed', sink }, 'checkpoints reach the sink again')
        }
        await parts.store.anchored(log, sink, size)
      },
      failed: (sink, error) => this.#sinkAway(sink, error),
    })
  }

  /** Looks at every log at once, and from then on from time to time. Never waits. */
  start(): void {
    const look = (): void => {
      this.#pass ??= this.pass()
        .catch((error: unknown) => this.#failed('all logs', error))
        .finally(() => {
          this.#pass = undefined
        })
    }
    this.#timer = setInterval(look, this.#parts.everyMs)
    this.#timer.unref()
    look()
  }

  /** The logs that are not signed any more, with the reasons. */
  get stopped(): ReadonlyMap<string, string> {
    return this.#stopped
  }

  /** For how long entries have been there that no checkpoint covers; 0 where all are covered. */
  unsignedMs(nowMs: number): number {
    return Math.max(0, ...[...this.#unsigned.values()].map((sinceMs) => nowMs - sinceMs))
  }

  /** Every log that has something new to sign, to publish or to find out. */
  async pass(): Promise<void> {
    const states = await this.#parts.store.progress()
    this.#note(states)
    const due = states.filter((state) => this.#isDue(state))
    if (due.length === 0) return
    const workers = Array.from({ length: atOnce }, async () => {
      for (let state = due.shift(); state !== undefined && !this.#closed; state = due.shift()) {
        await this.#advance(state.log)
      }
    })
    await Promise.all(workers)
    if (!this.#closed) this.#note(await this.#parts.store.progress())
  }

  /**
   * Signs what is in the log now and waits until that many sinks have acknowledged it. `log` is the one that entries are appended to
   * under that name.
   */
  async cover(name: string, atLeast: number, signal: AbortSignal): Promise<Covered> {
    const { store } = this.#parts
    const state = await store.state(name)
    if (state === undefined) return { ok: false, why: `there is no log ${name}` }
    const { log, size } = state
    for (;;) {
      if (signal.aborted || this.#closed) return { ok: false, why: 'no checkpoint in time: another replica is at it' }
      const outcome = await this.#advance(log)
      if (outcome.kind === 'stopped' || outcome.kind === 'unable') return { ok: false, why: outcome.why }
      if (outcome.kind === 'signed' && outcome.size >= size) {
        const acknowledged = await this.#publisher.confirmed(log, size, atLeast, signal)
        return acknowledged
          ? { ok: true, size: outcome.size }
          : { ok: false, why: 'too few sinks acknowledged it in time' }
      }
      await delay(busyWaitMs, undefined, { ref: false })
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    await this.#publisher.close()
    await this.#pass
    await Promise.all(this.#working.values())
    await this.#parts.store.close()
  }

  /**
   * One at a time for each log. Who comes meanwhile shares the turn after that, for the one under way may have begun too early: a
   * hundred calls that wait cost two turns.
   */
  #advance(log: string): Promise<Outcome> {
    const current = this.#working.get(log)
    if (current === undefined) {
      const work = this.#tryAdvance(log).finally(() => this.#working.delete(log))
      this.#working.set(log, work)
      return work
    }
    const after = (): Promise<Outcome> => {
      this.#next.delete(log)
      return this.#advance(log)
    }
    const next = this.#next.get(log) ?? current.then(after)
    this.#next.set(log, next)
    return next
  }

  async #tryAdvance(log: string): Promise<Outcome> {
    try {
      const outcome = await this.#parts.store.alone(log, () => this.#sign(log))
      if (outcome === 'busy') return this.#isPatient(log) ? { kind: 'busy' } : await this.#sign(log)
      this.#busySince.delete(log)
      return outcome
    } catch (error) {
      this.#failed(log, error)
      return { kind: 'unable', why: error instanceof Error ? error.message : String(error) }
    }
  }

  /** Whether another replica has had the lock for a short while only. */
  #isPatient(log: string): boolean {
    const nowMs = performance.now()
    const sinceMs = this.#busySince.get(log) ?? nowMs
    this.#busySince.set(log, sinceMs)
    return nowMs - sinceMs < patienceMs
  }

  async #sign(log: string): Promise<Outcome> {
    const { store, keys, host, anchors } = this.#parts
    const state = await store.state(log)
    if (state === undefined || state.log !== log) return { kind: 'unable', why: `there is no log ${log}` }
    const head = await store.head(state)
    const origin = `${host}/${log}`
    const why = await this.#disagrees(state, head, origin)
    if (why !== undefined) return this.#stop(state, why)
    if (state.stopped !== undefined) await this.#resume(log)
    this.#looked.set(log, head.size)
    const newest = state.checkpoint
    if (head.size === (newest?.size ?? 0)) {
      if (newest?.note.startsWith(`${origin}\n`) === true) {
        // Another replica signed it, or the folder could not be written then.
        if (anchors !== undefined && (await anchors.newest(log)) !== newest.note) await anchors.keep(log, newest.note)
        this.#publisher.publish({ log, origin, ...newest }, state.anchors)
      }
      return { kind: 'signed', size: head.size }
    }
    const note = signCheckpoint({ origin, size: head.size, root: head.root }, [keys.signer(origin)])
    if (!(await store.add(log, head.size, head.root, note))) return { kind: 'busy' }
    await anchors?.keep(log, note)
    this.#unsigned.delete(log)
    this.#publisher.publish({ log, origin, size: head.size, note }, state.anchors)
    return { kind: 'signed', size: head.size }
  }

  /** Why this log must not be signed, if so. */
  async #disagrees(
    state: CheckpointState,
    head: { readonly size: number; readonly root: string },
    origin: string,
  ): Promise<string | undefined> {
    const { store, keys } = this.#parts
    const signal = AbortSignal.timeout(sinkDeadlineMs)
    const published = await readPublished(this.#parts, { log: state.log, origin }, signal)
    if (head.size > 0) {
      await store.extendTiles(state.log)
      if ((await store.rootAt(state, head.size)) !== head.root) {
        return 'the tree over the tiles and the newest entries has another root than the head: entries, tiles or head were changed'
      }
    }
    const rootAt = (size: number): Promise<string> => store.rootAt(state, size)
    // By its root alone: a deployment that goes on under another origin has signed it under the one before.
    const own = state.checkpoint
    if (own !== undefined && (own.size > head.size || (await rootAt(own.size)) !== own.root)) {
      return `the database holds a checkpoint over ${own.size} entries with another root: entries here were changed or removed`
    }
    return contradiction(published, { origin, size: head.size, verifiers: keys.verifiers(origin), rootAt })
  }

  async #stop({ log }: CheckpointState, why: string): Promise<Outcome> {
    const reason = why.slice(0, 1000)
    this.#stopped = new Map([...this.#stopped, [log, reason]])
    if (await this.#parts.store.stop(log, reason)) {
      this.#parts.log.error(
        { event: 'ledger.rollback', log, reason },
        'a log is not signed any more: keep the database as it is, and find out what happened to it',
      )
      await this.#record('ledger.rollback', log, reason)
    }
    return { kind: 'stopped', why: reason }
  }

  async #resume(log: string): Promise<void> {
    if (!(await this.#parts.store.resume(log))) return
    this.#parts.log.warn(
      { event: 'ledger.rollback_over', log },
      'a log agrees with what was published, and is signed again',
    )
    await this.#record('ledger.rollback_over', log, 'the log agrees with what was published')
  }

  async #record(kind: 'ledger.rollback' | 'ledger.rollback_over', log: string, reason: string): Promise<void> {
    const record = checkpointEvent({ kind, log, reason, nowMs: Date.now() })
    const written = await this.#parts.writer.submit({ tenantId: undefined, record: () => record })
    if (written.refused) this.#failed(log, new Error(`the entry ${kind} could not be written: ${written.reason}`))
  }

  #isDue({ log, size, signed, anchors, stopped }: CheckpointProgress): boolean {
    const behind = this.#parts.sinks.some(({ name }) => (anchors[name] ?? 0) < signed)
    return stopped !== undefined || size !== signed || behind || this.#looked.get(log) !== size
  }

  #note(states: readonly CheckpointProgress[]): void {
    const nowMs = performance.now()
    this.#stopped = new Map(states.flatMap(({ log, stopped }) => (stopped === undefined ? [] : [[log, stopped]])))
    for (const { log, size, signed } of states) {
      if (size <= signed) this.#unsigned.delete(log)
      else if (!this.#unsigned.has(log)) this.#unsigned.set(log, nowMs)
    }
  }

  /** Once for each time that a sink goes away. */
  #sinkAway(sink: string, error: unknown): void {
    if (this.#closed || this.#away.has(sink)) return
    this.#away.add(sink)
    this.#parts.log.warn(
      { event: 'ledger.publish_failed', sink, err: error },
      'checkpoints do not reach the sink; it is tried again, see that it runs and can be reached',
    )
  }

  #failed(log: string, error: unknown): void {
    if (this.#closed) return
    this.#parts.log.warn({ event: 'ledger.checkpoint_failed', log, err: error }, 'no checkpoint; it is tried again')
  }
}
