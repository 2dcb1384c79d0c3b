import type { KoaContextWithOIDC } from 'oidc-provider'
import type { OAuthEvent, OAuthKind } from './artefacts.ts'
import type { AppRecord } from './ports.ts'
import type { RequestWrites } from './request-writes.ts'
import { routes } from './provider-settings.ts'

/** An error of the library. */
export interface Refused {
  readonly error: unknown
  readonly fault: boolean
}

interface LibraryError {
  readonly error?: unknown
  readonly error_description?: unknown
  readonly error_detail?: unknown
}

/** What a request came to; undefined where there is nothing to say: a page was shown, or a sign-in goes on. */
export function eventOf(
  ctx: KoaContextWithOIDC,
  app: AppRecord | undefined,
  refused: Refused | undefined,
  writes: RequestWrites,
): OAuthEvent | undefined {
  const subject = ctx.oidc.entities.Account?.accountId ?? ctx.oidc.session?.accountId ?? undefined
  const base = { route: pathOf(ctx.oidc.route), app, subject, error: undefined, reason: undefined }
  if (refused !== undefined) {
    const { error, reason } = said(refused.error)
    const kind = refusedKind(writes)
    return { ...base, kind, error, reason, args: { grantType: grantTypeOf(ctx), grantId: writes.grantId } }
  }
  switch (ctx.oidc.route) {
    case 'token':
      return {
        ...base,
        kind: grantTypeOf(ctx) === 'refresh_token' ? 'token.refreshed' : 'token.issued',
        args: issued(ctx),
      }
    case 'revocation':
      return {
        ...base,
        kind: 'token.revoked',
        args: { tokenType: 'refresh_token', grantId: ctx.oidc.refreshToken?.grantId },
      }
    case 'introspection':
      return { ...base, kind: 'token.introspected', args: { tokenType: 'refresh_token' } }
    case 'authorization':
    case 'resume':
      return ctx.oidc.entities.AuthorizationCode === undefined
        ? undefined
        : {
            ...base,
            kind: 'code.issued',
            args: { scope: ctx.oidc.entities.AuthorizationCode.scope, grantId: grantIdOf(ctx) },
          }
    case 'end_session_confirm':
      return writes.endsGrants ? { ...base, kind: 'session.ended', args: {} } : undefined
    default:
      return undefined
  }
}

/** What it is instead where another request used the code or the refresh token first: no token was given. */
export function lostEvent(ctx: KoaContextWithOIDC, event: OAuthEvent, writes: RequestWrites): OAuthEvent {
  const grantType = grantTypeOf(ctx)
  const replays: Readonly<Record<string, OAuthKind>> = {
    refresh_token: 'refresh_replay',
    authorization_code: 'code_replay',
  }
  return {
    ...event,
    kind: replays[grantType ?? ''] ?? 'token.refused',
    error: 'invalid_grant',
    reason: 'another request was first to use it',
    args: { grantType, grantId: writes.grantId },
  }
}

/** The standard's error code, and the private reason behind it. */
export function said(error: unknown): { readonly error: string; readonly reason: string } {
  const { error: code, error_description: description, error_detail: detail } = error as LibraryError
  const text = [description, detail].filter((part) => typeof part === 'string').join(': ')
  // What it quotes of a request may hold NUL, and the ledger does not.
  return { error: typeof code === 'string' ? code : 'server_error', reason: text.replaceAll('\0', '').slice(0, 300) }
}

function refusedKind(writes: RequestWrites): OAuthKind {
  if (!writes.endsGrants) return 'token.refused'
  if (writes.used.has('RefreshToken')) return 'refresh_replay'
  return writes.used.has('AuthorizationCode') ? 'code_replay' : 'token.refused'
}

function issued(ctx: KoaContextWithOIDC): OAuthEvent['args'] {
  const { AccessToken, ClientCredentials } = ctx.oidc.entities
  const token = AccessToken ?? ClientCredentials
  return {
    grantType: grantTypeOf(ctx),
    tokenId: token?.jti,
    scope: token?.scope,
    grantId: AccessToken?.grantId,
    expiresIn: expiresIn(ctx.body),
    bound: token?.jkt !== undefined ? 'key' : token?.['x5t#S256'] !== undefined ? 'certificate' : undefined,
  }
}

/** Seconds. */
function expiresIn(body: unknown): number | undefined {
  const { expires_in: seconds } = (body ?? {}) as { readonly expires_in?: unknown }
  return typeof seconds === 'number' ? seconds : undefined
}

function grantIdOf(ctx: KoaContextWithOIDC): string | undefined {
  const { RefreshToken, AuthorizationCode, Grant } = ctx.oidc.entities
  return RefreshToken?.grantId ?? AuthorizationCode?.grantId ?? Grant?.jti
}

const grantTypes = new Set(['client_credentials', 'authorization_code', 'refresh_token'])

function grantTypeOf(ctx: KoaContextWithOIDC): string | undefined {
  const asked = ctx.oidc.params?.['grant_type']
  return typeof asked === 'string' ? (grantTypes.has(asked) ? asked : 'other') : undefined
}

function pathOf(route: string): string {
  const known: Readonly<Record<string, string>> = routes
  return known[route.replace(/_(?:confirm|success)$/, '')] ?? (route === 'resume' ? routes.authorization : '/v1/oauth')
}
