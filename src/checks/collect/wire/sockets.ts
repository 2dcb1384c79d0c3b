import { readFile } from 'node:fs/promises'
import { endianness } from 'node:os'
import type { Collector } from '../collector.ts'

/** A TCP socket that waits for connections in the network namespace of this process. */
export interface Listener {
  /** `127.0.0.1:8080` or `[::1]:8080` */
  readonly address: string
  readonly port: number
  readonly loopback: boolean
}

/** The listening sockets, or why the kernel could not be asked. */
export type Listeners = { readonly listeners: readonly Listener[] } | { readonly unreadable: string }

export const listeners: Collector<'live', Listeners> = async () => {
  if (process.platform !== 'linux')
    return {
      unreadable: `The sockets of ${process.platform} cannot be read: look on the machine itself, with lsof or netstat.`,
    }
  try {
    const v4 = await readFile('/proc/net/tcp', 'utf8')
    // A kernel without IPv6 has no such file.
    const v6 = await readFile('/proc/net/tcp6', 'utf8').catch(() => '')
    const order = endianness()
    const { formatAddress, isLoopback } = await import('#core')
    const sockets = [...parseSockets(v4, order), ...parseSockets(v6, order)]
    return {
      listeners: sockets.map(({ host, port }) => ({
        address: formatAddress({ host, port }),
        port,
        loopback: isLoopback(host),
      })),
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown'
    return { unreadable: `The kernel's list of sockets could not be read (${code}).` }
  }
}

interface Socket {
  /** `127.0.0.1` or `::1` */
  readonly host: string
  readonly port: number
}

const listening = '0A'

/**
 * Reads /proc/net/tcp or tcp6 (proc_pid_net(5)): the address is written word by word in the byte order of the machine, the port is not.
 */
export function parseSockets(text: string, order: 'LE' | 'BE'): readonly Socket[] {
  return text.split('\n').flatMap((line) => {
    const [, local = '', , state] = line.trim().split(/\s+/, 4)
    const [, hex, port] = /^([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})$/.exec(local) ?? []
    if (hex === undefined || port === undefined || state !== listening) return []
    return [{ host: hostOf(hex, order), port: Number.parseInt(port, 16) }]
  })
}

function hostOf(hex: string, order: 'LE' | 'BE'): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => {
    const four = (word.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16))
    return order === 'LE' ? four.toReversed() : four
  })
  if (bytes.length === 4) return bytes.join('.')
  const groups = Array.from({ length: 8 }, (_, at) => ((bytes[at * 2] ?? 0) << 8) | (bytes[at * 2 + 1] ?? 0))
  // The URL parser writes IPv6 in its one canonical form (RFC 5952).
  return new URL(`http://[${groups.map((group) => group.toString(16)).join(':')}]`).hostname.slice(1, -1)
}
