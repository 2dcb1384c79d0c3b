import { checkProof, type RightProof, type SingleUsePort, type TokenVerifier } from '#authority'
import { isRefusal, refuse, type Clock, type Refusal, type VerifiedProof, type VerifiedToken } from '#core'
import { callerOfToken, type Call, type RateAhead, type TokenPort } from '#gate'
import type { PreparePort } from '../admissions.ts'

export interface ProofSettings {
  readonly algorithms: readonly string[]
  readonly skewMs: number
  /** Under which callers reach this server, beside the listener that they came in at. */
  readonly origins: readonly string[]
}

interface PrepareParts {
  readonly verifier: Pick<TokenVerifier, 'known' | 'verify'>
  readonly tokens: TokenPort
  readonly singleUse: Pick<SingleUsePort, 'take'>
  readonly ahead: Pick<RateAhead, 'within'>
  readonly clock: Clock
}

/** Looks at what calls carry that cannot be decided at once: the signatures of tokens and proofs (SPEC A3, G3). */
export class PrepareTokens implements PreparePort {
  readonly #parts: PrepareParts
  readonly #proofs: () => ProofSettings

  constructor(parts: PrepareParts, proofs: () => ProofSettings) {
    this.#parts = parts
    this.#proofs = proofs
  }

  known(call: Call): Call | undefined {
    const text = tokenOf(call)
    if (text === undefined) return call
    const token = this.#parts.verifier.known(text)
    if (token === undefined) return undefined
    if (mayNeedProof(call, token)) return undefined
    return { ...call, token }
  }

  async prepare(call: Call): Promise<Call> {
    const text = tokenOf(call)
    if (text === undefined) return call
    const token = this.#parts.verifier.known(text) ?? (await this.#parts.verifier.verify(text))
    if (!mayNeedProof(call, token)) return { ...call, token }
    const proof = await this.#proof(call, text, token)
    return { ...call, token, proof }
  }

  /**
   * Its single use comes last: nothing is remembered of a proof that would not have been accepted anyway, nor for a caller over its
   * rate. Such a proof is refused with `rate.limited`, since nobody knows whether it was used before. Where the rates are shared, what
   * bounds the rows is the burst of the caller at a time, and the queue of the single use.
   */
  async #proof(call: Call, text: string, token: VerifiedToken | Refusal): Promise<VerifiedProof | Refusal | undefined> {
    const { ahead, clock, tokens } = this.#parts
    const { dpop = [], target } = call
    // A token that is not good says why by itself.
    if (isRefusal(token) || target === undefined) return undefined
    const holder = tokens.callerOf(token)
    if (isRefusal(holder) || holder.refusal !== undefined) return undefined
    const { origins, algorithms, skewMs } = this.#proofs()
    const { method, path, listener } = target
    const accepted = { method, path, origins: [listener, ...alsoLocalhost(listener), ...origins] }
    const right = await checkProof(dpop, text, accepted, { algorithms, skewMs }, clock)
    if (typeof right === 'string') return refuse('auth.proof_invalid', right)
    if (right.jkt !== token.jkt)
      return refuse('auth.proof_invalid', `proof: of another key than that of token ${token.id}`)
    return ahead.within(callerOfToken(holder, token), call.method, () => this.#once(right))
  }

  async #once({ jkt, once, expiresAtMs }: RightProof): Promise<VerifiedProof | Refusal> {
    let first: boolean
    try {
      first = await this.#parts.singleUse.take('dpop', once, expiresAtMs)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      return refuse('store.unavailable', `whether the proof was used: ${reason}`, { retryAfterSeconds: 1 })
    }
    return first ? { refused: false, jkt } : refuse('auth.proof_invalid', 'proof: it was used before')
  }
}

/** The one token of the call; whoever sends two credentials has neither looked at. */
function tokenOf({ credentials, method }: Call): string | undefined {
  const [credential, second] = credentials
  if (credential?.kind !== 'access_token' || second !== undefined || method.access === 'public_read') return undefined
  return credential.text.reveal()
}

/** What the gate has to say about a proof without one having been looked at, it says by itself. */
function mayNeedProof({ dpop = [], credentials }: Call, token: VerifiedToken | Refusal): boolean {
  return dpop.length > 0 && credentials[0]?.dpop === true && !isRefusal(token) && token.jkt !== undefined
}

/** The name that people and tools give the loopback address. */
function alsoLocalhost(listener: string): readonly string[] {
  const { protocol, port, hostname } = new URL(listener)
  return hostname === '127.0.0.1' || hostname === '[::1]' ? [new URL(`${protocol}//localhost:${port}`).origin] : []
}
