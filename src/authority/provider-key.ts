import { createPrivateKey, createPublicKey, webcrypto, type KeyObject } from 'node:crypto'
import type * as OidcProvider from 'oidc-provider'
import type { TokenAlgorithm, TokenKey } from './signing-keys.ts'

// RFC 7518, section 3, in the terms of Web Crypto: of the ways of node to sign, the one that takes least of the main thread.
const algorithms = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256', saltLength: 32 },
} as const satisfies Readonly<Record<TokenAlgorithm, object>>

/** A key as the library signs with it, without having the private part. */
export function signingKey(
  { ExternalSigningKey }: Pick<typeof OidcProvider, 'ExternalSigningKey'>,
  { algorithm, kid, privateJwk }: TokenKey,
): OidcProvider.ExternalSigningKey {
  const key = createPrivateKey({ key: privateJwk, format: 'jwk' })
  const publicKey = createPublicKey(key)
  const privateKey = key.toCryptoKey(algorithms[algorithm], false, ['sign'])
  class SigningKey extends ExternalSigningKey {
    override keyObject(): KeyObject {
      return publicKey
    }

    override async sign(data: Uint8Array): Promise<Uint8Array> {
      return Buffer.from(
        await webcrypto.subtle.sign(algorithms[algorithm], privateKey, data as Uint8Array<ArrayBuffer>),
      )
    }
  }
  return Object.assign(new SigningKey(), { kid, alg: algorithm })
}
