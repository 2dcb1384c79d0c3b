import { randomBytes, timingSafeEqual } from 'node:crypto'
import { KeysUnavailable } from './errors.ts'
import type { SecretPlace } from './place.ts'

/** Who holds the master keys: wraps the data key of each secret, bound to the place of the secret. */
export interface KeyProvider {
  readonly kind: 'file' | 'vault' | 'kms'
  /** With the newest key. @throws KeysUnavailable */
  wrap(dataKey: Uint8Array, place: SecretPlace): Promise<Wrapped>
  /** The data key, or undefined where it was not wrapped with that key for that place. @throws KeysUnavailable */
  unwrap(wrapped: Wrapped, place: SecretPlace): Promise<Uint8Array | undefined>
  /** The id of the key that `wrap` uses now. @throws KeysUnavailable */
  newest(): Promise<string>
  /** Whether a key of that id can be used to unwrap; says nothing about who asks. @throws KeysUnavailable */
  knows(keyId: string): Promise<boolean>
  /** Wraps and unwraps once, so that a missing right shows at the start. @throws KeysUnavailable */
  prove(): Promise<void>
}

export interface Wrapped {
  /** Names the key, and its version where the provider has versions: 1 to 255 of ASCII without blanks. */
  readonly keyId: string
  readonly bytes: Uint8Array
}

/** A place where nothing is stored; KMS takes no empty texts. */
export const probePlace: SecretPlace = { tenant: 'none', table: 'none', column: 'none', row: 'probe' }

export async function proveRemote(provider: Pick<KeyProvider, 'wrap' | 'unwrap'>): Promise<void> {
  const dataKey = randomBytes(32)
  const back = await provider.unwrap(await provider.wrap(dataKey, probePlace), probePlace)
  if (back?.length === dataKey.length && timingSafeEqual(back, dataKey)) return
  throw new KeysUnavailable(
    'the provider of master keys does not unwrap what it has wrapped: check its key and its rights',
  )
}
