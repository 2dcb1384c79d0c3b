import { sha256, type Clock } from '#core'
import { signatureIsRight } from './jws-signature.ts'
import { parseJws } from './strict-jws.ts'
import { trustedKey } from './trusted-key.ts'

/** The request that a proof must be for. */
export interface ProofTarget {
  readonly method: string
  /** Path as requested, without query. */
  readonly path: string
  /** `https://host:port` under which the caller may have reached us. */
  readonly origins: readonly string[]
}

export interface ProofRules {
  readonly algorithms: readonly string[]
  /** How far the clock of the caller may be ahead. */
  readonly skewMs: number
}

/** A proof that is right for this request, but for whether it was used before. */
export interface RightProof {
  /** Thumbprint of its key (RFC 7638). */
  readonly jkt: string
  /** What may be seen once. */
  readonly once: string
  /** Milliseconds since the epoch, after which it is too old anyway. */
  readonly expiresAtMs: number
}

/** How old a proof may be. */
export const proofAgeMaxMs = 60_000
const jtiMax = 256

/** Checks a DPoP proof as RFC 9449, section 4.3 lists it, but for its single use; else says why it is not one. */
export async function checkProof(
  proofs: readonly string[],
  token: string,
  target: ProofTarget,
  rules: ProofRules,
  clock: Pick<Clock, 'now'>,
): Promise<RightProof | string> {
  const [proof, second] = proofs
  if (proof === undefined || second !== undefined) return `${proofs.length} proofs`
  const jws = parseJws(proof)
  if (typeof jws === 'string') return `proof: ${jws}`
  const { header, payload } = jws
  const [alg, jwk] = [header.get('alg'), header.get('jwk')]
  if (header.get('typ') !== 'dpop+jwt') return 'proof: its typ is not dpop+jwt'
  if (typeof alg !== 'string' || !rules.algorithms.includes(alg)) return 'proof: its alg is not accepted'
  if (header.has('crit') || header.has('b64')) return 'proof: its header has crit or b64'
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) return 'proof: it has no jwk'
  const key = trustedKey(jwk as Readonly<Record<string, unknown>>)
  if (typeof key === 'string') return `proof: its jwk is not fit: ${key}`
  if (!key.algorithms.has(alg)) return 'proof: its alg is not that of its jwk'
  const claims = claimsProblem(payload, token, target) ?? ageProblem(payload.get('iat'), rules.skewMs, clock.now())
  if (claims !== undefined) return `proof: ${claims}`
  if (!(await signatureIsRight(jws, key, alg))) return 'proof: its signature is wrong'
  return {
    jkt: key.thumbprint,
    once: `${key.thumbprint}.${String(payload.get('jti'))}`,
    // Remembered for longer than it is good for, by as much as clocks of replicas may differ.
    expiresAtMs: Number(payload.get('iat')) * 1000 + 2 * proofAgeMaxMs + rules.skewMs,
  }
}

function claimsProblem(
  payload: ReadonlyMap<string, unknown>,
  token: string,
  { method, path, origins }: ProofTarget,
): string | undefined {
  const jti = payload.get('jti')
  if (typeof jti !== 'string' || jti === '' || jti.length > jtiMax) return `its jti is not 1 to ${jtiMax} characters`
  if (payload.get('htm') !== method) return 'its htm is another method'
  if (!isTarget(payload.get('htu'), path, origins)) return 'its htu is another address'
  return payload.get('ath') === sha256(token).toString('base64url') ? undefined : 'its ath is of another token'
}

/** Compared after the normalization of URLs; query and fragment do not count. */
function isTarget(htu: unknown, path: string, origins: readonly string[]): boolean {
  const url = typeof htu === 'string' && URL.canParse(htu) ? new URL(htu) : undefined
  if (url === undefined || url.username !== '' || url.password !== '') return false
  return url.pathname === path && origins.includes(url.origin)
}

function ageProblem(iat: unknown, skewMs: number, nowMs: number): string | undefined {
  if (typeof iat !== 'number' || !Number.isSafeInteger(Math.trunc(iat)) || iat <= 0) return 'its iat is no time'
  if (iat * 1000 > nowMs + skewMs) return 'its iat is in the future'
  return iat * 1000 < nowMs - proofAgeMaxMs ? 'it is too old' : undefined
}
