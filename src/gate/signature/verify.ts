import { createHmac, verify, type KeyObject } from 'node:crypto'
import { secretsEqual } from '#core'
import type { SigningAlgorithm } from '../ports.ts'

type Verify = (base: Buffer, signature: Uint8Array, key: KeyObject) => boolean

// A key has one algorithm; what the signature says of itself chooses none.
const verifiers: Readonly<Record<SigningAlgorithm, Verify>> = {
  ed25519: (base, signature, key) => key.asymmetricKeyType === 'ed25519' && verify(null, base, key, signature),
  'hmac-sha256': (base, signature, key) =>
    key.type === 'secret' && secretsEqual(createHmac('sha256', key).update(base).digest(), signature),
}

export function signatureIsRight(
  algorithm: SigningAlgorithm,
  key: KeyObject,
  claim: { readonly base: string; readonly bytes: Uint8Array },
): boolean {
  return verifiers[algorithm](Buffer.from(claim.base, 'latin1'), claim.bytes, key)
}
