import { closeScopes, type Caller, type Tenant } from '#core'

/** Where tenants are known without asking the database. */
export interface TenantDirectory {
  /** By id or name; undefined where there is none, or it is disabled. */
  tenant(idOrName: string): Tenant | undefined
}

interface BoundSettings {
  readonly id: string
  readonly credential: Caller['credential']
  readonly tenant: string
  readonly scopes: readonly string[]
}

/** A service that the settings bind to a tenant and to scopes: undefined while its tenant does not exist or is disabled. */
export function boundCaller(
  { id, credential, tenant: name, scopes }: BoundSettings,
  tenants: TenantDirectory,
): () => Caller | undefined {
  const held: ReadonlySet<string> = closeScopes(new Set(scopes))
  let known: Caller | undefined
  return () => {
    const tenant = tenants.tenant(name)
    if (tenant === undefined) return undefined
    if (known?.tenant !== tenant) known = { kind: 'service', id, tenant, scopes: held, credential }
    return known
  }
}
