import { digestsEqual, sha256, type Secret } from '#core'

/** What one end of a guarded service knows: how strict it is, and which tokens are right. */
export interface TokenGuard {
  readonly mode: 'off' | 'allow' | 'enforce'
  /** SHA-256 of each token that is right: none where it was cleared, two during a rotation. */
  readonly digests: readonly Uint8Array[]
}

/** What a call brought. An end that has no token of its own can only tell whether there was one. */
export type TokenResult = 'none' | 'wrong' | 'right' | 'absent' | 'present'

/** Without a token nothing can be enforced: clearing it lets everybody in again (SPEC G9). */
export function modeOf({ mode, digests }: TokenGuard): TokenGuard['mode'] {
  return mode === 'enforce' && digests.length === 0 ? 'allow' : mode
}

/** `sent` are the values of `x-service-token`, each apart; two of them are never right. Takes as long whichever token it is. */
export function judgeToken(sent: readonly Secret[], digests: readonly Uint8Array[]): TokenResult {
  const [token, second] = sent
  if (digests.length === 0) return token === undefined ? 'absent' : 'present'
  if (token === undefined) return 'none'
  const digest = sha256(token.reveal())
  const equal = digests.filter((each) => digestsEqual(digest, each)).length
  return equal > 0 && second === undefined ? 'right' : 'wrong'
}

const actorPattern = /^[\x21-\x7e]{1,128}$/

/** The acting person that a call names, where that can be written down as it is (SPEC G10). */
export function readActor(text: string | undefined): string | undefined {
  return text !== undefined && actorPattern.test(text) ? text : undefined
}
