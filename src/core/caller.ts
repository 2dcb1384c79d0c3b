/** A tenant as callers see it. */
export interface Tenant {
  /** `ten_...` */
  readonly id: string
  /** Also the name of its ledger log. */
  readonly name: string
}

/** Who calls, whatever the credential was (SPEC G3). */
export interface Caller {
  /** A service has no objects of its own: it acts on those of its tenant, and is never the platform. */
  readonly kind: 'agent' | 'operator' | 'service'
  /** `agt_...`, `opr_...`, `app_...`, the subject of another issuer, or `legacy`, `bypass`, `anonymous` */
  readonly id: string
  readonly tenant: Tenant
  /** Closed under implication: `admin:read` brings the scopes that it includes. */
  readonly scopes: ReadonlySet<string>
  readonly credential: {
    readonly kind: CredentialKind
    readonly id: string
    /** The signing key, where the request was signed. */
    readonly signedBy?: string | undefined
  }
  /** The OAuth client that acts for the caller. */
  readonly clientId?: string | undefined
}

/** How a caller showed who it is; one caller may have several (SPEC G3). */
export type CredentialKind =
  | 'api_key'
  | 'signed_api_key'
  | 'access_token'
  | 'dpop_access_token'
  | 'certificate_bound_access_token'
  | 'client_certificate'
  | 'service_token'
  | 'legacy_token'
  | 'bypass'
  | 'anonymous'

/** The client id of `portcullis login`: nobody's app, but the person at the keyboard. */
export const commandLineId = 'portcullis-cli'

/** Operators with this scope see tenants and the system log: they run the platform. */
export function isPlatform(caller: Caller): boolean {
  return caller.kind === 'operator' && caller.scopes.has('tenants:write')
}
