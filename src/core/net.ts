/** An IP address as bytes, most significant first: 4 of them or 16. An IPv4-mapped IPv6 address is its IPv4 address. */
export interface Ip {
  readonly family: 4 | 6
  readonly bytes: readonly number[]
}

/** A network: the address of its first member and the number of leading bits that all members share. */
export interface Cidr extends Ip {
  readonly prefixBits: number
}

export interface Address {
  /** A host name or an IP address, without brackets. */
  readonly host: string
  /** 0 to 65535; 0 asks the system for a free port. */
  readonly port: number
}

const ipLengthMax = 45
const hostLengthMax = 253
const mappedPrefix = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]
const hostLabel = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i
const addressHelp = 'write host:port, such as 127.0.0.1:50051 or [::1]:50051'
const cidrHelp = 'write a network such as 10.0.0.0/8, 192.0.2.7/32 or fd00::/8'

/** Parses `host:port`, with brackets around IPv6 (RFC 3986). Throws an Error that says what is wrong and what to write. */
export function parseAddress(text: string): Address {
  const match = /^(?:\[([^[\]]*)\]|([^:[\]]*)):(\d+)$/.exec(text.length > hostLengthMax + 8 ? '' : text)
  if (!match) throw new Error(`An address needs a host and a port: ${addressHelp}.`)
  const [, bracketed, plain = '', digits = ''] = match
  const host = bracketed ?? plain
  const hostIsValid = bracketed === undefined ? isHost(host) : host.includes(':') && parseIp(host) !== undefined
  if (host === '') throw new Error(`An address needs its host spelled out, 0.0.0.0 for all of them: ${addressHelp}.`)
  if (!hostIsValid) throw new Error(`The host is neither an IP address nor a host name: ${addressHelp}.`)
  const port = decimal(digits, 65_535)
  if (port === undefined) throw new Error('The port must be a number from 0 to 65535 without leading zeros.')
  return { host, port }
}

/** `host:port` as `parseAddress` reads it. */
export function formatAddress({ host, port }: Address): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** True for `localhost`, 127.0.0.0/8 and ::1, with or without brackets. Any other name is not known to stay on this machine. */
export function isLoopback(host: string): boolean {
  if (host.toLowerCase() === 'localhost') return true
  const ip = parseIp(host.replace(/^\[(.*)\]$/, '$1'))
  if (!ip) return false
  return ip.family === 4 ? ip.bytes[0] === 127 : ip.bytes.every((byte, at) => byte === (at === 15 ? 1 : 0))
}

/** Parses a network; members outside it MUST NOT be set (10.0.0.1/8). Throws an Error that says what to write. */
export function parseCidr(text: string): Cidr {
  const [address = '', digits, ...rest] = text.length > ipLengthMax + 4 ? [] : text.split('/')
  const ip = parseIp(address)
  if (!ip || rest.length > 0) throw new Error(`This is not a network: ${cidrHelp}.`)
  if (digits === undefined) throw new Error(`The network has no prefix length: ${cidrHelp}.`)
  // A mapped network counts its bits in IPv6: ::ffff:10.0.0.0/104 is 10.0.0.0/8.
  const mappedBits = ip.family === 4 && address.includes(':') ? 96 : 0
  const bits = decimal(digits, mappedBits + ip.bytes.length * 8)
  if (bits === undefined || bits < mappedBits) throw new Error(`The prefix length is out of range: ${cidrHelp}.`)
  const prefixBits = bits - mappedBits
  if (ip.bytes.some((byte, at) => (byte & ~mask(prefixBits, at)) !== 0)) {
    throw new Error(`The address has bits set beyond the prefix length: ${cidrHelp}.`)
  }
  return { ...ip, prefixBits }
}

/** True where the address is a member of the network. Text that is not an IP address is a member of none. */
export function cidrContains(cidr: Cidr, address: string): boolean {
  const ip = parseIp(address)
  if (!ip || ip.family !== cidr.family) return false
  return ip.bytes.every((byte, at) => (byte & mask(cidr.prefixBits, at)) === cidr.bytes[at])
}

/** Parses an address in its strict text form: no octal or short IPv4, no zone, no brackets. */
export function parseIp(text: string): Ip | undefined {
  if (text.length > ipLengthMax) return undefined
  if (!text.includes(':')) {
    const bytes = parseIpv4(text)
    return bytes && { family: 4, bytes }
  }
  const bytes = parseIpv6(text)
  if (!bytes) return undefined
  const mapped = mappedPrefix.every((byte, at) => bytes[at] === byte)
  return mapped ? { family: 4, bytes: bytes.slice(12) } : { family: 6, bytes }
}

function parseIpv4(text: string): number[] | undefined {
  const bytes = text.split('.').map((part) => decimal(part, 255) ?? -1)
  return bytes.length === 4 && !bytes.includes(-1) ? bytes : undefined
}

function parseIpv6(text: string): number[] | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [head, tail] = [groups(halves[0] ?? '', halves.length === 1), groups(halves[1] ?? '', true)]
  if (!head || !tail) return undefined
  const missing = 16 - head.length - tail.length
  if (halves.length === 1 ? missing !== 0 : missing < 2) return undefined
  return [...head, ...Array.from({ length: missing }, () => 0), ...tail]
}

function groups(text: string, last: boolean): number[] | undefined {
  if (text === '') return []
  const bytes: number[] = []
  const parts = text.split(':')
  for (const [at, part] of parts.entries()) {
    const dotted = last && at === parts.length - 1 && part.includes('.') ? parseIpv4(part) : undefined
    if (dotted) bytes.push(...dotted)
    else if (/^[0-9a-f]{1,4}$/i.test(part)) bytes.push(Number.parseInt(part, 16) >> 8, Number.parseInt(part, 16) & 0xff)
    else return undefined
  }
  return bytes
}

/** The bits of byte `at` that lie within the prefix. */
function mask(prefixBits: number, at: number): number {
  return (0xff00 >> Math.min(8, Math.max(0, prefixBits - at * 8))) & 0xff
}

function decimal(text: string, max: number): number | undefined {
  if (!/^(?:0|[1-9]\d{0,5})$/.test(text)) return undefined
  return Number(text) <= max ? Number(text) : undefined
}

function isHost(text: string): boolean {
  const labels = text.split('.')
  // A name that ends in a number is an IPv4 address or nothing (WHATWG URL, "ends in a number"): 127.1 must not resolve.
  if (/^(?:\d+|0x[0-9a-f]*)$/i.test(labels.at(-1) ?? '')) return parseIp(text)?.family === 4
  return text.length <= hostLengthMax && labels.every((label) => hostLabel.test(label))
}
