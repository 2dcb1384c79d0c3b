import { cidrContains, parseCidr, parseIp, type Cidr } from '../net.ts'

/** `own` networks are reached only where the settings say so; `never` is refused whatever they say. */
type Kind = 'public' | 'own' | 'never'

interface Row {
  readonly cidr: Cidr
  readonly kind: Kind
  readonly what: string
}

const row = (network: string, kind: Kind, what: string): Row => ({ cidr: parseCidr(network), kind, what })

/** The first row that holds an address decides. Sources: the IANA special-purpose registries, the manuals of the clouds. */
const rows: readonly Row[] = [
  // Where machines of a cloud ask who they are: credentials for whoever reaches it.
  row('169.254.0.0/16', 'never', 'a link-local address, where clouds keep metadata'),
  row('100.100.100.200/32', 'never', 'a metadata address'),
  row('168.63.129.16/32', 'never', 'a metadata address'),
  row('192.0.0.192/32', 'never', 'a metadata address'),
  row('fd00:ec2::/32', 'never', 'a metadata address'),
  row('fd20:ce::254/128', 'never', 'a metadata address'),
  row('0.0.0.0/8', 'never', 'an unspecified address'),
  row('224.0.0.0/4', 'never', 'a multicast address'),
  row('255.255.255.255/32', 'never', 'the broadcast address'),
  row('::/128', 'never', 'an unspecified address'),
  row('fe80::/10', 'never', 'a link-local address'),
  row('ff00::/8', 'never', 'a multicast address'),
  row('100::/64', 'never', 'a discard address'),
  row('2001::/32', 'never', 'a Teredo address'),
  row('127.0.0.0/8', 'own', 'a loopback address'),
  row('::1/128', 'own', 'a loopback address'),
  row('10.0.0.0/8', 'own', 'a private address'),
  row('172.16.0.0/12', 'own', 'a private address'),
  row('192.168.0.0/16', 'own', 'a private address'),
  row('100.64.0.0/10', 'own', 'an address behind a carrier'),
  row('192.0.0.0/24', 'own', 'a reserved address'),
  row('192.0.2.0/24', 'own', 'a reserved address'),
  row('192.88.99.0/24', 'own', 'a reserved address'),
  row('198.18.0.0/15', 'own', 'a reserved address'),
  row('198.51.100.0/24', 'own', 'a reserved address'),
  row('203.0.113.0/24', 'own', 'a reserved address'),
  row('240.0.0.0/4', 'own', 'a reserved address'),
  row('0.0.0.0/0', 'public', 'a public address'),
  row('fc00::/7', 'own', 'a unique-local address'),
  row('2001::/23', 'own', 'a reserved address'),
  row('2001:db8::/32', 'own', 'a reserved address'),
  row('3fff::/20', 'own', 'a reserved address'),
  row('2000::/3', 'public', 'a public address'),
]

/** Forms of IPv6 that lead to an IPv4 address, and where it stands in them. What it is decides. */
const carriers = [
  { cidr: parseCidr('64:ff9b::/96'), at: 12 },
  { cidr: parseCidr('2002::/16'), at: 2 },
  { cidr: parseCidr('::/96'), at: 12 },
] as const

export interface AddressPolicy {
  /** Private, loopback and other networks of one's own. */
  readonly allowPrivate: boolean
  /** What is sent there is not encrypted, and must not cross a public network. */
  readonly ownOnly?: boolean
}

/** What an address is and what to do, where nothing may be sent there. Text that is no address is refused. */
export function addressProblem(address: string, { allowPrivate, ownOnly = false }: AddressPolicy): string | undefined {
  const { kind, what } = judge(address)
  if (kind === 'never') return `${what}, which is refused always: name another host`
  if (kind === 'own') return allowPrivate ? undefined : `${what}: set allowPrivate: true if this network is your own`
  return ownOnly ? `${what}: write https, plain HTTP is for networks of your own` : undefined
}

function judge(address: string): Pick<Row, 'kind' | 'what'> {
  const found = rows.find(({ cidr }) => cidrContains(cidr, address))
  if (found !== undefined) {
    const carried = found.kind === 'public' ? carriedBy(address) : undefined
    return carried === undefined ? found : judge(carried)
  }
  const carried = carriedBy(address)
  if (carried !== undefined) return judge(carried)
  // What no registry has given out yet, local NAT64, site-local addresses of old.
  return parseIp(address) === undefined
    ? { kind: 'never', what: 'no IP address' }
    : { kind: 'own', what: 'a reserved address' }
}

function carriedBy(address: string): string | undefined {
  const carrier = carriers.find(({ cidr }) => cidrContains(cidr, address))
  return (
    carrier &&
    parseIp(address)
      ?.bytes.slice(carrier.at, carrier.at + 4)
      .join('.')
  )
}
