import { randomBytes } from 'node:crypto'
import { base62, checksum62 } from './base62.ts'
import { Secret, sha256Hex } from './secret.ts'

const pattern = /^(pcs_[0-9A-Za-z]{43})([0-9A-Za-z]{6})$/

/** A new secret of an OAuth app: `pcs_`, 256 random bits in base62, a checksum; stored as the digest of the whole text (SPEC A5). */
export function makeClientSecret(): { readonly text: Secret; readonly digest: string } {
  const body = `pcs_${base62(BigInt(`0x${randomBytes(32).toString('hex')}`), 43)}`
  const text = `${body}${checksum62(body)}`
  return { text: new Secret(text), digest: sha256Hex(text) }
}

/** Whether it has the form and the checksum of one. */
export function isClientSecret(text: string): boolean {
  const [, body, sum] = pattern.exec(text) ?? []
  return body !== undefined && sum === checksum62(body)
}
