import type { TokenVerifier } from '#authority'
import { isRefusal, refuse, type Clock, type Refusal } from '#core'
import type { TokenPort } from '#gate'
import type { Found } from '#hub'

/** Tokens in questions of other services (SPEC G22): verified first, then decided on at once. */
export interface TokenAnswers {
  /** Whether a credential has the form of a token. */
  isToken(text: string): boolean
  /** Afterwards the verdict of each is known. */
  verify(texts: readonly string[]): Promise<void>
  find(text: string): Found | Refusal
}

interface AnswersParts {
  readonly verifier: Pick<TokenVerifier, 'known' | 'verify'>
  readonly tokens: TokenPort
  readonly clock: Pick<Clock, 'now'>
}

export function tokenAnswers({ verifier, tokens, clock }: AnswersParts): TokenAnswers {
  return {
    isToken: (text) => text.split('.').length === 3,
    verify: async (texts) => {
      const unknown = texts.filter((text) => verifier.known(text) === undefined)
      await Promise.all(unknown.map((text) => verifier.verify(text)))
    },
    find: (text) => {
      // What is not remembered is what nobody could look at: its issuer is away.
      const token = verifier.known(text) ?? refuse('auth.authority_unavailable', 'the token could not be verified')
      if (isRefusal(token)) return token
      if (token.expiresAtMs <= clock.now()) return refuse('auth.credential_invalid', 'token expired')
      const holder = tokens.callerOf(token)
      if (isRefusal(holder)) return holder
      const refusal = holder.refusal ?? holder.lacking
      if (refusal !== undefined) return refusal
      // A question carries neither proof nor connection of the party: what is bound to one is nothing by itself.
      if ((token.jkt ?? token.certificate) !== undefined)
        return refuse('auth.proof_invalid', 'the token is bound, and a question carries no proof')
      return { refused: false, caller: holder.caller, expiresAtMs: token.expiresAtMs }
    },
  }
}
