import { closeScopes, isRefusal, refuse, type Caller, type Refusal } from '#core'
import type { Call, PeerCertificate, Progress } from '../call.ts'
import type { CertificateRecord, GatePorts } from '../ports.ts'

/** Which agent the certificate of the connection stands for (SPEC G17). */
export function identifyCertificate(
  { thumbprint }: PeerCertificate,
  { tenantId }: Pick<Call, 'tenantId'>,
  progress: Pick<Progress, 'caller'>,
  ports: Pick<GatePorts, 'clock' | 'certificates'>,
): Refusal | undefined {
  const invalid = (reason: string): Refusal => refuse('auth.credential_invalid', reason)
  const nowMs = ports.clock.now()
  const found = boundIn(ports.certificates?.find(thumbprint) ?? [], tenantId, nowMs)
  if (found === undefined) return invalid('certificate bound to no agent')
  if (isRefusal(found)) return found
  progress.caller = callerOf(found)
  if (found.revokedAtMs !== undefined) return invalid(`certificate ${found.id} revoked`)
  if (found.expiresAtMs <= nowMs) return invalid(`certificate ${found.id} expired`)
  if (found.agentDisabled) return invalid(`agent ${found.agentId} disabled`)
  if (found.tenantDisabled) return invalid(`tenant ${found.tenant.id} disabled`)
  return undefined
}

/** Who binds a certificate has not shown its key: where several tenants have, the call says which of them it is for. */
function boundIn(
  records: readonly CertificateRecord[],
  tenantId: string | undefined,
  nowMs: number,
): CertificateRecord | Refusal | undefined {
  const named = records.find(({ tenant }) => tenant.id === tenantId || tenant.name === tenantId)
  if (named !== undefined || records.length < 2) return named ?? records[0]
  const [first, second] = records.filter((each) => stands(each, nowMs) && !each.tenantDisabled)
  if (second === undefined) return first
  return tenantId === undefined
    ? refuse('tenant.missing', 'certificate bound in several tenants and no x-tenant-id')
    : refuse('tenant.mismatch', 'certificate bound in several tenants, and x-tenant-id is none of them')
}

/** One that is revoked or over stands for nobody any more. */
function stands({ revokedAtMs, expiresAtMs }: CertificateRecord, nowMs: number): boolean {
  return revokedAtMs === undefined && expiresAtMs > nowMs
}

/**
 * Two credentials that name two callers: a key or a token on a connection whose certificate stands for another agent of its tenant
 * (SPEC G17). What other tenants have bound has no say: they need not have asked the one whose certificate it is.
 */
export function certificateOfAnother(
  { certificate }: Pick<Call, 'certificate'>,
  { caller }: Pick<Progress, 'caller'>,
  ports: Pick<GatePorts, 'clock' | 'certificates'>,
): Refusal | undefined {
  if (certificate === undefined || caller === undefined) return undefined
  const found = ports.certificates?.find(certificate.thumbprint).find(({ tenant }) => tenant.id === caller.tenant.id)
  if (found === undefined || !stands(found, ports.clock.now()) || found.agentId === caller.id) return undefined
  return refuse('auth.credential_ambiguous', `a credential of ${caller.id} beside certificate ${found.id} of another`)
}

const callers = new WeakMap<CertificateRecord, Caller>()

/** The caller behind a certificate: the same for every call, so it is made once. */
function callerOf(found: CertificateRecord): Caller {
  const known = callers.get(found)
  if (known !== undefined) return known
  const caller: Caller = {
    kind: 'agent',
    id: found.agentId,
    tenant: found.tenant,
    scopes: closeScopes(found.scopes),
    credential: { kind: 'client_certificate', id: found.id },
  }
  callers.set(found, caller)
  return caller
}
