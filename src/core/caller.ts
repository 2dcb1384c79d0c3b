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
  /** `agt_...`, `opr_...`, or `legacy` for callers with the legacy token */
  readonly id: string
  readonly tenant: Tenant
  /** Closed under implication: `admin:read` brings the scopes that it includes. */
  readonly scopes: ReadonlySet<string>
  readonly credential: { readonly kind: 'api_key' | 'legacy_token'; readonly id: string }
}

/** Operators with this scope see tenants and the system log: they run the platform. */
export function isPlatform(caller: Caller): boolean {
  return caller.kind === 'operator' && caller.scopes.has('tenants:write')
}
