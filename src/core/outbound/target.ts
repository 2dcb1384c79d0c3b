import { parseIp } from '../net.ts'
import { addressProblem, type AddressPolicy } from './address-rules.ts'

/** Where calls to the outside may go (SPEC O11). Link-local and metadata addresses are refused whatever it says. */
export interface OutboundPolicy {
  /** Private, loopback and other networks of one's own. */
  readonly allowPrivate: boolean
  /** Plain HTTP, where what is sent can be read and changed on the way; `own` allows it to networks of one's own. */
  readonly allowHttp: boolean | 'own'
}

/**
 * Parses the URL of something that is called. Names are looked at again when they are resolved; addresses in any form that a URL
 * may have (decimal, octal, hexadecimal, mapped) are looked at here. Throws an Error that says what to write and holds no part
 * of the URL.
 */
export function parseTarget(text: string, policy: OutboundPolicy): URL {
  const { allowHttp } = policy
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.hostname === '') {
    throw new Error(`This is not an ${allowHttp === false ? 'https' : 'http or https'} URL.`)
  }
  if (url.protocol === 'http:' && allowHttp === false) {
    throw new Error('This is not an https URL; http is for private networks only, with allowPrivate.')
  }
  if (url.username !== '' || url.password !== '') throw new Error('A URL here carries no user or password.')
  if (url.hash !== '') throw new Error('A URL here carries no fragment.')
  const problem = hostProblem(url, addressPolicy(url, policy))
  if (problem !== undefined) throw new Error(problem)
  return url
}

/** Which addresses the host of a URL may have. */
export function addressPolicy({ protocol }: URL, { allowPrivate, allowHttp }: OutboundPolicy): AddressPolicy {
  return { allowPrivate, ownOnly: protocol === 'http:' && allowHttp === 'own' }
}

function hostProblem(url: URL, policy: AddressPolicy): string | undefined {
  const host = hostOf(url)
  const local = /(?:^|\.)localhost\.?$/i.test(host) ? '127.0.0.1' : undefined
  const address = parseIp(host) === undefined ? local : host
  const problem = address === undefined ? undefined : addressProblem(address, policy)
  return problem && `It leads to ${problem}.`
}

/** The host without the brackets of IPv6. */
function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1')
}
