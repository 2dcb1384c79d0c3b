import { Secret } from '#core'
import type { PresentedCredential } from '#gate'
import { maskText } from '#ledger'

const queryNames = ['access_token', 'api_key', 'apikey', 'authorization', 'key', 'token', 'x-portcullis-key']
const bearer = /^bearer +(\S+)$/i

/** Every credential in the headers, each value apart; duplicates count as two (SPEC G3). */
export function credentialsOf(
  authorization: readonly string[],
  key: readonly string[],
  query: URLSearchParams | undefined,
): readonly PresentedCredential[] {
  const found: PresentedCredential[] = []
  // An authorization header of a scheme that is not ours is a credential too: one that is not accepted.
  for (const value of authorization) found.push({ kind: 'api_key', text: new Secret(bearer.exec(value)?.[1] ?? '') })
  for (const value of key) found.push({ kind: 'api_key', text: new Secret(value) })
  if (query !== undefined && queryNames.some((name) => query.has(name)))
    found.push({ kind: 'query', text: new Secret('') })
  return found
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
