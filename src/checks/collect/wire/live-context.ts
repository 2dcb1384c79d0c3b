import { networkInterfaces } from 'node:os'
import type * as core from '#core'
import type { Safety, Vantage } from '../../check.ts'
import { Connections } from './connections.ts'

/** What the live checks may reach, and as whom. */
export interface LiveContext {
  /** Origin of the HTTP listener. */
  readonly url: URL
  readonly grpc: GrpcTarget
  /** Credential that is accepted there: the positive control of what refuses others. */
  readonly key?: string
  /** Where this process stands towards the target. */
  readonly vantage: Vantage
  readonly allowed: ReadonlySet<Safety>
  /** Milliseconds until a silent target counts as away. */
  readonly timeoutMs: number
  /** All probes share them. */
  readonly connections: Connections
}

export interface GrpcTarget {
  /** `host:port` */
  readonly address: string
  readonly port: number
  readonly tls: boolean
  /** Somebody said that it is there; otherwise it is the usual port beside the HTTP listener. */
  readonly named: boolean
}

export interface LiveRequest {
  /** `http://host:port` of the HTTP listener. */
  readonly url: string
  /** `host:port` of the gRPC listener, with `https://` in front where it speaks TLS. */
  readonly grpc?: string | undefined
  readonly key?: string | undefined
  readonly vantage?: Vantage | undefined
  readonly allowed: ReadonlySet<Safety>
  readonly timeoutMs?: number | undefined
}

// Loaded when a target was named: the room takes a while to start.
type Net = Pick<typeof core, 'formatAddress' | 'isLoopback' | 'parseAddress' | 'parseIp'>

const grpcPortDefault = 50_051
const timeoutMsDefault = 3000
const connectionsMax = 8

/** Throws {@link NoTarget} where it is told no place that can be asked. Reaches out to nobody but the name service. */
export async function openLive(request: LiveRequest): Promise<LiveContext> {
  const { key, allowed, timeoutMs = timeoutMsDefault } = request
  const url = parseTarget(request.url)
  const net = await import('#core')
  return {
    url,
    grpc: request.grpc === undefined ? besides(url) : parseGrpc(request.grpc, net),
    ...(key === undefined ? {} : { key }),
    vantage: request.vantage ?? ((await isLocal(url.hostname, timeoutMs, net)) ? 'host' : 'network'),
    allowed,
    timeoutMs,
    connections: new Connections(connectionsMax),
  }
}

export class NoTarget extends Error {
  override readonly name = 'NoTarget'
  readonly todo: string

  constructor(why: string, todo: string) {
    super(why)
    this.todo = todo
  }
}

// The text is not repeated: a URL in the wrong place may hold a password.
function parseTarget(text: string): URL {
  const url = URL.parse(text)
  const todo = 'Write http:// or https://, a host and a port, such as http://127.0.0.1:8080.'
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '')
    throw new NoTarget('The target is not the URL of a server.', todo)
  if (url.username !== '' || url.password !== '')
    throw new NoTarget('The target holds a user or a password, and would leave them in reports.', todo)
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '')
    throw new NoTarget("The target holds more than a server's URL: no path, ? or # belongs there.", todo)
  return url
}

function parseGrpc(text: string, { formatAddress, parseAddress }: Net): GrpcTarget {
  const [, scheme = '', rest = ''] = /^(?:(https?|grpcs?):\/\/)?(.*?)\/?$/s.exec(text) ?? []
  try {
    const { host, port } = parseAddress(rest)
    if (port === 0) throw new Error('Port 0 is nowhere.')
    return { address: formatAddress({ host, port }), port, tls: ['https', 'grpcs'].includes(scheme), named: true }
  } catch {
    throw new NoTarget(
      'The gRPC target is no address.',
      'Write host:port, such as 127.0.0.1:50051, with https:// in front where it speaks TLS.',
    )
  }
}

function besides(url: URL): GrpcTarget {
  const port = grpcPortDefault
  return { address: `${url.hostname}:${port}`, port, tls: url.protocol === 'https:', named: false }
}

async function isLocal(hostname: string, timeoutMs: number, { isLoopback, parseIp }: Net): Promise<boolean> {
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  if (isLoopback(host)) return true
  const own = new Set(Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address)))
  if (parseIp(host) !== undefined) return own.has(host)
  const deadline = new Promise<readonly []>((resolve) => setTimeout(() => resolve([]), timeoutMs).unref())
  const { lookup } = await import('node:dns/promises')
  const resolved = await Promise.race([lookup(host, { all: true }).catch(() => []), deadline])
  return resolved.length > 0 && resolved.every(({ address }) => own.has(address) || isLoopback(address))
}
