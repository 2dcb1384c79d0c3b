import { closeScopes, refuse, type Caller, type Refusal } from '#core'
import type { Call, PeerCertificate, Progress } from '../call.ts'
import type { CertificateRecord, GatePorts } from '../ports.ts'

/** Which agent the certificate of the connection stands for (SPEC G17). */
export function identifyCertificate(
  { thumbprint }: PeerCertificate,
  progress: Pick<Progress, 'caller'>,
  ports: Pick<GatePorts, 'clock' | 'certificates'>,
): Refusal | undefined {
  const invalid = (reason: string): Refusal => refuse('auth.credential_invalid', reason)
  const found = ports.certificates?.find(thumbprint)
  if (found === undefined) return invalid('certificate bound to no agent')
  progress.caller = callerOf(found)
  if (found.revokedAtMs !== undefined) return invalid(`certificate ${found.id} revoked`)
  if (found.expiresAtMs <= ports.clock.now()) return invalid(`certificate ${found.id} expired`)
  if (found.agentDisabled) return invalid(`agent ${found.agentId} disabled`)
  if (found.tenantDisabled) return invalid(`tenant ${found.tenant.id} disabled`)
  return undefined
}

/** Two credentials that name two callers: a key or a token on a connection whose certificate stands for another agent (SPEC G17). */
export function certificateOfAnother(
  { certificate }: Pick<Call, 'certificate'>,
  { caller }: Pick<Progress, 'caller'>,
  ports: Pick<GatePorts, 'clock' | 'certificates'>,
): Refusal | undefined {
  if (certificate === undefined) return undefined
  const found = ports.certificates?.find(certificate.thumbprint)
  // One that is revoked or over stands for nobody any more.
  if (found === undefined || found.revokedAtMs !== undefined || found.expiresAtMs <= ports.clock.now()) return undefined
  if (found.agentId === caller?.id) return undefined
  return refuse('auth.credential_ambiguous', `a credential of ${caller?.id} beside certificate ${found.id} of another`)
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
