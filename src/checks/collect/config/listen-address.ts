import { isLoopback, parseIp } from '#core'

/** Who can connect to a listener with this address. */
export type Reach =
  | { readonly kind: 'loopback' }
  /** A socket in the file system. */
  | { readonly kind: 'local' }
  | { readonly kind: 'all' }
  | { readonly kind: 'address'; readonly host: string }
  /** Where a name leads is said elsewhere. */
  | { readonly kind: 'name'; readonly host: string }
  | { readonly kind: 'unclear' }

/**
 * Reads a listen address as the programs of this field take it: `host:port`, `:port` and a bare port for all interfaces, IPv6 with
 * or without brackets, a URL, a socket in the file system.
 */
export function reachOf(text: string): Reach {
  const address = text.trim()
  if (address === '' || address.length > 1000 || address.includes('$')) return { kind: 'unclear' }
  if (/^unix:|^\/|^@/.test(address)) return { kind: 'local' }
  const bare = address.replace(/^[a-z][a-z0-9+.-]{0,20}:\/\//i, '').replace(/\/.*$/, '')
  const host = hostOf(bare)
  if (host === undefined) return { kind: 'unclear' }
  if (host === '' || host === '*' || host === '+') return { kind: 'all' }
  if (isLoopback(host)) return { kind: 'loopback' }
  const ip = parseIp(host)
  if (ip === undefined) return /^[\w.-]+$/.test(host) ? { kind: 'name', host } : { kind: 'unclear' }
  return ip.bytes.every((byte) => byte === 0) ? { kind: 'all' } : { kind: 'address', host }
}

function hostOf(text: string): string | undefined {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(text)
  if (bracketed !== null) return withoutZone(bracketed[1] ?? '')
  if (/^\d{1,5}$/.test(text)) return ''
  const [, host = '', port] = /^(.*?)(?::(\d{1,5}))?$/.exec(text) ?? []
  if (!host.includes(':')) return host === '' && port === undefined ? undefined : host
  // `:::50051` is `::` with a port; `::1` and `fe80::1` have none.
  if (parseIp(withoutZone(text)) !== undefined) return withoutZone(text)
  return parseIp(host) === undefined ? undefined : host
}

function withoutZone(host: string): string {
  return host.replace(/%.*$/, '')
}
