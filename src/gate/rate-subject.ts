import type { Caller, CredentialKind } from '#core'

const tokens: ReadonlySet<CredentialKind> = new Set([
  'access_token',
  'dpop_access_token',
  'certificate_bound_access_token',
])

/** Whose bucket a call is charged to: that of the credential; for tokens of the client and whom it acts for, however many it gets. */
export function rateSubject({ credential, tenant, clientId, id }: Caller): string {
  return tokens.has(credential.kind) ? `${tenant.id} ${clientId ?? ''} ${id}` : credential.id
}
