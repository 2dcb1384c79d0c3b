import { refuse, type Caller, type Refusal, type Tenant } from '#core'
import type { Call, Progress } from '../call.ts'
import type { GatePorts, ServiceGuard } from '../ports.ts'
import { identifyCertificate } from './identify-certificate.ts'

/**
 * A call without a credential in its headers: the certificate of its connection, else the service token alone (SPEC G9), else where
 * it comes from (G12), else nobody in particular (G13).
 */
export function identifyBare(call: Call, progress: Progress, ports: GatePorts): Refusal | undefined {
  if (call.certificate !== undefined)
    return ports.keys.fresh() ? identifyCertificate(call.certificate, call, progress, ports) : stale()
  const { guard, serviceToken } = progress
  if (guard === undefined || serviceToken !== 'right') return identifySource(call, progress, ports)
  // Whoever is let in without a credential sends the token, too, once it is enforced: it names a tenant to be the service.
  const elsewhere = call.tenantId === undefined && identifySource(call, progress, ports) === undefined
  return elsewhere ? undefined : identifyService(call, guard, progress, ports)
}

export function stale(): Refusal {
  return refuse('store.unavailable', 'key state is older than its lease', { retryAfterSeconds: 1 })
}

/** Who has the token of a service and no identity of its own is bound to no tenant: the call has to name one (SPEC G11). */
function identifyService(
  { tenantId }: Call,
  guard: ServiceGuard,
  progress: Progress,
  { guards, keys }: GatePorts,
): Refusal | undefined {
  if (!keys.fresh()) return stale()
  if (tenantId === undefined) return refuse('tenant.missing', `service token of ${guard.service} and no x-tenant-id`)
  const tenant = guards?.tenant(tenantId)
  if (tenant === undefined)
    return refuse('tenant.mismatch', `service token of ${guard.service}, and x-tenant-id is no tenant that is open`)
  progress.caller = serviceCaller(guard, tenant)
  return undefined
}

/** Callers of a bypass network, and anonymous ones where they are let in at all; neither ever does what is of high risk. */
function identifySource(call: Call, progress: Progress, ports: GatePorts): Refusal | undefined {
  const { bypass, method } = call
  const missing = (reason: string): Refusal => refuse('auth.credential_missing', reason)
  if (call.signed !== undefined) return missing('a signature, and no key beside it')
  if (bypass === undefined && ports.anonymous?.open(ports.clock.now()) !== true) return missing('no credential')
  const source = bypass === undefined ? 'anonymous fallback' : `bypass network ${bypass.cidr}`
  if (method.access === 'write' && method.risk === 'high')
    return missing(`no credential, and the ${source} never reaches writes of high risk`)
  if (!ports.keys.fresh()) return stale()
  const caller = bypass === undefined ? ports.anonymous?.caller() : bypass.caller()
  if (caller === undefined)
    return missing(`no credential, and the tenant of the ${source} does not exist or is disabled`)
  progress.caller = caller
  return undefined
}

const callers = new WeakMap<ServiceGuard, WeakMap<Tenant, Caller>>()

/** The same for every call, so it is made once. */
function serviceCaller(guard: ServiceGuard, tenant: Tenant): Caller {
  const ofGuard = callers.get(guard) ?? new WeakMap<Tenant, Caller>()
  callers.set(guard, ofGuard)
  const known = ofGuard.get(tenant)
  if (known !== undefined) return known
  const credential = { kind: 'service_token', id: guard.service } as const
  const caller: Caller = { kind: 'service', id: 'service', tenant, scopes: guard.scopes, credential }
  ofGuard.set(tenant, caller)
  return caller
}
