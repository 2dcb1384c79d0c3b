import { createPrivateKey, createPublicKey, sign, webcrypto, type KeyObject } from 'node:crypto'
import type * as OidcProvider from 'oidc-provider'
import type { TokenAlgorithm, TokenKey } from './signing-keys.ts'

type Sign = (data: Uint8Array) => Promise<Uint8Array>

// RFC 7518, section 3, in the terms of Web Crypto: of the ways of node to sign, the one that takes least of the main thread.
const rsa = {
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256', saltLength: 32 },
} as const satisfies Readonly<Record<Exclude<TokenAlgorithm, 'ES256'>, object>>

/** A key as the library signs with it, without having the private part. */
export function signingKey(
  { ExternalSigningKey }: Pick<typeof OidcProvider, 'ExternalSigningKey'>,
  { algorithm, kid, privateJwk }: TokenKey,
): OidcProvider.ExternalSigningKey {
  const key = createPrivateKey({ key: privateJwk, format: 'jwk' })
  const publicKey = createPublicKey(key)
  const signed = signerOf(key, algorithm)
  class SigningKey extends ExternalSigningKey {
    override keyObject(): KeyObject {
      return publicKey
    }

    override async sign(data: Uint8Array): Promise<Uint8Array> {
      return signed(data)
    }
  }
  return Object.assign(new SigningKey(), { kid, alg: algorithm })
}

/** RSA takes a millisecond and another thread; handing P-256 over would take longer than signing. */
export function signerOf(key: KeyObject, algorithm: TokenAlgorithm): Sign {
  // With `dsaEncoding: 'ieee-p1363'` node takes twice as long.
  if (algorithm === 'ES256') return together((data) => joined(sign('sha256', data, key)))
  const made = rsa[algorithm]
  const privateKey = key.toCryptoKey(made, false, ['sign'])
  return async (data) => Buffer.from(await webcrypto.subtle.sign(made, privateKey, data as Uint8Array<ArrayBuffer>))
}

// A millisecond or two: what else waits in the event loop has its turn between.
const signedAtOnceMax = 32

/**
 * Signs one after the other what is asked for in one turn of the event loop: a third of the time that the same signatures take
 * between other work, and what they are for is committed together.
 */
function together(signOne: (data: Uint8Array) => Uint8Array): Sign {
  const waiting: (() => void)[] = []
  const signThose = (): void => {
    for (const signNext of waiting.splice(0, signedAtOnceMax)) signNext()
    if (waiting.length > 0) setImmediate(signThose)
  }
  return (data) =>
    new Promise((resolve, reject) => {
      const signThis = (): void => {
        try {
          resolve(signOne(data))
        } catch (error) {
          reject(new Error('the key of tokens cannot sign', { cause: error }))
        }
      }
      if (waiting.push(signThis) === 1) setImmediate(signThose)
    })
}

const coordinateBytes = 32

/** R and S of a signature in DER, each with 32 bytes (RFC 7518, section 3.4). All lengths in it are below 128: one byte each. */
function joined(der: Buffer): Buffer {
  const rEnd = 4 + der.readUInt8(3)
  const raw = Buffer.alloc(2 * coordinateBytes)
  place(der.subarray(4, rEnd), raw, coordinateBytes)
  place(der.subarray(rEnd + 2), raw, 2 * coordinateBytes)
  return raw
}

/** An integer of DER has a zero byte before a first bit that is set, and none that it can do without. */
function place(integer: Buffer, raw: Buffer, end: number): void {
  const bytes = integer.subarray(-coordinateBytes)
  bytes.copy(raw, end - bytes.length)
}
