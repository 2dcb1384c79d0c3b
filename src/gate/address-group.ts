import { parseIp } from '#core'

/**
 * What an address is counted under: an IPv4 address stands for itself, an IPv6 address for its /64, which is what one
 * customer of a provider has at the least (RFC 6177). Text that is no address stands for itself.
 */
export function addressGroup(address: string): string {
  // Most callers: nothing to parse.
  if (!address.includes(':')) return address
  const zone = address.indexOf('%')
  const ip = parseIp(zone < 0 ? address : address.slice(0, zone))
  if (ip === undefined) return address
  if (ip.family === 4) return ip.bytes.join('.')
  const groups: string[] = []
  for (let at = 0; at < 8; at += 2) groups.push((((ip.bytes[at] ?? 0) << 8) | (ip.bytes[at + 1] ?? 0)).toString(16))
  return `${groups.join(':')}::/64`
}
