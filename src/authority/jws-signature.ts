import type * as Jose from 'jose'
import type { CompactJws } from './strict-jws.ts'
import type { TrustedKey } from './trusted-key.ts'

let jose: Promise<typeof Jose> | undefined

/** Whether that key made the signature, with that algorithm. The one place where signatures of tokens and proofs are looked at. */
export async function signatureIsRight(
  { compact }: CompactJws,
  { key }: TrustedKey,
  algorithm: string,
): Promise<boolean> {
  jose ??= import('jose')
  const { compactVerify, errors } = await jose
  try {
    await compactVerify(compact, key, { algorithms: [algorithm] })
    return true
  } catch (error) {
    if (error instanceof errors.JOSEError) return false
    throw error
  }
}
