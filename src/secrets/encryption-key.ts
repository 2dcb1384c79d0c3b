import { randomBytes } from 'node:crypto'

export const encryptionKeyBytes = 32

/** 32 random bytes for AES-256: one for each store that is encrypted (SPEC S2). */
export function generateEncryptionKey(): Buffer {
  return randomBytes(encryptionKeyBytes)
}

export type KeyRead = { readonly ok: true; readonly key: Buffer } | { readonly ok: false; readonly why: string }

/** A key as somebody stored it: 32 raw bytes, or their base64 or hexadecimal text. What it says on failure holds nothing of the key. */
export function readEncryptionKey(given: Uint8Array | string): KeyRead {
  const bytes = typeof given === 'string' ? Buffer.from(given, 'utf8') : Buffer.from(given)
  const text = bytes.toString('latin1').trim()
  if (bytes.length === encryptionKeyBytes && !/^[\x20-\x7e\s]*$/.test(bytes.toString('latin1')))
    return { ok: true, key: bytes }
  const decoded = decode(text)
  if (decoded === undefined) {
    const found = /^[\x20-\x7e\s]*$/.test(text)
      ? `text of ${text.length} characters that is neither base64 nor hexadecimal`
      : `${bytes.length} raw bytes`
    return no(text === '' ? 'nothing' : found)
  }
  const { key, form } = decoded
  return key.length === encryptionKeyBytes ? { ok: true, key } : no(`${key.length} bytes (${form})`)
}

function decode(text: string): { readonly key: Buffer; readonly form: string } | undefined {
  if (text === '') return undefined
  // All hexadecimal texts are base64 too; who writes only hexadecimal digits means them.
  if (/^(?:[0-9a-f]{2})+$/i.test(text)) return { key: Buffer.from(text, 'hex'), form: 'hexadecimal' }
  if (!/^[0-9A-Za-z+/_-]+={0,2}$/.test(text)) return undefined
  const key = Buffer.from(text, 'base64')
  const plain = text.replaceAll('-', '+').replaceAll('_', '/').replace(/=+$/, '')
  return key.toString('base64').replace(/=+$/, '') === plain ? { key, form: 'base64' } : undefined
}

function no(found: string): KeyRead {
  const todo = 'make one with `portcullis secrets generate-key`'
  return { ok: false, why: `an encryption key has exactly 32 bytes, and this is ${found}; ${todo}` }
}
