import { randomBytes } from 'node:crypto'
import type { AdapterPayload } from 'oidc-provider'
import { digestsEqual, sha256 } from '#core'
import type { AppDirectory, AppRecord } from './ports.ts'

// The library wants a secret where a method needs one. It is compared with nothing: see `secretIsGood`.
const noSecret = randomBytes(32).toString('base64url')
const secretMethods = new Set(['client_secret_basic', 'client_secret_post'])

/** An app as the metadata of an OAuth client (RFC 7591). */
export function clientMetadata(app: AppRecord): AdapterPayload {
  const code = app.grantTypes.includes('authorization_code')
  return {
    client_id: app.id,
    client_name: app.name,
    // The library takes schemes of programs from these alone. How URIs are compared is in `redirectAllowed`.
    application_type: app.redirectUris.some((uri) => !/^https?:/.test(uri)) ? 'native' : 'web',
    grant_types: [...app.grantTypes],
    response_types: code ? ['code'] : [],
    response_modes: ['query'],
    redirect_uris: code ? [...app.redirectUris] : [],
    token_endpoint_auth_method: app.authMethod,
    ...(secretMethods.has(app.authMethod) ? { client_secret: noSecret } : {}),
    ...(app.jwksJson === undefined ? {} : { jwks: JSON.parse(app.jwksJson) }),
    ...(app.tlsSubjectDn === undefined ? {} : { tls_client_auth_subject_dn: app.tlsSubjectDn }),
    ...(app.dpopBound ? { dpop_bound_access_tokens: true } : {}),
    ...(app.certificateBound ? { tls_client_certificate_bound_access_tokens: true } : {}),
  }
}

/** The app that a client may act as now; undefined where there is none, or it was disabled (SPEC A10). */
export function usableApp(apps: AppDirectory, id: string): AppRecord | undefined {
  const app = apps.find(id)
  return app === undefined || app.disabled || app.tenantDisabled ? undefined : app
}

/**
 * The library writes out and digests the metadata of a client at each request, and checks them anew once more than a hundred are
 * in use. A record of an app never changes, another one takes its place: so one look at each record is enough.
 */
export function rememberClients<Client>(
  library: { find(id: string): Promise<Client | undefined> },
  apps: AppDirectory,
): void {
  const known = new WeakMap<AppRecord, Client>()
  const find = library.find.bind(library)
  library.find = async (id) => {
    const app = usableApp(apps, id)
    if (app === undefined) return undefined
    const client = known.get(app) ?? (await find(id))
    if (client !== undefined) known.set(app, client)
    return client
  }
}

/** Whether this is one of the secrets that are good now; every one is compared, in constant time (SPEC A5). */
export function secretIsGood(app: AppRecord | undefined, secret: string, nowMs: number): boolean {
  const digest = sha256(secret)
  let good = false
  for (const { digest: stored, expiresAtMs } of app?.secrets ?? []) {
    const same = digestsEqual(digest, stored)
    good ||= same && (expiresAtMs === undefined || nowMs < expiresAtMs)
  }
  return good && app !== undefined && !app.disabled && !app.tenantDisabled
}

const loopback = /^http:\/\/(?:127\.0\.0\.1|\[::1\])(?=[/?]|$)/

/**
 * Exact strings. Only a public client may add a port to a loopback address that it registered without one: its listener gets
 * whatever port is free (RFC 8252, section 7.3).
 */
export function redirectAllowed(app: Pick<AppRecord, 'redirectUris' | 'authMethod'>, uri: string): boolean {
  if (app.redirectUris.includes(uri)) return true
  if (app.authMethod !== 'none') return false
  return app.redirectUris.some((registered) => {
    const [origin] = loopback.exec(registered) ?? []
    if (origin === undefined || !uri.startsWith(`${origin}:`)) return false
    const [, port = '', rest = ''] = /^:([1-9]\d{0,4})(.*)$/s.exec(uri.slice(origin.length)) ?? []
    return port !== '' && Number(port) <= 65_535 && rest === registered.slice(origin.length)
  })
}
