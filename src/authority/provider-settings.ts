import type { Configuration, KoaContextWithOIDC } from 'oidc-provider'
import type * as OidcProvider from 'oidc-provider'
import type { X509Certificate } from 'node:crypto'
import { adapterOf } from './adapter.ts'
import type { ArtefactStore, Origin } from './artefacts.ts'
import type { AppDirectory, AppRecord, DenialDirectory, OperatorDirectory, OperatorRecord } from './ports.ts'
import type { RequestWrites } from './request-writes.ts'
import type { KeyRing } from './signing-keys.ts'

export interface OAuthLifetimes {
  readonly accessTokenSeconds: number
  readonly codeSeconds: number
  /** Of a family of refresh tokens from its beginning, however often they rotate. */
  readonly refreshSeconds: number
}

/** What the pages of the authorization server look like; the library has none of ours. */
export interface Pages {
  error(title: string, text: string): string
  /** `form` is the HTML of a form without a button: its id is `op.logoutForm`. */
  confirmLogout(form: string): string
  signedOut(): string
  /** A form with its button that leads on, where the library would send it by script. */
  goOn(form: string): string
}

export interface ProviderParts {
  readonly issuer: string
  readonly lifetimes: OAuthLifetimes
  readonly store: ArtefactStore
  readonly apps: AppDirectory
  readonly operators: OperatorDirectory
  readonly denials: DenialDirectory
  readonly pages: Pages
  /** Where clients with certificates are to call, where there is such a listener. */
  readonly mtlsOrigin: () => string | undefined
  readonly nowMs: () => number
}

export interface Wiring {
  readonly writesNow: () => RequestWrites | undefined
  readonly originOf: (ctx: KoaContextWithOIDC) => Origin
  readonly ring: KeyRing
  /** Those of the ring, as the library takes them. */
  readonly signingKeys: readonly OidcProvider.ExternalSigningKey[]
  readonly errors: typeof OidcProvider.errors
}

const algorithms = ['ES256', 'RS256', 'PS256'] as const
const interactionSeconds = 600
const sessionSeconds = 12 * 3600
/** Title of the page where an app's request cannot be answered to the app. */
export const stopped = 'The sign-in cannot go on'

export const routes = {
  authorization: '/v1/oauth/authorize',
  token: '/v1/oauth/token',
  revocation: '/v1/oauth/revoke',
  introspection: '/v1/oauth/introspect',
  pushed_authorization_request: '/v1/oauth/par',
  end_session: '/v1/oauth/logout',
  jwks: '/.well-known/jwks.json',
} as const

/** Which apps a person may use: those of the own tenant, and those that belong to none. */
export function mayUse(operator: OperatorRecord, app: AppRecord): boolean {
  return !app.id.startsWith('app_') || operator.tenant.id === app.tenant.id
}

