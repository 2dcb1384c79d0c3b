import { commandLineId, parseId, type VerifiedToken } from '#core'
import type { Jws } from './strict-jws.ts'

/** What a token must say to be one for us. */
export interface TokenRules {
  readonly kind: VerifiedToken['issuer']
  readonly issuer: string
  /** It must be meant for one of these. */
  readonly audiences: readonly string[]
  /** How far the clock of the issuer may be ahead. */
  readonly skewMs: number
}

type Claims = Jws['payload']

const typeForm = /^(?:application\/)?at\+jwt$/i
const secondsMax = 253_402_300_799
const printable = /^[\x21-\x7e]{1,128}$/
const scopeForm = /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/
const scopesMax = 256
// Other kinds of callers have these ids.
const taken = new Set(['legacy', 'bypass', 'anonymous', 'service', commandLineId])
const ourIds = ['agt', 'opr', 'app', 'key', 'crt', 'ten'] as const

/**
 * Reads the claims of a token whose signature was right (RFC 9068, RFC 7519), or says why it is not for us. `tokenDigest` names a
 * token that has no name of its own.
 */
export function readClaims(
  { header, payload }: Pick<Jws, 'header' | 'payload'>,
  rules: TokenRules,
  nowMs: number,
  tokenDigest: string,
): VerifiedToken | string {
  return (
    typeProblem(header, payload, rules.kind) ??
    partyProblem(payload, rules) ??
    timeProblem(payload, rules, nowMs) ??
    identityProblem(payload, rules.kind) ??
    verified(payload, rules.kind, tokenDigest)
  )
}

function typeProblem(header: Jws['header'], payload: Claims, kind: TokenRules['kind']): string | undefined {
  const typ = header.get('typ')
  if (typeof typ === 'string' && typeForm.test(typ)) return undefined
  if (kind === 'own') return 'its typ is not at+jwt'
  // Most issuers do not speak RFC 9068 yet. What they sign for other ends says so by its type or by claims of its own.
  if (typ !== undefined && !(typeof typ === 'string' && typ.toUpperCase() === 'JWT')) return 'its typ is not of a token'
  const foreign = ['nonce', 'at_hash', 'c_hash', 's_hash', 'events'].find((claim) => payload.has(claim))
  return foreign === undefined ? undefined : `it has ${foreign}: it is not an access token`
}

function partyProblem(payload: Claims, { issuer, audiences }: TokenRules): string | undefined {
  if (payload.get('iss') !== issuer) return 'its iss is another'
  const aud = payload.get('aud')
  const meant: readonly unknown[] = Array.isArray(aud) ? aud : [aud]
  if (!meant.every((each) => typeof each === 'string')) return 'its aud is not text, or a list of texts'
  return meant.some((each) => audiences.includes(each)) ? undefined : 'its aud is another'
}

function timeProblem(payload: Claims, { skewMs }: TokenRules, nowMs: number): string | undefined {
  const [exp, iat] = [payload.get('exp'), payload.get('iat')]
  if (!isTime(exp)) return 'its exp is no time'
  if (!isTime(iat)) return 'its iat is no time'
  const nbf = payload.get('nbf')
  if (nbf !== undefined && !isTime(nbf)) return 'its nbf is no time'
  if (exp * 1000 <= nowMs) return 'it has expired'
  if (iat * 1000 > nowMs + skewMs) return 'its iat is in the future'
  if (nbf !== undefined && nbf * 1000 > nowMs + skewMs) return 'its nbf is in the future'
  return exp > iat ? undefined : 'its exp is before its iat'
}

/** Whole seconds since the epoch, and of this world. */
function isTime(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) > 0 && Number(value) <= secondsMax
}

function identityProblem(payload: Claims, kind: TokenRules['kind']): string | undefined {
  const sub = payload.get('sub')
  if (typeof sub !== 'string' || !printable.test(sub)) return 'its sub is not 1 to 128 printable characters'
  if (clientOf(payload, kind) === false) return 'its client_id is not 1 to 128 printable characters'
  if (scopesOf(payload, kind) === undefined) return 'its scope is not a text of scopes'
  if (kind === 'own') {
    const jti = payload.get('jti')
    if (typeof jti !== 'string' || !printable.test(jti)) return 'its jti is not 1 to 128 printable characters'
    return clientOf(payload, kind) === undefined ? 'it has no client_id' : undefined
  }
  if (isOurs(sub)) return 'its sub reads like one of our own ids'
  return isOurs(String(clientOf(payload, kind))) ? 'its client_id reads like one of our own ids' : undefined
}

/** The ledger and policies would take it for one of ours. */
function isOurs(id: string): boolean {
  return taken.has(id) || ourIds.some((prefix) => parseId(prefix, id) !== undefined)
}

/** False where there is one that cannot be used. */
function clientOf(payload: Claims, kind: TokenRules['kind']): string | undefined | false {
  const value = payload.get('client_id') ?? (kind === 'upstream' ? payload.get('azp') : undefined)
  if (value === undefined) return undefined
  return typeof value === 'string' && printable.test(value) ? value : false
}

function scopesOf(payload: Claims, kind: TokenRules['kind']): readonly string[] | undefined {
  // Some issuers say `scp`, as a text or as a list.
  const value = payload.get('scope') ?? (kind === 'upstream' ? payload.get('scp') : undefined) ?? ''
  const listed = Array.isArray(value) && !payload.has('scope') ? value : undefined
  const names: readonly unknown[] | undefined = typeof value === 'string' ? value.split(' ').filter(Boolean) : listed
  if (names === undefined || names.length > scopesMax) return undefined
  const scopes = names.filter((name): name is string => typeof name === 'string' && scopeForm.test(name))
  return scopes.length === names.length ? scopes : undefined
}

function verified(payload: Claims, kind: TokenRules['kind'], tokenDigest: string): VerifiedToken | string {
  const confirmation = confirmationOf(payload.get('cnf'))
  if (typeof confirmation === 'string') return confirmation
  const [jti, grantId] = [payload.get('jti'), payload.get('grant_id')]
  if (grantId !== undefined && typeof grantId !== 'string') return 'its grant_id is not text'
  return {
    issuer: kind,
    id: typeof jti === 'string' && printable.test(jti) ? jti : tokenDigest,
    subject: String(payload.get('sub')),
    clientId: clientOf(payload, kind) || undefined,
    scopes: new Set(scopesOf(payload, kind)),
    expiresAtMs: Number(payload.get('exp')) * 1000,
    issuedAtMs: Number(payload.get('iat')) * 1000,
    ...(kind === 'own' && grantId !== undefined && { grantId }),
    ...confirmation,
  }
}

/** What the token is bound to (RFC 7800). A binding that nobody here can check is a token that nobody here can accept. */
function confirmationOf(cnf: unknown): Pick<VerifiedToken, 'jkt' | 'certificate'> | string {
  if (cnf === undefined) return {}
  if (typeof cnf !== 'object' || cnf === null || Array.isArray(cnf)) return 'its cnf is not an object'
  const { jkt, 'x5t#S256': certificate, ...others } = cnf as Readonly<Record<string, unknown>>
  if (Object.keys(others).length > 0 || (jkt ?? certificate) === undefined)
    return 'its cnf is of a kind that is not known'
  if (jkt !== undefined && !isDigest(jkt)) return 'its cnf.jkt is not a thumbprint'
  if (certificate !== undefined && !isDigest(certificate)) return 'its cnf.x5t#S256 is not a thumbprint'
  return { ...(jkt !== undefined && { jkt }), ...(certificate !== undefined && { certificate }) }
}

function isDigest(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{43}$/.test(value)
}
