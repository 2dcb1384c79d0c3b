import { sha256Hex, type Clock } from '#core'
import type { DenialDirectory } from '#authority'
import type { CachedTable } from './keys.ts'

// Longer than any clock skew that is allowed for: a token is asked about until it has expired for everybody.
const graceMs = 600_000
const sweepEveryMs = 60_000

/** Tokens and grants that ended early, in memory under the epoch of keys, until they would have expired (SPEC A1, A10). */
export class DenialCache implements DenialDirectory, CachedTable {
  readonly name = 'token_denials.load'
  readonly source = 'token_denials'
  readonly text = `select encode(digest, 'hex') as digest, (extract(epoch from expires_at) * 1000)::float8 as expires_at_ms
    from portcullis.load_token_denials($1::text::xid8)`
  readonly #clock: Clock
  /** When each may be forgotten, by digest. */
  readonly #denied = new Map<string, number>()
  #sweptAt: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#sweptAt = clock.monotonic()
  }

  get size(): number {
    return this.#denied.size
  }

  denied(tokenId: string, grantId: string | undefined): boolean {
    if (this.#denied.size === 0) return false
    return (
      this.#denied.has(denialDigest('token', tokenId)) ||
      (grantId !== undefined && this.#denied.has(denialDigest('grant', grantId)))
    )
  }

  keep(rows: readonly Readonly<Record<string, unknown>>[]): void {
    for (const row of rows as unknown as readonly LoadedDenial[]) {
      this.#denied.set(row.digest, row.expires_at_ms + graceMs)
    }
    if (this.#clock.monotonic() - this.#sweptAt < sweepEveryMs) return
    this.#sweptAt = this.#clock.monotonic()
    const now = this.#clock.now()
    for (const [digest, untilMs] of this.#denied) if (untilMs < now) this.#denied.delete(digest)
  }
}

interface LoadedDenial {
  readonly digest: string
  readonly expires_at_ms: number
}

/** As portcullis.token_denials has it. */
function denialDigest(kind: 'token' | 'grant', id: string): string {
  return sha256Hex(`${kind}:${id}`)
}