/** OAuth 2.1 and nothing beside it (SPEC A1). */
export function providerSettings(parts: ProviderParts, wiring: Wiring): Configuration {
  const { issuer, lifetimes, apps, operators, denials, pages, nowMs } = parts
  const { ring, errors, originOf, signingKeys, writesNow } = wiring
  const algorithm = ring.current.algorithm
  const certificateOf = (ctx: KoaContextWithOIDC): X509Certificate | undefined => originOf(ctx).certificate
  const secure = issuer.startsWith('https:')
  return {
    adapter: adapterOf({ writesNow, apps, denials, issuer, nowMs }),
    jwks: { keys: signingKeys },
    clientAuthMethods: [
      'client_secret_basic',
      'client_secret_post',
      'private_key_jwt',
      'tls_client_auth',
      'self_signed_tls_client_auth',
      'none',
    ],
    clientDefaults: { id_token_signed_response_alg: algorithm },
    enabledJWA: {
      clientAuthSigningAlgValues: algorithms,
      idTokenSigningAlgValues: algorithms,
      requestObjectSigningAlgValues: algorithms,
      userinfoSigningAlgValues: algorithms,
      introspectionSigningAlgValues: algorithms,
      authorizationSigningAlgValues: algorithms,
      dPoPSigningAlgValues: algorithms,
    },
    scopes: ['openid', 'offline_access'],
    claims: { openid: ['sub', 'name'], acr: null, auth_time: null, iss: null, sid: null },
    responseTypes: ['code'],
    pkce: { required: () => true },
    // The code flow needs a state: checked after the redirect URI, so that the answer goes to the client.
    extraParams: {
      state: (_ctx: unknown, value: string | undefined) => {
        if (value === undefined || value === '') throw new errors.InvalidRequest('missing required parameter state')
      },
    },
    // One audience, and nothing that another server could be meant by as well (draft-ietf-oauth-rfc7523bis).
    assertJwtClientAuthClaimsAndHeader: async (_ctx: unknown, { aud }: { readonly aud?: unknown }) => {
      if (aud !== issuer) throw new errors.InvalidClientAuth('audience (aud) must be the issuer and nothing else')
    },
    allowOmittingSingleRegisteredRedirectUri: false,
    clockTolerance: 15,
    routes: { ...routes, userinfo: '/v1/oauth/userinfo' },
    ttl: {
      AccessToken: lifetimes.accessTokenSeconds,
      ClientCredentials: lifetimes.accessTokenSeconds,
      IdToken: lifetimes.accessTokenSeconds,
      AuthorizationCode: lifetimes.codeSeconds,
      // The end is that of the first one: rotation prolongs nothing (SPEC A7).
      RefreshToken: (ctx) => ctx.oidc.entities.RotatedRefreshToken?.remainingTTL ?? lifetimes.refreshSeconds,
      Grant: lifetimes.refreshSeconds + lifetimes.codeSeconds,
      Interaction: interactionSeconds,
      Session: sessionSeconds,
    },
    rotateRefreshToken: () => true,
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    expiresWithSession: async () => false,
    revokeGrantPolicy: () => true,
    // Each sign-in is a grant of its own: what ends with one leaves the others.
    loadExistingGrant: async (ctx) => {
      const granted = ctx.oidc.result?.consent?.grantId
      return granted === undefined ? undefined : ctx.oidc.provider.Grant.find(granted)
    },
    findAccount: async (ctx, sub) => {
      const operator = operators.find(sub)
      const app = apps.find(ctx.oidc.client?.clientId ?? '')
      const known = operator !== undefined && !operator.disabled && !operator.tenantDisabled
      if (!known || (app !== undefined && !mayUse(operator, app))) {
        // Without anybody the library would go on, and fail: the app hears of it instead.
        if (!isAuthorization(ctx.oidc.route)) return undefined
        throw new errors.AccessDenied('who is signed in here may not use this app; sign out first')
      }
      return { accountId: sub, claims: async () => ({ sub, name: operator.name }) }
    },
    extraTokenClaims: async (_ctx, token) =>
      'grantId' in token && typeof token.grantId === 'string' ? { grant_id: token.grantId } : undefined,
    interactions: {
      url: async (_ctx: unknown, { uid }: { readonly uid: string }) => `/v1/oauth/interaction/${uid}`,
    },
    cookies: {
      names: {
        session: secure ? '__Host-portcullis_oauth' : 'portcullis_oauth',
        interaction: 'portcullis_interaction',
        resume: 'portcullis_resume',
      },
      long: { httpOnly: true, sameSite: 'lax', path: '/', secure },
      short: { httpOnly: true, sameSite: 'lax', secure },
    },
    clientBasedCORS: (_ctx, origin, client) =>
      client.clientAuthMethod === 'none' &&
      (client.redirectUris ?? []).some((uri) => URL.parse(uri)?.origin === origin && origin !== 'null'),
    renderError: async (ctx, out) => {
      // Programs get JSON wherever they ask; only who authorizes in a browser is shown a page.
      if (!isPageRoute(ctx) || ctx.accepts('json', 'html') !== 'html') {
        ctx.type = 'json'
        ctx.body = out
        return
      }
      ctx.type = 'html'
      ctx.body = pages.error(stopped, out.error_description ?? out.error)
    },
    features: {
      devInteractions: { enabled: false },
      externalSigningSupport: { enabled: true, ack: 'experimental-01' },
      clientCredentials: { enabled: true },
      dPoP: { enabled: true, allowReplay: false },
      introspection: {
        enabled: true,
        allowedPolicy: async (_ctx, client, token) => client.clientId === token.clientId,
      },
      revocation: { enabled: true, allowedPolicy: async (_ctx, client, token) => client.clientId === token.clientId },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        selfSignedTlsClientAuth: true,
        tlsClientAuth: true,
        getCertificate: certificateOf,
        certificateAuthorized: (ctx: KoaContextWithOIDC) => originOf(ctx).certificateAuthorized,
        certificateSubjectMatches: (ctx: KoaContextWithOIDC, property: string, expected: string) =>
          property === 'tls_client_auth_subject_dn' && originOf(ctx).certificateSubject === expected,
      } as never,
      pushedAuthorizationRequests: { enabled: true },
      userinfo: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: async () => issuer,
        useGrantedResource: async () => true,
        getResourceServerInfo: async (ctx, resource, client) => {
          if (resource !== issuer) throw new errors.InvalidTarget('this resource is not one of this server')
          const scopes = [...(apps.find(client.clientId)?.scopes ?? [])]
          checkScopes(ctx, scopes, errors)
          return {
            scope: [...scopes, 'openid'].join(' '),
            audience: issuer,
            accessTokenTTL: lifetimes.accessTokenSeconds,
            accessTokenFormat: 'jwt',
            jwt: { sign: { alg: algorithm, kid: ring.current.kid } },
          } as never
        },
      },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: async (ctx, form) => {
          ctx.type = 'html'
          ctx.body = pages.confirmLogout(form)
        },
        postLogoutSuccessSource: async (ctx) => {
          ctx.type = 'html'
          ctx.body = pages.signedOut()
        },
      },
    },
  }
}

function isAuthorization(route: string): boolean {
  return route === 'authorization' || route === 'resume'
}

const pageRoutes = new Set(['authorization', 'resume', 'end_session', 'end_session_confirm', 'end_session_success'])

function isPageRoute(ctx: KoaContextWithOIDC): boolean {
  return pageRoutes.has(ctx.oidc.route)
}

/** What is asked for must be under the ceiling of the app: an unknown scope is refused and not dropped. */
function checkScopes(ctx: KoaContextWithOIDC, ceiling: readonly string[], errors: Wiring['errors']): void {
  const params = ctx.oidc.params ?? {}
  const alone = ctx.oidc.route === 'token' && params['grant_type'] === 'client_credentials'
  if (ctx.oidc.route === 'token' && !alone) return
  // Who names no scope asks for all that the app may have (RFC 6749, section 3.3).
  if (params['scope'] === undefined) params['scope'] = ceiling.join(' ')
  const known = new Set(alone ? ceiling : [...ceiling, 'openid', 'offline_access'])
  const unknown = [...ctx.oidc.requestParamScopes].filter((scope) => !known.has(scope))
  if (unknown.length > 0) throw new errors.InvalidScope('requested scope is not allowed', unknown.join(' '))
}
