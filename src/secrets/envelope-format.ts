import type { Wrapped } from './provider.ts'

/** A stored secret in its parts. docs/secrets.md describes the bytes. */
export interface Envelope {
  readonly wrapped: Wrapped
  readonly iv: Uint8Array
  readonly commitment: Uint8Array
  readonly tag: Uint8Array
  readonly ciphertext: Uint8Array
}

export const sizes = { iv: 12, commitment: 32, tag: 16, wrappedMax: 1024 } as const
export const keyIdPattern = /^[\x21-\x7e]{1,255}$/

// The first byte of every envelope: its format, and with it the suite (HKDF-SHA-512 with commitment, AES-256-GCM).
const version = 1

/** `version, length, key id, length (2), wrapped data key, iv, commitment, tag, ciphertext`. */
export function formatEnvelope({ wrapped, iv, commitment, tag, ciphertext }: Envelope): Buffer {
  const { keyId, bytes } = wrapped
  if (!keyIdPattern.test(keyId)) throw new RangeError('a key id has 1 to 255 printable ASCII characters without blanks')
  if (bytes.length === 0 || bytes.length > sizes.wrappedMax)
    throw new RangeError(`a wrapped data key has 1 to ${sizes.wrappedMax} bytes`)
  const length = Buffer.alloc(2)
  length.writeUInt16BE(bytes.length)
  const head = Buffer.from([version, keyId.length])
  return Buffer.concat([head, Buffer.from(keyId, 'latin1'), length, bytes, iv, commitment, tag, ciphertext])
}

/** The parts, or undefined where the bytes are no envelope. Nothing in them is believed yet. */
export function parseEnvelope(bytes: Uint8Array): Envelope | undefined {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const keyIdEnd = 2 + (data[1] ?? 0)
  if (data[0] !== version || data.length < keyIdEnd + 2) return undefined
  const keyId = data.toString('latin1', 2, keyIdEnd)
  const wrappedBytes = data.readUInt16BE(keyIdEnd)
  if (!keyIdPattern.test(keyId) || wrappedBytes === 0 || wrappedBytes > sizes.wrappedMax) return undefined
  const ivAt = keyIdEnd + 2 + wrappedBytes
  const commitmentAt = ivAt + sizes.iv
  const tagAt = commitmentAt + sizes.commitment
  const ciphertextAt = tagAt + sizes.tag
  if (data.length < ciphertextAt) return undefined
  return {
    wrapped: { keyId, bytes: data.subarray(keyIdEnd + 2, ivAt) },
    iv: data.subarray(ivAt, commitmentAt),
    commitment: data.subarray(commitmentAt, tagAt),
    tag: data.subarray(tagAt, ciphertextAt),
    ciphertext: data.subarray(ciphertextAt),
  }
}
