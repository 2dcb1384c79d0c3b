import { isDynamic } from '../collect/caddy/environment.ts'
import type { Directive, Site, Word } from '../collect/caddy/structure.ts'
import { isLoopback } from '../collect/containers/compose-ports.ts'

/** An address of a site, taken apart. */
export interface SiteAddress {
  readonly word: Word
  readonly host: string
  readonly port: string
  /** No TLS: it says `http://`, port 80, or a port without a host. */
  readonly plain: boolean
  /** This machine only. */
  readonly local: boolean
  /** A variable of the environment decides. */
  readonly dynamic: boolean
}

export function addressesOf({ addresses, directives }: Site): readonly SiteAddress[] {
  const tls = directives.some(({ name }) => name.text === 'tls')
  return addresses.map((word) => {
    const [, scheme = '', host = '', port = ''] =
      /^(?:([a-z]+):\/\/)?(\[[^\]]*\]|\{[^}]*\}|[^:/]*)(?::([^/]*))?/i.exec(word.text) ?? []
    const bare = host === '' && scheme !== 'https' && port !== '443' && !tls
    return {
      word,
      host: host.toLowerCase(),
      port,
      plain: scheme === 'http' || port === '80' || bare,
      local: isLoopback(host) || host.toLowerCase().endsWith('.localhost'),
      dynamic: isDynamic(word.text),
    }
  })
}

/** The condition in front of the arguments of a directive: `@name`, a path, or nothing. */
export function matcherOf({ args, name }: Directive): string | undefined {
  const [first] = args
  if (first === undefined || first.quoted || isAny(first)) return undefined
  if (first.text.startsWith('@')) return first.text
  // `redir /somewhere` says where to, `root /srv` what of.
  if (first.text.startsWith('/')) return args.length === 1 && takesPath.has(name.text) ? undefined : first.text
  return undefined
}

function isAny({ text, quoted }: Word): boolean {
  return !quoted && (text === '*' || text === '/*')
}

const takesPath = new Set(['redir', 'root', 'rewrite', 'try_files', 'uri'])

/** The arguments behind the condition. */
export function valuesOf(directive: Directive): readonly Word[] {
  const { args } = directive
  return matcherOf(directive) !== undefined || (args[0] !== undefined && isAny(args[0])) ? args.slice(1) : args
}

/** Directives that hold others, as a site does. */
export const holders = new Set(['handle', 'handle_path', 'route'])

/** The status that `respond` or `error` answers with. */
export function statusOf(directive: Directive): string | undefined {
  const values = valuesOf(directive).map(({ text }) => text)
  const [first, second] = values
  if (second !== undefined) return second
  if (first !== undefined && /^\d{3}$/.test(first)) return first
  const status = directive.block?.find(({ name }) => name.text === 'status')?.args[0]?.text
  return status ?? (directive.name.text === 'error' ? '500' : '200')
}

/** Everything that it does is send elsewhere. */
export function onlyRedirects({ directives }: Site): boolean {
  const silent = new Set(['tls', 'log', 'header', 'encode', 'bind', 'vars', 'map', 'uri', 'log_skip', 'skip_log'])
  const doing = directives.filter(({ name }) => !silent.has(name.text) && !name.text.startsWith('@'))
  return doing.length > 0 && doing.every((each) => redirects(each))
}

function redirects({ name, block, args }: Directive): boolean {
  if (name.text === 'redir') return true
  // What an authority asks for while it issues a certificate, and probes of health.
  if (args[0]?.text.startsWith('/.well-known/') === true) return true
  return holders.has(name.text) && block !== undefined && block.length > 0 && block.every((each) => redirects(each))
}
