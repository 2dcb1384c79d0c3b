import type { RequestTarget } from '#gate'

/** What is known of a connection and its request. */
export interface Arrived {
  readonly method: string
  /** With or without a query. */
  readonly url: string
  /** The connection is encrypted by this process. */
  readonly encrypted: boolean
  readonly localAddress?: string | undefined
  readonly localPort?: number | undefined
}

/**
 * What a DPoP proof is compared with, where there is one. Neither `Host` nor any forwarded header has a say: behind a proxy,
 * `authority.publicOrigins` names what callers call.
 */
export function requestTarget(
  proofs: readonly string[] | undefined,
  arrived: () => Arrived,
): RequestTarget | undefined {
  if (proofs === undefined) return undefined
  const { method, url, encrypted, localAddress = '', localPort = 0 } = arrived()
  const address = localAddress.replace(/^::ffff:(?=\d+\.)/, '')
  const host = address.includes(':') ? `[${address.replace(/%.*$/, '')}]` : address
  const listener = `${encrypted ? 'https' : 'http'}://${host}:${localPort}`
  // `new URL` leaves the port of the scheme out, as callers do.
  return {
    method,
    path: url.split('?', 1)[0] ?? '',
    listener: URL.canParse(listener) ? new URL(listener).origin : 'http://unknown.invalid',
  }
}
