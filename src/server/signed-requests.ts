import type { SingleUsePort } from '#authority'
import { refuse, type Caller, type Clock, type Refusal } from '#core'
import { claimOf, digestProblem, signatureIsRight, type SignedMessage, type SigningKeyPort } from '#gate'

export interface SignedRequestParts {
  readonly keys: SigningKeyPort
  readonly singleUse: SingleUsePort
  readonly clock: Clock
  /** A fault, for the log. */
  readonly fault: (error: unknown) => void
}

/** Verifies the signature that a request has, once its body is there (SPEC G16). */
export class SignedRequests {
  readonly #parts: SignedRequestParts

  constructor(parts: SignedRequestParts) {
    this.#parts = parts
  }

  /** The caller, with the signature as part of its credential; or why the request is refused. Never rejects. */
  async check(message: SignedMessage, body: Uint8Array, caller: Caller): Promise<Caller | Refusal> {
    const { keys, clock } = this.#parts
    const claim = claimOf(message, clock.now())
    if (typeof claim === 'string') return invalid(claim)
    const digest = digestProblem(message.fields('content-digest'), body)
    if (digest !== undefined) return invalid(digest)
    const record = keys.find(claim.keyId)
    // Keys of other tenants do not exist for this caller.
    if (record === undefined || record.tenantId !== caller.tenant.id) return invalid('keyid unknown')
    const { id, owner, algorithm } = record
    if (owner.kind !== caller.kind || owner.id !== caller.id) return invalid(`${id} is a key of ${owner.id}`)
    if (record.revokedAtMs !== undefined) return invalid(`${id} revoked`)
    if (claim.algorithm !== undefined && claim.algorithm !== algorithm) return invalid(`${id} is for ${algorithm}`)
    try {
      if (!signatureIsRight(algorithm, await record.open(), claim)) return invalid(`not the signature of ${id}`)
      // Last of all: what is not right for another reason leaves its nonce to be used.
      const first = await this.#parts.singleUse.take('signature', `${id} ${claim.nonce}`, claim.endsAtMs)
      if (!first) return invalid(`nonce of ${id} used before`)
    } catch (error) {
      this.#parts.fault(error)
      return refuse('store.unavailable', 'the signing key, or its nonce, cannot be looked at', { retryAfterSeconds: 1 })
    }
    const { kind } = caller.credential
    return {
      ...caller,
      credential: { ...caller.credential, kind: kind === 'api_key' ? 'signed_api_key' : kind, signedBy: id },
    }
  }
}

function invalid(reason: string): Refusal {
  return refuse('auth.signature_invalid', reason)
}
