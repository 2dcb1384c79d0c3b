import type { Service } from './composes.ts'
import { listed, type MapValue, type ScalarValue, type Value } from '../values/value.ts'

/** A port of a service that the host answers on. */
export interface PublishedPort {
  readonly node: MapValue | ScalarValue
  /** Empty for every address of the host. */
  readonly address: string
  /** Of the container: the first of a range; undefined where that is not known. */
  readonly target: number | undefined
  readonly published: number | undefined
  readonly protocol: string
  /** Variables that have no default and decide what is published. */
  readonly missing: readonly string[]
}

/** What is under `ports`, in the short and in the long syntax. Items that are neither have an undefined target. */
export function publishedPorts({ settings, compose }: Service): readonly PublishedPort[] {
  const resolve = (text: string): { text: string; missing: readonly string[] } => compose.resolve(text)
  return listed(settings.get('ports')).flatMap((item) => {
    if (item.kind === 'scalar') return item.value === null ? [] : [shortPort(item, resolve(item.text))]
    return item.kind === 'map' ? [longPort(item, resolve)] : []
  })
}

/** The machine itself, and nobody else. */
export function isLoopback(address: string): boolean {
  const plain = address.replace(/^\[|\]$/g, '').toLowerCase()
  return (
    /^127(?:\.\d{1,3}){3}$/.test(plain) ||
    /^(?:::1|(?:0{1,4}:){7}0{0,3}1)$/.test(plain) ||
    plain === 'localhost' ||
    plain.startsWith('::ffff:127.')
  )
}

function shortPort(node: ScalarValue, { text, missing }: { text: string; missing: readonly string[] }): PublishedPort {
  const [main = '', protocol = 'tcp'] = text.trim().split('/')
  // The address is in brackets, or is all in front of the last two parts.
  const [, bracketed, rest] = /^(\[[^\]]*\]):?(.*)$/.exec(main) ?? []
  const parts = (bracketed === undefined ? main : (rest ?? '')).split(':')
  const target = parts.at(-1) ?? ''
  const published = parts.length > 1 ? (parts.at(-2) ?? '') : ''
  const address = bracketed ?? parts.slice(0, -2).join(':')
  return { node, address, target: first(target), published: first(published), protocol, missing }
}

function longPort(
  node: MapValue,
  resolve: (text: string) => { text: string; missing: readonly string[] },
): PublishedPort {
  const said = (key: string): { text: string; missing: readonly string[] } => resolve(node.text(key) ?? '')
  const address = said('host_ip')
  return {
    node,
    address: address.text,
    target: first(said('target').text),
    published: first(said('published').text),
    protocol: said('protocol').text || 'tcp',
    missing: address.missing,
  }
}

function first(text: string): number | undefined {
  const [number = ''] = /^\d{1,5}/.exec(text.trim()) ?? []
  return number === '' ? undefined : Number(number)
}

/** The service shares the network of the host: each port that it listens on is one of the host's. */
export function hostNetwork({ settings, compose }: Service): Value | undefined {
  const mode = settings.scalar('network_mode')
  return mode !== undefined && compose.resolve(mode.text).text === 'host' ? mode : undefined
}
