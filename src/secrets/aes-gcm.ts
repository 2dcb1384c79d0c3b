import { createCipheriv, createDecipheriv } from 'node:crypto'
import { sizes } from './envelope-format.ts'

export interface GcmMessage {
  readonly iv: Uint8Array
  readonly tag: Uint8Array
  readonly ciphertext: Uint8Array
}

const none = new Uint8Array()

/** AES-256-GCM with a tag of 128 bits. */
export function encryptGcm(key: Uint8Array, iv: Uint8Array, text: Uint8Array, bound: Uint8Array = none): GcmMessage {
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(bound)
  const ciphertext = Buffer.concat([cipher.update(text), cipher.final()])
  return { iv, ciphertext, tag: cipher.getAuthTag() }
}

/** The text, or undefined where tag, key or what it is bound to is another one. */
export function decryptGcm(key: Uint8Array, message: GcmMessage, bound: Uint8Array = none): Buffer | undefined {
  const { iv, tag, ciphertext } = message
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: sizes.tag }).setAAD(bound)
  decipher.setAuthTag(tag)
  try {
    return Buffer.concat([decipher.update(ciphertext), decipher.final()])
  } catch {
    // OpenSSL says that the tag is wrong; the caller says one thing for every reason.
    return undefined
  }
}
