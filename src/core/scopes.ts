/** Every scope that a key can hold, with the scopes that it includes (SPEC G6, SURFACES). */
export const scopes: ReadonlyMap<string, readonly string[]> = new Map([
  ['admin:read', ['tasks:read', 'telemetry:read']],
  ['authz:check', []],
  ['budget:spend', []],
  ['identity:read', []],
  ['identity:write', ['identity:read']],
  ['jobs:read', []],
  ['jobs:trigger', ['jobs:read']],
  ['kill:engage', []],
  ['kill:release', []],
  ['ledger:read', []],
  ['ops:record', []],
  ['policy:write', []],
  ['posture:write', []],
  ['tasks:read', []],
  ['tasks:write', []],
  ['telemetry:read', []],
  ['telemetry:write', []],
  ['tenants:write', []],
])

/** What the first admin of a new tenant holds: all but the power over tenants. */
export const tenantAdminScopes: readonly string[] = [...scopes.keys()].filter((scope) => scope !== 'tenants:write')

/** What the first admin of the tenant `main` holds. */
export const platformAdminScopes: readonly string[] = [...scopes.keys()]

/** What a person who runs a tenant may do there (SPEC A9). */
export type OperatorRole = 'viewer' | 'operator' | 'admin'

const everyRead = [...scopes.keys()].filter((scope) => scope.endsWith(':read'))

/** The scopes of each role. New scopes are for admins until they are named here, but for reads, which are for everybody. */
export const roleScopes: Readonly<Record<OperatorRole, readonly string[]>> = {
  viewer: everyRead,
  operator: [
    ...everyRead,
    'authz:check',
    'jobs:trigger',
    'kill:engage',
    'ops:record',
    'posture:write',
    'tasks:write',
    'telemetry:write',
  ],
  admin: tenantAdminScopes,
}

const closed = new WeakMap<ReadonlySet<string>, ReadonlySet<string>>()

/** The scopes with all that they include. Computed once per key record. */
export function closeScopes(held: ReadonlySet<string>): ReadonlySet<string> {
  const known = closed.get(held)
  if (known !== undefined) return known
  const all = new Set([...held].flatMap((scope) => [scope, ...(scopes.get(scope) ?? [])]))
  closed.set(held, all)
  return all
}

/** `<service>:<action>` of services that are registered in the settings (SPEC G22); a key can hold them beside our own. */
export type ServiceActions = ReadonlySet<string>

export const serviceScopePattern = /^[a-z][a-z0-9-]{0,62}:[a-z][a-z0-9-]{0,62}$/

export const noServices: ServiceActions = new Set()
