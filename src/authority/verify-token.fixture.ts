import { isRefusal } from '#core'
import { keySetOf, type KeySource } from './key-set.ts'
import { pair, signJws } from './tokens.fixture.ts'
import { TokenVerifier, verdictBounds, type TokenIssuer } from './verify-token.ts'

export const now = { ms: 1_800_000_000_000, monotonic: 0 }
export const clock = { now: () => now.ms, monotonic: () => now.monotonic }
export const seconds = now.ms / 1000
export const [ec, rsa, stranger] = [pair('ec'), pair('rsa', 'RSA'), pair('ec')]
export const issuer = 'https://login.example/realm'

export const header = { alg: 'ES256', typ: 'at+jwt', kid: 'ec' }
export const claims = {
  iss: issuer,
  aud: 'https://api.example',
  sub: 'svc-1',
  client_id: 'client-1',
  iat: seconds - 10,
  exp: seconds + 600,
  jti: 'token-1',
  scope: 'tasks:read jobs:read',
}

export function source(
  jwks: readonly object[],
): KeySource & { set: ReturnType<typeof keySetOf> | undefined; looks: number } {
  const made = {
    set: keySetOf(jwks as readonly Record<string, unknown>[]) as ReturnType<typeof keySetOf> | undefined,
    looks: 0,
    current: () => made.set,
    lookFor: () => {
      made.looks += 1
      return Promise.resolve(made.set)
    },
  }
  return made
}

export function verifierOf(
  kind: TokenIssuer['kind'] = 'upstream',
  keys: KeySource = source([ec.jwk, rsa.jwk]),
  bounds = verdictBounds,
): TokenVerifier {
  const audiences = () => ['https://api.example']
  return new TokenVerifier(
    {
      issuers: [{ kind, issuer: () => issuer, audiences, keys }],
      skewMs: 30_000,
      algorithms: ['ES256', 'RS256', 'PS256'],
    },
    clock,
    bounds,
  )
}

export const token = (changes: object = {}, head: object = {}): string =>
  signJws({ ...header, ...head }, { ...claims, ...changes }, ec.privateKey)

/** The verdict: `right`, or the private reason. */
export async function verdict(text: string, verifier = verifierOf()): Promise<string> {
  const found = await verifier.verify(text)
  return isRefusal(found) ? `${found.code === 'auth.credential_invalid' ? '' : found.code}${found.reason}` : 'right'
}
