import { randomBytes } from 'node:crypto'
import { statSync } from 'node:fs'
import { decryptGcm, encryptGcm } from './aes-gcm.ts'
import { sizes } from './envelope-format.ts'
import { KeysUnavailable } from './errors.ts'
import { readKeyFile, type MasterKey } from './key-file.ts'
import { joinTexts, placeTexts, type SecretPlace } from './place.ts'
import type { KeyProvider, Wrapped } from './provider.ts'
import type { WrapBudget } from './wrap-budget.ts'

interface FileSettings {
  readonly file: string
  readonly budget?: WrapBudget | undefined
  /** Milliseconds that never go back. */
  readonly monotonic: () => number
  /** Told of a file that changed and cannot be used; the keys that were read before stay. */
  readonly broken?: (error: unknown) => void
}

const lookEveryMs = 1000
const purpose = 'portcullis data key 1: AES-256-GCM'

/**
 * Master keys in a file on this machine. A file that changes is read again: within a second before wrapping, and at once for a
 * key that is not known, so that a rotation needs no restart.
 */
export class FileProvider implements KeyProvider {
  readonly kind = 'file'
  readonly #settings: FileSettings
  #keys: readonly MasterKey[]
  #stamp: string
  #lookedAt: number
  /** Of the file as it was when it was last found broken. */
  #brokenStamp: string | undefined

  /** @throws KeyFileError */
  constructor(settings: FileSettings) {
    this.#settings = settings
    this.#stamp = stampOf(settings.file)
    this.#keys = readKeyFile(settings.file)
    this.#lookedAt = settings.monotonic()
  }

  async wrap(dataKey: Uint8Array, place: SecretPlace): Promise<Wrapped> {
    if (this.#settings.monotonic() - this.#lookedAt >= lookEveryMs) this.look()
    const { id, key } = this.#newest()
    await this.#settings.budget?.spend(id)
    const { iv, ciphertext, tag } = encryptGcm(key, randomBytes(sizes.iv), dataKey, boundTo(id, place))
    return { keyId: id, bytes: Buffer.concat([iv, ciphertext, tag]) }
  }

  unwrap({ keyId, bytes }: Wrapped, place: SecretPlace): Promise<Uint8Array | undefined> {
    const key = this.#find(keyId)?.key
    return Promise.resolve(key && decrypt(key, Buffer.from(bytes), boundTo(keyId, place)))
  }

  newest(): Promise<string> {
    this.look()
    return Promise.resolve(this.#newest().id)
  }

  knows(keyId: string): Promise<boolean> {
    return Promise.resolve(this.#find(keyId) !== undefined)
  }

  /** Its keys were read: nothing else can be missing. */
  prove(): Promise<void> {
    return Promise.resolve()
  }

  /** Reads the file again where it changed. */
  look(): void {
    this.#lookedAt = this.#settings.monotonic()
    const stamp = stampOf(this.#settings.file)
    if (stamp === this.#stamp || stamp === this.#brokenStamp) return
    try {
      this.#keys = readKeyFile(this.#settings.file)
      this.#stamp = stamp
    } catch (error) {
      // Somebody may be replacing it: what was known works on. Said once for each state of the file.
      this.#brokenStamp = stamp
      this.#settings.broken?.(error)
    }
  }

  #find(keyId: string): MasterKey | undefined {
    const known = this.#keys.find(({ id }) => id === keyId)
    if (known !== undefined) return known
    this.look()
    return this.#keys.find(({ id }) => id === keyId)
  }

  #newest(): MasterKey {
    const newest = this.#keys.findLast(({ prepared }) => !prepared)
    if (newest === undefined) throw new KeysUnavailable('the key file holds no key to wrap with')
    return newest
  }
}

function decrypt(key: Uint8Array, bytes: Buffer, bound: Uint8Array): Buffer | undefined {
  const tagAt = bytes.length - sizes.tag
  if (tagAt <= sizes.iv) return undefined
  const iv = bytes.subarray(0, sizes.iv)
  return decryptGcm(key, { iv, ciphertext: bytes.subarray(sizes.iv, tagAt), tag: bytes.subarray(tagAt) }, bound)
}

function boundTo(keyId: string, place: SecretPlace): Buffer {
  return joinTexts([purpose, keyId, ...placeTexts(place)])
}

function stampOf(file: string): string {
  const found = statSync(file, { throwIfNoEntry: false, bigint: true })
  return found === undefined ? 'none' : `${found.ino} ${found.mtimeNs} ${found.size}`
}
