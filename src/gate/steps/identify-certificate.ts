import { closeScopes, refuse, type Refusal } from '#core'
import type { PeerCertificate, Progress } from '../call.ts'
import type { GatePorts } from '../ports.ts'

/** Which agent the certificate of the connection stands for (SPEC G17). */
export function identifyCertificate(
  { thumbprint }: PeerCertificate,
  progress: Pick<Progress, 'caller'>,
  ports: Pick<GatePorts, 'clock' | 'certificates'>,
): Refusal | undefined {
  const invalid = (reason: string): Refusal => refuse('auth.credential_invalid', reason)
  const found = ports.certificates?.find(thumbprint)
  if (found === undefined) return invalid('certificate bound to no agent')
  progress.caller = {
    kind: 'agent',
    id: found.agentId,
    tenant: found.tenant,
    scopes: closeScopes(found.scopes),
    credential: { kind: 'client_certificate', id: found.id },
  }
  if (found.revokedAtMs !== undefined) return invalid(`certificate ${found.id} revoked`)
  if (found.expiresAtMs <= ports.clock.now()) return invalid(`certificate ${found.id} expired`)
  if (found.agentDisabled) return invalid(`agent ${found.agentId} disabled`)
  if (found.tenantDisabled) return invalid(`tenant ${found.tenant.id} disabled`)
  return undefined
}
