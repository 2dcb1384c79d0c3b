import type { KoaContextWithOIDC } from 'oidc-provider'
import { isRefusal, type Refusal, type VerifiedToken } from '#core'
import type { OAuthEvent } from './artefacts.ts'
import { said, type Refused } from './events.ts'
import type { AppDirectory, AppRecord, DenialDirectory, OperatorDirectory } from './ports.ts'
import { routes } from './provider-settings.ts'
import { denialDigest, type RequestWrites } from './request-writes.ts'

/** Looks at the signature, issuer, audience and times of a token of ours. */
export type OwnTokens = (token: string) => Promise<VerifiedToken | Refusal>

interface AnswerParts {
  readonly issuer: string
  readonly apps: AppDirectory
  readonly operators: OperatorDirectory
  readonly denials: DenialDirectory
  readonly tokens: OwnTokens
}

/**
 * Introspection and revocation of access tokens, which are JWTs: the library refuses both, after it has authenticated the client
 * (SPEC A1). A client learns of tokens of its tenant, and ends those that were given to it.
 */
export class TokenAnswers {
  readonly #parts: AnswerParts

  constructor(parts: AnswerParts) {
    this.#parts = parts
  }

  /** Undefined where the answer of the library stands. */
  async answer(
    ctx: KoaContextWithOIDC,
    app: AppRecord | undefined,
    refused: Refused | undefined,
    writes: RequestWrites,
  ): Promise<OAuthEvent | undefined> {
    const { route } = ctx.oidc
    if ((route !== 'introspection' && route !== 'revocation') || app === undefined) return undefined
    if (route === 'introspection' && app.authMethod === 'none') return this.#refusePublic(ctx, app)
    if (refused === undefined || said(refused.error).error !== 'unsupported_token_type') return undefined
    const text = ctx.oidc.params?.['token']
    const token = typeof text === 'string' ? await this.#parts.tokens(text) : undefined
    const known = token === undefined || isRefusal(token) ? undefined : token
    return route === 'introspection' ? this.#introspect(ctx, app, known) : this.#revoke(ctx, app, known, writes)
  }

  #introspect(ctx: KoaContextWithOIDC, app: AppRecord, token: VerifiedToken | undefined): OAuthEvent {
    const active = token !== undefined && this.#holds(token, app)
    reply(ctx, active ? this.#facts(token) : { active: false })
    return eventOf('token.introspected', app, active ? token : undefined, { active })
  }

  #revoke(
    ctx: KoaContextWithOIDC,
    app: AppRecord,
    token: VerifiedToken | undefined,
    writes: RequestWrites,
  ): OAuthEvent | undefined {
    reply(ctx, '')
    // What is not a token any more needs no end, and that of another client is not this one's to end (RFC 7009, 2.1 and 2.2).
    if (token === undefined || token.clientId !== app.id)
      return eventOf('token.revoked', app, undefined, { found: false })
    const tenant = this.#parts.operators.find(token.subject)?.tenant ?? app.tenant
    writes.deny({
      tenantId: tenant.id.slice('ten_'.length),
      digest: denialDigest('token', token.id),
      reason: 'revoked by its client',
      expiresAtMs: token.expiresAtMs + 60_000,
    })
    return eventOf('token.revoked', app, token, { found: true })
  }

  /** Whether the token is good at this moment, and of the tenant that asks. */
  #holds(token: VerifiedToken, asking: AppRecord): boolean {
    const { apps, denials, operators } = this.#parts
    if (denials.denied(token.id, token.grantId)) return false
    const client = apps.find(token.clientId ?? '')
    if (client === undefined || client.disabled || client.tenantDisabled) return false
    if (token.subject === client.id) return client.agent?.disabled !== true && client.tenant.id === asking.tenant.id
    const operator = operators.find(token.subject)
    return (
      operator !== undefined &&
      !operator.disabled &&
      !operator.tenantDisabled &&
      operator.tenant.id === asking.tenant.id
    )
  }

  #facts(token: VerifiedToken): object {
    return {
      active: true,
      iss: this.#parts.issuer,
      aud: this.#parts.issuer,
      sub: token.subject,
      client_id: token.clientId,
      jti: token.id,
      scope: [...token.scopes].join(' '),
      exp: Math.floor(token.expiresAtMs / 1000),
      iat: Math.floor(token.issuedAtMs / 1000),
      token_type: token.jkt === undefined ? 'Bearer' : 'DPoP',
      ...(token.jkt === undefined && token.certificate === undefined
        ? {}
        : {
            cnf: {
              ...(token.jkt === undefined ? {} : { jkt: token.jkt }),
              ...(token.certificate === undefined ? {} : { 'x5t#S256': token.certificate }),
            },
          }),
    }
  }

  #refusePublic(ctx: KoaContextWithOIDC, app: AppRecord): OAuthEvent {
    ctx.set('www-authenticate', 'Basic realm="portcullis"')
    ctx.status = 401
    reply(ctx, { error: 'invalid_client', error_description: 'client authentication failed' }, 401)
    const reason = 'a public client asks for the state of a token'
    return { ...eventOf('token.refused', app, undefined, {}), error: 'invalid_client', reason }
  }
}

function reply(ctx: KoaContextWithOIDC, body: object | string, status = 200): void {
  ctx.remove('content-type')
  ctx.status = status
  ctx.body = body
}

function eventOf(
  kind: 'token.introspected' | 'token.revoked' | 'token.refused',
  app: AppRecord,
  token: VerifiedToken | undefined,
  more: OAuthEvent['args'],
): OAuthEvent {
  const args = { ...more, tokenId: token?.id, grantId: token?.grantId }
  const route = kind === 'token.revoked' ? routes.revocation : routes.introspection
  const subject = token?.subject.startsWith('opr_') === true ? token.subject : undefined
  return { kind, route, app, subject, error: undefined, reason: undefined, args }
}
