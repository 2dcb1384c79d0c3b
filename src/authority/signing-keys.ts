/** A key that signs tokens, as every replica has it (SPEC A2). */
export interface TokenKey {
  readonly kid: string
  readonly algorithm: TokenAlgorithm
  readonly publicJwk: Readonly<Record<string, unknown>>
  readonly privateJwk: Readonly<Record<string, unknown>>
  readonly createdAtMs: number
  /** Published before, so that everybody knows it when it begins to sign. */
  readonly activatesAtMs: number
  /** Published until then, for what it signed. */
  readonly retiresAtMs: number | undefined
}

export type TokenAlgorithm = 'ES256' | 'RS256' | 'PS256'

/** The keys at one time. Another object means other keys. */
export interface KeyRing {
  /** Signs what is issued now. */
  readonly current: TokenKey
  /** All that are published, the current one first. */
  readonly published: readonly TokenKey[]
  readonly publicJwks: readonly Readonly<Record<string, unknown>>[]
}

/** Chooses among the keys that there are, by time; the same ring as before where nothing has changed. */
export class KeyRings {
  #keys: readonly TokenKey[] = []
  #ring: KeyRing | undefined
  /** When the ring has to be looked at again. */
  #untilMs = Number.NEGATIVE_INFINITY

  set(keys: readonly TokenKey[]): void {
    this.#keys = keys
    this.#untilMs = Number.NEGATIVE_INFINITY
  }

  /** Undefined while there is no key. */
  at(nowMs: number): KeyRing | undefined {
    if (nowMs < this.#untilMs) return this.#ring
    const changes = this.#keys
      .flatMap(({ activatesAtMs, retiresAtMs }) => [activatesAtMs, retiresAtMs ?? Number.POSITIVE_INFINITY])
      .filter((ms) => ms > nowMs)
    this.#untilMs = Math.min(...changes)
    const next = ringAt(this.#keys, nowMs)
    if (!sameRing(next, this.#ring)) this.#ring = next
    return this.#ring
  }
}

function ringAt(keys: readonly TokenKey[], nowMs: number): KeyRing | undefined {
  const published = keys.filter(({ retiresAtMs }) => retiresAtMs === undefined || nowMs < retiresAtMs)
  const current = published
    .filter(({ activatesAtMs }) => activatesAtMs <= nowMs)
    .toSorted((a, b) => b.activatesAtMs - a.activatesAtMs || (a.kid < b.kid ? -1 : 1))[0]
  if (current === undefined) return undefined
  const all = [current, ...published.filter((key) => key !== current).toSorted((a, b) => (a.kid < b.kid ? -1 : 1))]
  return { current, published: all, publicJwks: all.map(({ publicJwk }) => publicJwk) }
}

function sameRing(a: KeyRing | undefined, b: KeyRing | undefined): boolean {
  const kids = (ring: KeyRing | undefined): string => ring?.published.map(({ kid }) => kid).join(' ') ?? ''
  return kids(a) === kids(b)
}
