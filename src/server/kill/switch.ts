import { KillScopeKind } from '@portcullis/contract'
import { publicId, refuse, type Caller, type Clock, type Refusal } from '#core'
import type { Call, KillPort } from '#gate'
import { KillIndex, type Confirmed, type KillChange, type KillInForce, type KillsPort } from '#hub'
import { KillCache, type LoadedKill, type Replicas } from '#store'
import { scopeKindName } from './scope-names.ts'

export interface SwitchParts {
  readonly clock: Clock
  readonly replicas: Pick<Replicas, 'see' | 'acks'>
  /** Of what is in memory under the epoch of keys. */
  readonly credentials: { fresh(): boolean; refresh(): Promise<void> }
  /** Told of what was engaged or is over, and of a failure to say to the others what is known here. */
  readonly changed: (changes: readonly KillChange[]) => void
  readonly failed: (error: unknown) => void
  readonly confirmed?: (took: Confirmed) => void
}

// What another replica knows may be as old as its lease, counted by its own clock. A little more than that, and it denies.
const leaseMs = 1000
const marginMs = 100
const askEveryMs = 10
const seenEveryMs = 10_000

/** The kill switch of this process: what the gate asks, what handlers ask, and what the other replicas are told (SPEC G14, K2). */
export class KillSwitch implements KillPort, KillsPort {
  readonly cache: KillCache
  readonly #parts: SwitchParts
  readonly #listeners = new Set<(changes: readonly KillChange[]) => void>()
  #index = new KillIndex([])
  #timer: NodeJS.Timeout | undefined
  #saying: Promise<void> | undefined
  #said = ''

  constructor(parts: SwitchParts) {
    this.#parts = parts
    this.cache = new KillCache(parts.clock, () => parts.credentials.refresh(), {
      changed: (changes) => this.#changed(changes),
      seen: () => void this.#say(),
    })
  }

  /** To be called when the first look has been taken. */
  async start(): Promise<void> {
    await this.#say()
    this.#timer = setInterval(() => void this.#say(true), seenEveryMs).unref()
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#saying
  }

  refusal({ method }: Pick<Call, 'method'>, caller: Caller): Refusal | undefined {
    const { clock } = this.#parts
    const killed = this.#index.size === 0 ? undefined : this.#index.stops(method, caller, clock.now())
    return killed === undefined ? this.#stale(method.whileKilled) : engaged(killed)
  }

  refusalOf(uses: Parameters<KillPort['refusalOf']>[0], caller: Caller): Refusal | undefined {
    const killed = this.#index.stopsUse(uses, caller, this.#parts.clock.now())
    return killed === undefined ? this.#stale(false) : engaged(killed)
  }

  /** Why that party may do nothing now, whatever it asks for elsewhere. */
  refusalForCaller(caller: Caller): Refusal | undefined {
    const killed = this.#index.stopsCaller(caller, this.#parts.clock.now())
    return killed === undefined ? this.#stale(false) : engaged(killed)
  }

  inForce(): readonly LoadedKill[] {
    return this.cache.all()
  }

  listen(tell: (changes: readonly KillChange[]) => void): () => void {
    this.#listeners.add(tell)
    return () => void this.#listeners.delete(tell)
  }

  async confirmed(epoch?: string): Promise<Confirmed> {
    const { clock, credentials, replicas } = this.#parts
    const begunAt = clock.monotonic()
    const overAt = begunAt + leaseMs + marginMs
    if (epoch === undefined) await credentials.refresh().catch((error: unknown) => this.#parts.failed(error))
    const asked = epoch ?? (credentials.fresh() ? this.cache.epoch() : undefined)
    let last = { replicas: 0, acknowledged: 0 }
    while (clock.monotonic() < overAt) {
      last = asked === undefined ? last : await replicas.acks(asked).catch(() => last)
      if (last.replicas > 0 && last.acknowledged >= last.replicas) break
      await new Promise((resolve) => setTimeout(resolve, askEveryMs))
    }
    const took = { ...last, tookMs: clock.monotonic() - begunAt }
    this.#parts.confirmed?.(took)
    return took
  }

  /** Says that this process lives and what it denies; again where that changed while it was said. */
  async #say(alive = false): Promise<void> {
    if (this.#saying !== undefined) return this.#saying
    this.#saying = (async () => {
      for (let again = alive; again || this.#said !== this.cache.epoch(); again = false) {
        const epoch = this.cache.epoch()
        await this.#parts.replicas.see(epoch)
        this.#said = epoch
      }
    })()
      // Tried again with the next change, or in a while; the others wait for a lease instead of a word.
      .catch((error: unknown) => this.#parts.failed(error))
      .finally(() => {
        this.#saying = undefined
      })
    return this.#saying
  }

  #changed(changes: readonly KillChange[]): void {
    this.#index = new KillIndex(this.cache.all())
    if (changes.length === 0) return
    for (const tell of this.#listeners) tell(changes)
    this.#parts.changed(changes)
  }

  #stale(whileKilled: boolean): Refusal | undefined {
    if (whileKilled || this.#parts.credentials.fresh()) return undefined
    return refuse('kill.stale', 'what is known of the kill switch is older than its lease', { retryAfterSeconds: 1 })
  }
}

function engaged({ id, scope, subject, reason }: KillInForce): Refusal {
  const [killId, kind] = [publicId('kil', id), scopeKindName(scope)]
  // It is written in the ledger of whoever is stopped; why everything of everybody stops is the platform's to know.
  const why = scope === KillScopeKind.EVERYTHING ? kind : `${kind} ${subject}: ${reason}`
  return refuse('kill.engaged', `${killId} ${why}`, { facts: { killId, scope: kind } })
}
