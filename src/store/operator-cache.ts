import { closeScopes, platformAdminScopes, publicId, roleScopes, type OperatorRole } from '#core'
import type { OperatorDirectory, OperatorRecord } from '#authority'
import type { CachedTable } from './keys.ts'

/** Every person who runs a tenant in memory, under the epoch of keys: what a token of theirs stands for (SPEC A9, A10). */
export class OperatorCache implements OperatorDirectory, CachedTable {
  readonly name = 'operators.load'
  readonly source = 'operators'
  readonly text = 'select * from portcullis.load_operators($1::text::xid8)'
  readonly #operators = new Map<string, OperatorRecord>()

  find(id: string): OperatorRecord | undefined {
    return this.#operators.get(id)
  }

  keep(rows: readonly Readonly<Record<string, unknown>>[]): void {
    for (const row of rows) {
      const operator = toRecord(row as unknown as LoadedOperator)
      this.#operators.set(operator.id, operator)
    }
  }
}

interface LoadedOperator {
  readonly id: string
  readonly name: string
  readonly tenant_id: string
  readonly tenant_name: string
  readonly role: OperatorRole
  readonly platform: boolean
  readonly disabled: boolean
  readonly tenant_disabled: boolean
}

// One set for all of a role: what is implied by it is computed once.
const platformScopes = closeScopes(new Set(platformAdminScopes))
const scopesOf: Readonly<Record<OperatorRole, ReadonlySet<string>>> = {
  viewer: closeScopes(new Set(roleScopes.viewer)),
  operator: closeScopes(new Set(roleScopes.operator)),
  admin: closeScopes(new Set(roleScopes.admin)),
}

function toRecord(row: LoadedOperator): OperatorRecord {
  return {
    id: publicId('opr', row.id),
    name: row.name,
    tenant: { id: publicId('ten', row.tenant_id), name: row.tenant_name },
    scopes: row.platform && row.role === 'admin' ? platformScopes : scopesOf[row.role],
    disabled: row.disabled,
    tenantDisabled: row.tenant_disabled,
  }
}
