import { refuse } from '#core'
import type { Step } from '../chain.ts'

/** A tenant named in the call must be the caller's own (SPEC G11). The credential decides, the header never does. */
export const matchTenant: Step = (call, { caller }) => {
  if (caller === undefined) return refuse('tenant.missing', 'caller bound to no tenant')
  if (call.tenantId === undefined || call.tenantId === caller.tenant.id || call.tenantId === caller.tenant.name) {
    return undefined
  }
  return refuse('tenant.mismatch', 'x-tenant-id is not the tenant of the credential')
}
