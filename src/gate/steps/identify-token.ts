import { isRefusal, refuse, type Caller, type Refusal, type VerifiedToken } from '#core'
import type { Call, Progress } from '../call.ts'
import type { GatePorts, TokenHolder } from '../ports.ts'

/** Whose token this is. Its signature was looked at before; what may change since is looked at here, at every call (SPEC A3, A10). */
export function identifyToken(
  call: Pick<Call, 'token' | 'proof' | 'dpop' | 'certificate' | 'credentials'>,
  progress: Pick<Progress, 'caller' | 'lacking'>,
  ports: Pick<GatePorts, 'clock' | 'tokens'>,
): Refusal | undefined {
  const { token } = call
  if (ports.tokens === undefined || token === undefined)
    return refuse('auth.credential_invalid', 'a token, and nothing here verifies tokens')
  if (isRefusal(token)) return token
  if (token.expiresAtMs <= ports.clock.now()) return refuse('auth.credential_invalid', `token ${token.id} expired`)
  const holder = ports.tokens.callerOf(token)
  if (isRefusal(holder)) return holder
  // Whose token it was is known, also where somebody else presents it.
  progress.caller = callerOfToken(holder, token)
  progress.lacking = holder.lacking
  return holder.refusal ?? bound(call, token)
}

/** Who the holder is as the gate knows it: with how the token is bound. */
export function callerOfToken({ caller }: TokenHolder, token: VerifiedToken): Caller {
  return { ...caller, credential: { kind: kindOf(token), id: token.id } }
}

/** A bound token counts only with the proof that it is bound to; a proof beside a token that is not bound is a mistake. */
function bound(
  { proof, dpop = [], certificate, credentials }: Pick<Call, 'proof' | 'dpop' | 'certificate' | 'credentials'>,
  token: VerifiedToken,
): Refusal | undefined {
  const invalid = (reason: string): Refusal => refuse('auth.proof_invalid', reason)
  if (token.certificate !== undefined && token.certificate !== certificate?.thumbprint)
    return invalid(`token ${token.id} is bound to another certificate than that of the connection`)
  const scheme = credentials[0]?.dpop === true
  if (token.jkt === undefined) {
    return scheme || dpop.length > 0 ? invalid(`a proof beside token ${token.id}, which is not bound`) : undefined
  }
  if (!scheme) return invalid(`token ${token.id} is bound to a key and was sent as Bearer`)
  if (proof === undefined) return invalid(`token ${token.id} is bound to a key, and there is no proof`)
  if (isRefusal(proof)) return proof
  return proof.jkt === token.jkt ? undefined : invalid(`the proof is of another key than that of token ${token.id}`)
}

function kindOf(token: VerifiedToken): Caller['credential']['kind'] {
  if (token.jkt !== undefined) return 'dpop_access_token'
  return token.certificate === undefined ? 'access_token' : 'certificate_bound_access_token'
}
