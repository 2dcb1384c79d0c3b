import { Secret } from '#core'
import type { Call, PresentedCredential } from '#gate'
import { maskText } from '#ledger'

const queryNames = ['access_token', 'api_key', 'apikey', 'authorization', 'key', 'token', 'x-portcullis-key']
const authorizationForm = /^(bearer|dpop) +(\S+)$/i

/** Who the headers say is calling, and what the gate decides on beside that. */
export type Presented = Pick<Call, 'credentials' | 'dpop' | 'serviceTokens' | 'actorId' | 'tenantId' | 'traceparent'>

/**
 * Every credential in the headers, each value apart; duplicates count as two (SPEC G3). `values` are those of one header, by its
 * name in lower case. A doubled field that may be there once becomes one that is not valid.
 */
export function presentedOf(
  values: (name: string) => readonly string[],
  query: URLSearchParams | undefined,
): Presented {
  const dpop = values('dpop')
  const serviceTokens = values('x-service-token')
  return {
    credentials: credentialsOf(values('authorization'), values('x-portcullis-key'), query),
    dpop: dpop.length === 0 ? undefined : dpop,
    serviceTokens: serviceTokens.length === 0 ? undefined : serviceTokens.map((text) => new Secret(text)),
    actorId: joined(values('x-actor-id')),
    tenantId: joined(values('x-tenant-id')),
    traceparent: joined(values('traceparent')),
  }
}

export function credentialsOf(
  authorization: readonly string[],
  key: readonly string[],
  query: URLSearchParams | undefined,
): readonly PresentedCredential[] {
  const found: PresentedCredential[] = []
  for (const value of authorization) found.push(fromAuthorization(value))
  for (const value of key) found.push({ kind: 'api_key', text: new Secret(value) })
  if (query !== undefined && queryNames.some((name) => query.has(name)))
    found.push({ kind: 'query', text: new Secret('') })
  return found
}

/** What has the form of a JWT is one. An authorization header of a scheme that is not ours is a credential too: one that is not accepted. */
function fromAuthorization(value: string): PresentedCredential {
  const [, scheme = '', text = ''] = authorizationForm.exec(value) ?? []
  const dpop = scheme.toLowerCase() === 'dpop'
  if (dpop || text.split('.').length === 3) return { kind: 'access_token', text: new Secret(text), dpop }
  return { kind: 'api_key', text: new Secret(text) }
}

function joined(values: readonly string[]): string | undefined {
  return values.length === 0 ? undefined : values.join(', ')
}

const requestIdPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{7,63}$/

/** The request id that the caller sent, where it is fit to be shown and stored: one with the form of a secret is not. */
export function sentRequestId(value: string | undefined): string | undefined {
  return value !== undefined && requestIdPattern.test(value) && maskText(value) === value ? value : undefined
}

/** The address of a peer without the IPv4-in-IPv6 form. */
export function peerAddress(address: string | undefined): string {
  return address?.replace(/^::ffff:(?=\d+\.)/, '') ?? 'unknown'
}
