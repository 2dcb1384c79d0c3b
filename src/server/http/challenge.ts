import { refusals, type Refusal, type RefusalCode } from '#core'

/** What tokens and proofs may be signed with, for callers that have to choose. */
const proofAlgorithms = 'ES256 RS256 PS256'
const scopeForm = /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/

/** Errors of RFC 6750, section 3.1, by what was wrong with the request. */
const bearerErrors: Partial<Readonly<Record<RefusalCode, string>>> = {
  'auth.credential_invalid': 'invalid_token',
  'auth.credential_ambiguous': 'invalid_request',
  'auth.scope_missing': 'insufficient_scope',
}

/** Errors of RFC 9449, section 7.1. */
const dpopErrors: Partial<Readonly<Record<RefusalCode, string>>> = { 'auth.proof_invalid': 'invalid_dpop_proof' }

/**
 * The values of `WWW-Authenticate` for a refusal: with every 401 (RFC 9110), and where a scope is missing. `resourceMetadata` is
 * where the caller learns whom to ask for a token (RFC 9728).
 */
export function challenges(refusal: Refusal, resourceMetadata: string | undefined): readonly string[] {
  const { code, detail = '' } = refusal
  const { http, say } = refusals[code]
  if (http !== 401 && code !== 'auth.scope_missing') return []
  const where = resourceMetadata === undefined ? [] : [quoted('resource_metadata', resourceMetadata)]
  const scope = code === 'auth.scope_missing' && scopeForm.test(detail) ? [quoted('scope', detail)] : []
  const errorOf = (error: string | undefined): readonly string[] =>
    error === undefined ? [] : [quoted('error', error), quoted('error_description', say)]
  const realm = quoted('realm', 'portcullis')
  const bearer = ['Bearer ' + realm, ...errorOf(bearerErrors[code]), ...scope, ...where].join(', ')
  const dpop = ['DPoP ' + realm, ...errorOf(dpopErrors[code]), quoted('algs', proofAlgorithms), ...where].join(', ')
  return http === 401 ? [bearer, dpop] : [bearer]
}

function quoted(name: string, value: string): string {
  return `${name}="${value.replaceAll(/[^\x20-\x7e]|["\\]/g, '')}"`
}
