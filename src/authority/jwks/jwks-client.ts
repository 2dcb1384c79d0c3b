import type { Clock } from '#core'
import { keySetOf, type KeySet, type KeySource } from '../key-set.ts'
import { discoverJwksUri, fetchJwks, type Jwks, type Send } from './fetch-keys.ts'

export interface JwksSettings {
  readonly issuer: string
  /** Without it, the metadata of the issuer say where its keys are. */
  readonly jwksUri: string | undefined
  /** Empty where there are no retries. */
  readonly retryDelaysMs: readonly number[]
  /** How old keys may be while the issuer is away; undefined where they may not outlive their freshness. */
  readonly offlineToleranceMs: number | undefined
}

/** What changed between us and the issuer, for the log. */
export type JwksEvent =
  | {
      readonly kind: 'failed'
      readonly error: Error
      readonly attempts: number
      readonly ageSeconds: number | undefined
    }
  | { readonly kind: 'back'; readonly keys: number }
  | { readonly kind: 'too_old'; readonly ageSeconds: number | undefined }

export interface JwksParts {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly send: Send
  readonly tell: (event: JwksEvent) => void
  /** Calls back after that time; answers how to take it back. */
  readonly later: (delayMs: number, then: () => void) => () => void
}

export const jwksTimes = { freshMs: 60_000, cooldownMs: 10_000, deadlineMs: 5000, discoverAgainMs: 3_600_000 } as const

/**
 * The keys of an issuer (SPEC A4). Whatever is asked of it, at most one round of attempts is under way, and one begins at most once
 * in a cooldown: a first attempt, which callers without keys wait for, and the ladder of retries, which nobody waits for. Ages are
 * measured on the monotonic clock, from before the request was sent.
 */
export class JwksClient implements KeySource {
  readonly #settings: JwksSettings
  readonly #parts: JwksParts
  #set: KeySet | undefined
  #text = ''
  #hadAt = Number.NEGATIVE_INFINITY
  #askedAt = Number.NEGATIVE_INFINITY
  #uri: { readonly value: string; readonly at: number } | undefined
  #attempt: Promise<void> | undefined
  #cancelRetry: (() => void) | undefined
  #attempts = 0
  #notBefore = Number.NEGATIVE_INFINITY
  #away = false
  #tooOldTold = false
  #closed = new AbortController()

  constructor(settings: JwksSettings, parts: JwksParts) {
    this.#settings = settings
    this.#parts = parts
  }

  /** Starts what is due. Called every now and then, so that it recovers also where nobody calls. */
  look(): void {
    // While the copy is good there is no hurry: an issuer that is away for long is not asked, and told of, all the time.
    const pauseMs = this.#usable() ? this.#refreshAfterMs() : 0
    const sinceMs = this.#parts.clock.monotonic() - this.#askedAt
    if (this.#ageMs() > this.#refreshAfterMs() && sinceMs >= pauseMs) this.#begin()
    if (this.#set !== undefined && !this.#usable()) this.#tellTooOld()
  }

  current(): KeySet | undefined {
    this.look()
    return this.#usable() ? this.#set : undefined
  }

  async lookFor(kid: string): Promise<KeySet | undefined> {
    const set = this.current()
    if (set?.keys.has(kid) === true) return set
    this.#begin()
    await this.#attempt
    return this.current()
  }

  /** Undefined before there were any. */
  ageSeconds(): number | undefined {
    return this.#set === undefined ? undefined : this.#ageMs() / 1000
  }

  close(): void {
    this.#closed.abort()
    this.#cancelRetry?.()
  }

  #ageMs(): number {
    return this.#parts.clock.monotonic() - this.#hadAt
  }

  #limitMs(): number {
    return this.#settings.offlineToleranceMs ?? jwksTimes.freshMs
  }

  #refreshAfterMs(): number {
    return Math.min(jwksTimes.freshMs, this.#limitMs()) / 2
  }

  #usable(): boolean {
    return this.#set !== undefined && this.#ageMs() <= this.#limitMs()
  }

  /** A round, where none is under way and the last one is long enough ago. */
  #begin(): void {
    const underWay = this.#attempt !== undefined || this.#cancelRetry !== undefined
    if (underWay || this.#closed.signal.aborted || this.#parts.clock.monotonic() < this.#notBefore) return
    this.#attempts = 0
    this.#try()
  }

  #try(): void {
    this.#cancelRetry = undefined
    this.#attempts += 1
    const askedAt = this.#parts.clock.monotonic()
    this.#askedAt = askedAt
    this.#attempt = this.#fetch()
      .then(
        (jwks) => this.#had(jwks, askedAt),
        (error: unknown) => this.#failed(error instanceof Error ? error : new Error(String(error))),
      )
      .finally(() => {
        this.#attempt = undefined
      })
  }

  async #fetch(): Promise<Jwks> {
    const { send, clock } = this.#parts
    const { issuer, jwksUri } = this.#settings
    const signal = AbortSignal.any([this.#closed.signal, AbortSignal.timeout(jwksTimes.deadlineMs)])
    if (jwksUri !== undefined) return fetchJwks(jwksUri, send, signal)
    const known = this.#uri !== undefined && clock.monotonic() - this.#uri.at < jwksTimes.discoverAgainMs
    const uri =
      known && this.#uri ? this.#uri : { value: await discoverJwksUri(issuer, send, signal), at: clock.monotonic() }
    // Asked for again where it leads nowhere: the issuer may have moved its keys.
    this.#uri = undefined
    const jwks = await fetchJwks(uri.value, send, signal)
    this.#uri = uri
    return jwks
  }

  #had(jwks: Jwks, askedAt: number): void {
    const text = JSON.stringify(jwks)
    // The same keys are the same set: what was verified with them stays so.
    if (this.#set === undefined || text !== this.#text) this.#set = keySetOf(jwks)
    this.#text = text
    this.#hadAt = askedAt
    this.#tooOldTold = false
    this.#notBefore = this.#parts.clock.monotonic() + jwksTimes.cooldownMs
    if (this.#away) this.#parts.tell({ kind: 'back', keys: this.#set.keys.size })
    this.#away = false
  }

  #failed(error: Error): void {
    if (this.#closed.signal.aborted) return
    const delayMs = this.#settings.retryDelaysMs[this.#attempts - 1]
    this.#away = true
    if (delayMs !== undefined) {
      this.#cancelRetry = this.#parts.later(delayMs, () => this.#try())
      return
    }
    this.#notBefore = this.#parts.clock.monotonic() + jwksTimes.cooldownMs
    this.#parts.tell({ kind: 'failed', error, attempts: this.#attempts, ageSeconds: this.ageSeconds() })
  }

  #tellTooOld(): void {
    if (this.#tooOldTold) return
    this.#tooOldTold = true
    this.#parts.tell({ kind: 'too_old', ageSeconds: this.ageSeconds() })
  }
}
