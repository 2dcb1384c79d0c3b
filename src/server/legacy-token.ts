import type { Logger } from 'pino'
import type { Config } from '#config'
import { closeScopes, sha256, type Caller, type Secret, type Tenant } from '#core'
import type { LegacyPort } from '#gate'

/** Where tenants are known without asking the database. */
export interface TenantDirectory {
  /** By id or name; undefined where there is none, or it is disabled. */
  tenant(idOrName: string): Tenant | undefined
}

interface LegacySettings {
  readonly token: Secret
  readonly tenant: string
  readonly scopes: readonly string[]
}

/** The callers with the shared token: of one tenant, with the scopes of the settings and nothing else (SPEC G8). */
export function legacyPort({ token, tenant: name, scopes }: LegacySettings, tenants: TenantDirectory): LegacyPort {
  const held: ReadonlySet<string> = closeScopes(new Set(scopes))
  let known: Caller | undefined
  return {
    digest: sha256(token.reveal()),
    caller: () => {
      const tenant = tenants.tenant(name)
      if (tenant === undefined) return undefined
      if (known?.tenant !== tenant) {
        const credential = { kind: 'legacy_token', id: 'legacy' } as const
        known = { kind: 'service', id: 'legacy', tenant, scopes: held, credential }
      }
      return known
    },
  }
}

/** The legacy token where the settings enable it; says so each time the server starts. */
export function composeLegacy({ legacyToken }: Config, tenants: TenantDirectory, log: Logger): LegacyPort | undefined {
  const { enabled, token, tenant, scopes } = legacyToken
  if (!enabled || token === undefined || tenant === undefined) return undefined
  log.warn(
    { event: 'legacy_token.enabled', tenant, scopes },
    'the legacy token is accepted: nobody can tell who used it; give its callers keys of their own',
  )
  return legacyPort({ token, tenant, scopes }, tenants)
}
