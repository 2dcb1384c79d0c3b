import type { Caller, CredentialKind } from '#core'

const tokens: ReadonlySet<CredentialKind> = new Set([
  'access_token',
  'dpop_access_token',
  'certificate_bound_access_token',
])

/**
 * Whose bucket a call is charged to: that of the credential; for tokens of the client and whom it acts for, however many it gets;
 * for the token of a service, which is for every tenant, of the service in the tenant: no tenant uses up what is another's.
 */
export function rateSubject({ credential, tenant, clientId, id }: Caller): string {
  if (tokens.has(credential.kind)) return `${tenant.id} ${clientId ?? ''} ${id}`
  return credential.kind === 'service_token' ? `${tenant.id} ${credential.id}` : credential.id
}
