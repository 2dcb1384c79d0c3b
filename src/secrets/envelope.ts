import { hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'
import { decryptGcm, encryptGcm } from './aes-gcm.ts'
import { UnreadableSecret } from './errors.ts'
import { formatEnvelope, parseEnvelope, sizes, type Envelope } from './envelope-format.ts'
import { joinTexts, placeTexts, type SecretPlace } from './place.ts'
import type { KeyProvider } from './provider.ts'

export interface Sealed {
  readonly envelope: Buffer
  /** Of the master key that wrapped the data key; stored beside the envelope, so that rotation finds it. */
  readonly keyId: string
}

/** The largest secret, in bytes. */
export const secretBytesMax = 16 * 1024 * 1024

const dataKeyBytes = 32
const purpose = 'portcullis envelope 1: HKDF-SHA-512 with commitment, AES-256-GCM'

/**
 * Seals secrets for a place and opens them there (SPEC S1). Every value has a data key of its own, wrapped by the provider; a key and
 * a commitment are derived from it and from the place. AES-GCM alone would open under more than one key, so the commitment is
 * compared first.
 */
export class Envelopes {
  readonly #provider: KeyProvider

  constructor(provider: KeyProvider) {
    this.#provider = provider
  }

  /** @throws KeysUnavailable, and RangeError above 16 MiB */
  async seal(secret: Uint8Array, place: SecretPlace): Promise<Sealed> {
    if (secret.length > secretBytesMax) throw new RangeError(`a stored secret has at most ${secretBytesMax} bytes`)
    const dataKey = randomBytes(dataKeyBytes)
    const wrapped = await this.#provider.wrap(dataKey, place)
    const { key, commitment } = derive(dataKey, place)
    const message = encryptGcm(key, randomBytes(sizes.iv), secret)
    const envelope = formatEnvelope({ ...message, wrapped, commitment })
    return { envelope, keyId: wrapped.keyId }
  }

  /** @throws UnreadableSecret, or KeysUnavailable where the provider gives no answer */
  async open(envelope: Uint8Array, place: SecretPlace): Promise<Buffer> {
    const parts = parseEnvelope(envelope)
    const dataKey = parts && (await this.#provider.unwrap(parts.wrapped, place))
    const secret = parts && dataKey && decrypt(parts, dataKey, place)
    if (secret === undefined) throw new UnreadableSecret()
    return secret
  }

  /** The same secret under the newest key; undefined where it is already. Its ciphertext stays. @throws as `open` */
  async rewrap(envelope: Uint8Array, place: SecretPlace): Promise<Sealed | undefined> {
    const parts = parseEnvelope(envelope)
    if (parts?.wrapped.keyId === (await this.#provider.newest())) return undefined
    const dataKey = parts && (await this.#provider.unwrap(parts.wrapped, place))
    // Opened once more: what is broken already must not be made to look fresh.
    if (!parts || !dataKey || decrypt(parts, dataKey, place) === undefined) throw new UnreadableSecret()
    const wrapped = await this.#provider.wrap(dataKey, place)
    return { envelope: formatEnvelope({ ...parts, wrapped }), keyId: wrapped.keyId }
  }

  /** @throws KeysUnavailable where the provider cannot be used */
  prove(): Promise<void> {
    return this.#provider.prove()
  }

  newest(): Promise<string> {
    return this.#provider.newest()
  }

  knows(keyId: string): Promise<boolean> {
    return this.#provider.knows(keyId)
  }
}

function decrypt(parts: Envelope, dataKey: Uint8Array, place: SecretPlace): Buffer | undefined {
  if (dataKey.length !== dataKeyBytes) return undefined
  const { key, commitment } = derive(dataKey, place)
  if (!timingSafeEqual(commitment, parts.commitment)) return undefined
  return decryptGcm(key, parts)
}

/** The derived key is used for one message only: its data key is fresh for each. */
function derive(dataKey: Uint8Array, place: SecretPlace): { readonly key: Buffer; readonly commitment: Buffer } {
  const info = joinTexts([purpose, ...placeTexts(place)])
  const bytes = Buffer.from(hkdfSync('sha512', dataKey, new Uint8Array(), info, 64))
  return { key: bytes.subarray(0, 32), commitment: bytes.subarray(32) }
}
