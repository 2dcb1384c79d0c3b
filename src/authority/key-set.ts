import { trustedKey, type TrustedKey } from './trusted-key.ts'

/** Keys of one issuer, by `kid`; of those that are not fit, the reason. Never changed: a change is another set. */
export interface KeySet {
  readonly keys: ReadonlyMap<string, TrustedKey | string>
}

/** Where the keys of an issuer come from. */
export interface KeySource {
  /** What may be verified with now, without waiting; undefined where there is nothing, or nothing young enough. */
  current(): KeySet | undefined
  /** The same after another look, where `kid` is not in it and a look is due. */
  lookFor(kid: string): Promise<KeySet | undefined>
}

/** A key without `kid` can be meant by no token, and one of two with the same cannot be told from the other. */
export function keySetOf(jwks: readonly Readonly<Record<string, unknown>>[]): KeySet {
  const keys = new Map<string, TrustedKey | string>()
  for (const jwk of jwks) {
    const { kid } = jwk
    if (typeof kid !== 'string' || kid === '') continue
    keys.set(kid, keys.has(kid) ? 'the set has two keys of that kid' : trustedKey(jwk))
  }
  return { keys }
}

/** The same set for the same keys, however often it is asked for. */
export function rememberedKeySet(publicJwks: () => readonly Readonly<Record<string, unknown>>[]): KeySource {
  let last: readonly unknown[] | undefined
  let lastText = ''
  let set = keySetOf([])
  const current = (): KeySet => {
    const jwks = publicJwks()
    if (jwks === last) return set
    last = jwks
    const text = JSON.stringify(jwks)
    if (text !== lastText) {
      lastText = text
      set = keySetOf(jwks)
    }
    return set
  }
  return { current, lookFor: () => Promise.resolve(current()) }
}
