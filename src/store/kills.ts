import type { Clock } from '#core'
import type { KillChange, KillInForce } from '#hub'
import type { KnownKills } from './batch-kills.ts'
import type { CachedTable } from './keys.ts'

/** A kill in memory. `cancelled`: nothing is under way in its scope any more. */
export interface LoadedKill extends KillInForce {
  readonly cancelled: boolean
}

/** Told after each look that found something new: the epoch first, so that whoever hears of a kill finds what it is about to deny. */
export interface KillWatch {
  readonly changed: (changes: readonly KillChange[]) => void
  /** The epoch has grown: this process denies what is engaged up to it. */
  readonly seen: (epoch: string) => void
}

/**
 * What is engaged, in memory under the epoch of keys (SPEC G14, K2). The epoch and the rows are of one snapshot: whatever was engaged up to
 * that epoch is here.
 */
export class KillCache implements CachedTable, KnownKills {
  readonly name = 'kills.load'
  readonly source = 'kills'
  readonly text = `select epoch_now::text as "epochNow", id, tenant_id as "tenantId", scope, subject, reason, actor,
    (extract(epoch from engaged_at) * 1000)::float8 as "engagedAtMs", (extract(epoch from expires_at) * 1000)::float8 as "expiresAtMs",
    released_at is not null as released, cancelled,
    by_platform as "byPlatform" from portcullis.load_kills($1::text::xid8)`
  readonly #clock: Clock
  readonly #refresh: () => Promise<void>
  readonly #watch: KillWatch
  readonly #kills = new Map<string, LoadedKill>()
  #epoch = '0'

  /** `refresh` looks again at all that is in memory under the epoch of keys. */
  constructor(clock: Clock, refresh: () => Promise<void>, watch: KillWatch) {
    this.#clock = clock
    this.#refresh = refresh
    this.#watch = watch
  }

  epoch(): string {
    return this.#epoch
  }

  refresh(): Promise<void> {
    return this.#refresh()
  }

  all(): readonly LoadedKill[] {
    return [...this.#kills.values()]
  }

  keep(rows: readonly Readonly<Record<string, unknown>>[]): void {
    const changes: KillChange[] = []
    let changed = false
    for (const { epochNow: _same, released, ...row } of rows as unknown as readonly LoadedRow[]) {
      if (row.id === null) continue
      const kill = row as LoadedKill
      const known = this.#kills.get(kill.id)
      if (released) {
        if (this.#kills.delete(kill.id)) changes.push({ kill, engaged: false })
      } else if (!isOver(kill, this.#clock.now())) {
        this.#kills.set(kill.id, kill)
        changed = true
        if (known === undefined) changes.push({ kill, engaged: true })
      }
    }
    const [first] = rows as unknown as readonly LoadedRow[]
    const epoch = first?.epochNow ?? this.#epoch
    if (changed || changes.length > 0) this.#watch.changed(changes)
    if (BigInt(epoch) > BigInt(this.#epoch)) {
      this.#epoch = epoch
      this.#watch.seen(epoch)
    }
  }

  /** What has expired ends without any change of its row. */
  looked(): void {
    const over = this.all().filter((kill) => isOver(kill, this.#clock.now()))
    for (const { id } of over) this.#kills.delete(id)
    if (over.length > 0) this.#watch.changed(over.map((kill) => ({ kill, engaged: false })))
  }
}

interface LoadedRow extends Omit<LoadedKill, 'id'> {
  readonly id: string | null
  readonly epochNow: string
  readonly released: boolean
}

function isOver({ expiresAtMs }: KillInForce, nowMs: number): boolean {
  return expiresAtMs !== null && expiresAtMs <= nowMs
}
