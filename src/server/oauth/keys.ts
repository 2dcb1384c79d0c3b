import { generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { hash } from 'node:crypto'
import { uuidv7, type Clock } from '#core'
import type { TokenAlgorithm, TokenKey } from '#authority'
import type { OAuthKeys } from '#store'

interface RotationParts {
  readonly keys: Pick<OAuthKeys, 'create'>
  readonly clock: Clock
  readonly algorithm: TokenAlgorithm
  readonly rotateAfterMs: number
  readonly publishAheadMs: number
  /** How long the last token of a key may live after it signed. */
  readonly tokenMs: number
  /** What is in memory is read again. */
  readonly refresh: () => Promise<void>
  readonly failed: (error: unknown) => void
}

const lookEveryMs = 60_000
// Clocks differ, and what a verifier cached is older than what is published.
const graceMs = 600_000
const generate = promisify(generateKeyPair)

/** Makes the first key, and the next one when the last has become old; the database lets one replica do it (SPEC A2). */
export class KeyRotation {
  readonly #parts: RotationParts
  #known: readonly TokenKey[] = []
  #timer: NodeJS.Timeout | undefined
  #working: Promise<unknown> = Promise.resolve()

  constructor(parts: RotationParts) {
    this.#parts = parts
  }

  saw(keys: readonly TokenKey[]): void {
    this.#known = keys
  }

  /** Resolves once there is a key; rejects where none can be made. */
  async start(): Promise<void> {
    await this.#look()
    this.#timer = setInterval(() => {
      this.#working = this.#look().catch(this.#parts.failed)
    }, lookEveryMs)
    this.#timer.unref()
  }

  /** Makes the next key now, however young the last one is. */
  rotate(): Promise<boolean> {
    return this.#make(0)
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#working
  }

  async #look(): Promise<void> {
    const { algorithm, clock, rotateAfterMs } = this.#parts
    const newest = Math.max(
      Number.NEGATIVE_INFINITY,
      ...this.#known.filter((key) => key.algorithm === algorithm).map(({ createdAtMs }) => createdAtMs),
    )
    if (clock.now() - newest < rotateAfterMs) return
    await this.#make(rotateAfterMs)
  }

  async #make(ageMs: number): Promise<boolean> {
    const { algorithm, keys, publishAheadMs, refresh, tokenMs } = this.#parts
    const { publicKey, privateKey } =
      algorithm === 'ES256'
        ? await generate('ec', { namedCurve: 'P-256' })
        : await generate('rsa', { modulusLength: 2048 })
    const publicJwk = publicPart(publicKey, algorithm)
    const made = await keys.create({
      id: uuidv7(),
      kid: publicJwk.kid,
      algorithm,
      publicJwk,
      privateJwk: { ...privateKey.export({ format: 'jwk' }), kid: publicJwk.kid, alg: algorithm, use: 'sig' },
      delaySeconds: Math.ceil(publishAheadMs / 1000),
      overlapSeconds: Math.ceil((tokenMs + graceMs) / 1000),
      ageSeconds: Math.floor(ageMs / 1000),
    })
    await refresh()
    return made
  }
}

function publicPart(key: KeyObject, algorithm: TokenAlgorithm) {
  const { kty, crv, x, y, n, e } = key.export({ format: 'jwk' })
  // RFC 7638: the members that make the key, in this order, and no others.
  const thumbprint = JSON.stringify(kty === 'EC' ? { crv, kty, x, y } : { e, kty, n })
  const parts = kty === 'EC' ? { kty, crv, x, y } : { kty, n, e }
  return { ...parts, kid: hash('sha256', thumbprint, 'base64url'), alg: algorithm, use: 'sig' }
}
