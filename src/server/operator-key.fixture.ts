import { closeScopes, makeKey, platformAdminScopes, sha256, uuidv7 } from '#core'
import type { KeyRecord } from '#gate'

/** For tests: a key of an operator who may do everything, as the gate knows it, and its text. */
export function operatorKey(tenant: string) {
  const uuid = uuidv7()
  const { text, secret } = makeKey(uuid)
  const key: KeyRecord = {
    id: `key_${uuid}`,
    digest: sha256(secret),
    owner: { kind: 'operator', id: `opr_${uuidv7()}` },
    tenant: { id: `ten_${uuidv7()}`, name: tenant },
    scopes: closeScopes(new Set(platformAdminScopes)),
    expiresAtMs: undefined,
    revokedAtMs: undefined,
    ownerDisabled: false,
    tenantDisabled: false,
    allowedCidrs: [],
    rate: undefined,
  }
  return { uuid, text, key }
}
