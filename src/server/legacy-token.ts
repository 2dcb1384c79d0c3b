import type { Logger } from 'pino'
import type { Config } from '#config'
import { sha256, type Secret } from '#core'
import type { LegacyPort } from '#gate'
import { boundCaller, type TenantDirectory } from './callers/bound-caller.ts'

interface LegacySettings {
  readonly token: Secret
  readonly tenant: string
  readonly scopes: readonly string[]
}

/** The callers with the shared token: of one tenant, with the scopes of the settings and nothing else (SPEC G8). */
export function legacyPort({ token, tenant, scopes }: LegacySettings, tenants: TenantDirectory): LegacyPort {
  const credential = { kind: 'legacy_token', id: 'legacy' } as const
  return {
    digest: sha256(token.reveal()),
    caller: boundCaller({ id: 'legacy', credential, tenant, scopes }, tenants),
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
