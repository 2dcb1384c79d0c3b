import { isRefusal, sha256Hex, type Clock, type VerifiedToken } from '#core'
import type { Committed, CommitPort, Origin } from './artefacts.ts'
import { checkProof } from './dpop.ts'
import type { OwnTokens } from './introspect.ts'
import type { AppDirectory, DenialDirectory, OperatorDirectory } from './ports.ts'

/** What a call of the userinfo endpoint shows. */
export interface UserinfoCall {
  readonly method: string
  readonly scheme: 'bearer' | 'dpop' | undefined
  readonly token: string
  readonly proofs: readonly string[]
  /** SHA-256 of the certificate of the connection, base64url. */
  readonly thumbprint: string | undefined
  readonly origin: Origin
}

export interface UserinfoReply {
  readonly status: number
  readonly body: object
  readonly challenge?: string
}

interface UserinfoParts {
  readonly issuer: () => string
  readonly tokens: OwnTokens
  readonly apps: AppDirectory
  readonly operators: OperatorDirectory
  readonly denials: DenialDirectory
  readonly commits: Pick<CommitPort, 'keep' | 'note'>
  readonly clock: Clock
}

const path = '/v1/oauth/userinfo'
const algorithms = ['ES256', 'RS256', 'PS256']
const skewMs = 30_000
const unavailable: UserinfoReply = { status: 503, body: { error: 'temporarily_unavailable' } }

/** Who signed in, for an app that the person let know it (OpenID Connect Core, 5.3). */
export async function userinfo(parts: UserinfoParts, call: UserinfoCall): Promise<UserinfoReply> {
  if (call.scheme === undefined) return { status: 401, body: {}, challenge: 'Bearer realm="portcullis"' }
  const token = await parts.tokens(call.token)
  const operator = isRefusal(token) ? undefined : parts.operators.find(token.subject)
  if (isRefusal(token) || operator === undefined || !holds(token, operator, parts)) return invalid('invalid_token')
  const possessed = await possession(token, call, parts)
  if (possessed === 'replayed') return invalid(token.jkt === undefined ? 'invalid_token' : 'invalid_dpop_proof')
  if (possessed !== 'done') return unavailable
  if (!token.scopes.has('openid')) {
    const challenge = 'Bearer realm="portcullis", error="insufficient_scope", scope="openid"'
    return { status: 403, body: { error: 'insufficient_scope', scope: 'openid' }, challenge }
  }
  const noted = await parts.commits.note(call.origin, {
    kind: 'token.introspected',
    route: path,
    app: parts.apps.find(token.clientId ?? ''),
    subject: operator.id,
    error: undefined,
    reason: undefined,
    args: { tokenId: token.id, grantId: token.grantId },
  })
  if (noted !== 'done') return unavailable
  return { status: 200, body: { sub: operator.id, name: operator.name } }
}

function holds(
  token: VerifiedToken,
  operator: NonNullable<ReturnType<OperatorDirectory['find']>>,
  { apps, denials }: UserinfoParts,
): boolean {
  const app = apps.find(token.clientId ?? '')
  if (app === undefined || app.disabled || app.tenantDisabled) return false
  return !operator.disabled && !operator.tenantDisabled && !denials.denied(token.id, token.grantId)
}

/** A bound token counts only with what it is bound to. `replayed`: that was not shown, or a proof a second time. */
async function possession(token: VerifiedToken, call: UserinfoCall, parts: UserinfoParts): Promise<Committed> {
  if (token.certificate !== undefined && token.certificate !== call.thumbprint) return 'replayed'
  if (token.jkt === undefined) return call.scheme === 'bearer' && call.proofs.length === 0 ? 'done' : 'replayed'
  if (call.scheme !== 'dpop') return 'replayed'
  const target = { method: call.method, path, origins: [parts.issuer()] }
  const proof = await checkProof(call.proofs, call.token, target, { algorithms, skewMs }, parts.clock)
  if (typeof proof === 'string' || proof.jkt !== token.jkt) return 'replayed'
  const none: readonly [] = []
  const once = [
    { model: 'ReplayDetection', digest: sha256Hex(`userinfo ${proof.once}`), expiresAtMs: proof.expiresAtMs },
  ]
  const ends = { grants: none, denials: none }
  // It only reads: where space is short it goes on for longest.
  return parts.commits.keep({ ...ends, once, consume: none, destroy: none, upsert: none, lost: ends }, true)
}

function invalid(error: 'invalid_token' | 'invalid_dpop_proof'): UserinfoReply {
  const scheme = error === 'invalid_token' ? 'Bearer' : 'DPoP'
  const more = scheme === 'DPoP' ? `, algs="${algorithms.join(' ')}"` : ''
  return { status: 401, body: { error }, challenge: `${scheme} realm="portcullis", error="${error}"${more}` }
}
