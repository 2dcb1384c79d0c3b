import { createHash } from 'node:crypto'
import { KeysUnavailable } from './errors.ts'
import { joinTexts, placeTexts, type SecretPlace } from './place.ts'
import type { KeyProvider, Wrapped } from './provider.ts'

interface CacheSettings {
  /** A data key that was unwrapped less long ago is used without asking. */
  readonly freshMs: number
  /** While the provider is away, one that was unwrapped less long ago is used still. */
  readonly outageMs: number
  readonly monotonic: () => number
  readonly entriesMax?: number
}

interface Known {
  readonly dataKey: Buffer
  readonly atMs: number
}

const askAgainMs = 2000

/**
 * Keeps unwrapped data keys for a while, so that an outage of a provider in the network is felt late and not by every call. After
 * a failure the provider is left alone for 2 s.
 */
export class CachedProvider implements KeyProvider {
  readonly kind: KeyProvider['kind']
  readonly #provider: KeyProvider
  readonly #settings: CacheSettings
  readonly #known = new Map<string, Known>()
  #away: { readonly untilMs: number; readonly why: KeysUnavailable } | undefined

  constructor(provider: KeyProvider, settings: CacheSettings) {
    this.kind = provider.kind
    this.#provider = provider
    this.#settings = settings
  }

  async wrap(dataKey: Uint8Array, place: SecretPlace): Promise<Wrapped> {
    const wrapped = await this.#provider.wrap(dataKey, place)
    this.#keep(digest(wrapped, place), dataKey)
    return wrapped
  }

  async unwrap(wrapped: Wrapped, place: SecretPlace): Promise<Uint8Array | undefined> {
    const id = digest(wrapped, place)
    const known = this.#known.get(id)
    const ageMs = known === undefined ? Infinity : this.#settings.monotonic() - known.atMs
    if (known !== undefined && ageMs < this.#settings.freshMs) return known.dataKey
    try {
      const dataKey = await this.#ask(() => this.#provider.unwrap(wrapped, place))
      if (dataKey === undefined) this.#known.delete(id)
      else this.#keep(id, dataKey)
      return dataKey
    } catch (error) {
      if (!(error instanceof KeysUnavailable)) throw error
      if (known !== undefined && ageMs < this.#settings.outageMs) return known.dataKey
      this.#known.delete(id)
      throw error
    }
  }

  newest(): Promise<string> {
    return this.#provider.newest()
  }

  knows(keyId: string): Promise<boolean> {
    return this.#provider.knows(keyId)
  }

  prove(): Promise<void> {
    return this.#provider.prove()
  }

  async #ask<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#away !== undefined && this.#settings.monotonic() < this.#away.untilMs) throw this.#away.why
    try {
      const result = await work()
      this.#away = undefined
      return result
    } catch (error) {
      if (error instanceof KeysUnavailable)
        this.#away = { untilMs: this.#settings.monotonic() + askAgainMs, why: error }
      throw error
    }
  }

  #keep(id: string, dataKey: Uint8Array): void {
    // The oldest go first: a Map keeps the order in which they came.
    this.#known.delete(id)
    this.#known.set(id, { dataKey: Buffer.from(dataKey), atMs: this.#settings.monotonic() })
    const [oldest] = this.#known.keys()
    if (this.#known.size > (this.#settings.entriesMax ?? 10_000) && oldest !== undefined) this.#known.delete(oldest)
  }
}

function digest({ keyId, bytes }: Wrapped, place: SecretPlace): string {
  return createHash('sha256')
    .update(joinTexts([keyId, ...placeTexts(place)]))
    .update(bytes)
    .digest('base64')
}
