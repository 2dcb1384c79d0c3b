import type { Tenant } from '#core'
import type { PseudonymPort } from '#hub'
import { pseudonymWith, type Pseudonym } from '#ledger'
import type { PseudonymKey, PseudonymKeys } from '#store'

const pollMs = 5000
const retryMs = 60_000

interface Version {
  readonly version: number
  readonly pseudonym: (value: string) => string
}

interface Watched {
  /** Told of what failed, for the log. */
  readonly failed: (error: unknown) => void
  readonly monotonic: () => number
}

/**
 * The keyed pseudonyms of every tenant, in memory (SPEC L3). A tenant gets its key when its first personal value comes; that one
 * is masked, and what follows has its pseudonym. Redaction never waits: what is not in memory is masked.
 */
export class Pseudonyms implements PseudonymPort {
  readonly #watched: Watched
  readonly #askedAt = new Map<string, number>()
  #versions: ReadonlyMap<string, readonly Version[]> = new Map()
  #loading: Promise<void> | undefined
  #again = false
  readonly #working = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | undefined
  #keys: PseudonymKeys | undefined
  #closed = false

  constructor(watched: Watched) {
    this.#watched = watched
  }

  /** The first load; rejects where keys that are stored cannot be opened. Until then, and without keys, values are masked. */
  async start(keys: PseudonymKeys): Promise<void> {
    this.#keys = keys
    await this.#load(keys)
    this.#timer = setInterval(() => this.wake(), pollMs)
    this.#timer.unref()
  }

  /** Loads what has changed; what another replica destroyed is forgotten here. */
  wake(): void {
    const keys = this.#keys
    if (this.#closed || keys === undefined) return
    if (this.#loading !== undefined) {
      this.#again = true
      return
    }
    this.#loading = this.#load(keys)
      .catch(this.#watched.failed)
      .finally(() => {
        this.#loading = undefined
        if (!this.#again) return
        this.#again = false
        this.wake()
      })
  }

  /** What redaction of the entries of a tenant is given. */
  of(tenant: Tenant): Pseudonym {
    return (value) => {
      const newest = this.#versions.get(tenant.id)?.[0]
      if (newest === undefined) this.#make(tenant)
      return newest?.pseudonym(value)
    }
  }

  all(tenant: Tenant): readonly Version[] {
    return this.#versions.get(tenant.id) ?? []
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    await this.#loading
    await Promise.all(this.#working)
    await this.#keys?.close()
  }

  async #load(store: PseudonymKeys): Promise<void> {
    const { keys, changed } = await store.load()
    if (changed || this.#versions.size === 0) this.#versions = versionsOf(keys)
  }

  /** Once a minute at most for a tenant, so that a store or a provider that is away is not asked for each value. */
  #make(tenant: Tenant): void {
    const now = this.#watched.monotonic()
    const keys = this.#keys
    if (
      this.#closed ||
      keys === undefined ||
      now - (this.#askedAt.get(tenant.id) ?? Number.NEGATIVE_INFINITY) < retryMs
    )
      return
    this.#askedAt.set(tenant.id, now)
    const made = this.#create(tenant, keys)
      .catch(this.#watched.failed)
      .finally(() => this.#working.delete(made))
    this.#working.add(made)
  }

  async #create(tenant: Tenant, store: PseudonymKeys): Promise<void> {
    await this.#load(store)
    if (this.all(tenant).length === 0) await store.create(tenant)
    const { keys } = await store.load()
    this.#versions = versionsOf(keys)
    // The next one may be wanted at once, where this one is destroyed.
    this.#askedAt.delete(tenant.id)
  }
}

function versionsOf(keys: readonly PseudonymKey[]): ReadonlyMap<string, readonly Version[]> {
  const versions = new Map<string, Version[]>()
  for (const { tenant, version, key } of keys.toSorted((a, b) => b.version - a.version)) {
    if (key === undefined) continue
    const known = versions.get(tenant.id) ?? []
    known.push({ version, pseudonym: pseudonymWith(key, version) })
    versions.set(tenant.id, known)
  }
  return versions
}
