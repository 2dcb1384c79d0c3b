import { maskText } from '#ledger'

const countMax = 20
const lengthMax = 2000
const loopbacks: ReadonlySet<string> = new Set(['127.0.0.1', '[::1]'])
// Reverse domain names, as RFC 8252 section 7.1 asks for: nobody else's, and none that a browser runs.
const privateScheme = /^[a-z][a-z0-9-]*(?:\.[a-z0-9][a-z0-9-]*)+$/
// What RFC 3986 lets stand in a URI, but for the fragment, and `*`, which reads as a wildcard.
const allowed = /^[A-Za-z0-9\-._~:/?[\]@!$&'()+,;=%]+$/
// A slash, a backslash or a dot in disguise: what takes it apart again would see another path.
const disguised = /%(?:2f|5c|2e|00|25)/i

/**
 * What is wrong with the redirect URIs of an app (SPEC A5): each is compared as an exact string, so each must be written in the
 * one way in which every parser reads it. Undefined where nothing is wrong.
 */
export function redirectUrisProblem(uris: readonly string[]): string | undefined {
  if (uris.length > countMax) return `at most ${countMax} items, not ${uris.length}`
  for (const [at, uri] of uris.entries()) {
    const problem = redirectUriProblem(uri)
    if (problem !== undefined) return `[${at}] ${problem}`
    if (uris.indexOf(uri) !== at) return `[${at}] is there twice`
  }
  return undefined
}

function redirectUriProblem(uri: string): string | undefined {
  if (uri.length > lengthMax) return `must have at most ${lengthMax} characters, not ${uri.length}`
  if (uri.includes('*')) return 'must not hold a wildcard: register each URI, they are compared as exact strings'
  if (uri.includes('#')) return 'must not have a fragment'
  if (!allowed.test(uri)) return 'must be an absolute URI of ASCII characters, others percent-encoded'
  if (/%(?![0-9a-f]{2})/i.test(uri)) return 'has a % that begins no percent-encoding'
  const path = uri.split('?', 1)[0] ?? ''
  if (disguised.test(path)) return 'must not percent-encode slashes, backslashes, dots, NUL or % in its path'
  const url = URL.parse(uri)
  if (url === null) return 'must be an absolute URI such as https://app.example/callback'
  if (url.username !== '' || url.password !== '' || authorityOf(uri).includes('@')) return 'must not name a user'
  const scheme = url.protocol.slice(0, -1)
  if (scheme !== 'https' && scheme !== 'http') return privateUseProblem(uri, scheme)
  if (url.href !== uri) return `must be written as ${maskText(url.href)}`
  if (url.hostname.endsWith('.')) return 'must name its host without a dot at the end'
  if (scheme === 'http' && !loopbacks.has(url.hostname))
    return 'must be https; http is for programs on a person’s machine, at 127.0.0.1 or [::1]'
  return undefined
}

function privateUseProblem(uri: string, scheme: string): string | undefined {
  if (!privateScheme.test(scheme))
    return 'must be https, http at 127.0.0.1 or [::1], or a scheme that is a domain name in reverse such as com.example.app'
  // The scheme as it was written: parsers make it small.
  if (!uri.startsWith(`${scheme}:/`)) return `must be written as ${scheme}:/ and a path`
  if (
    uri
      .slice(scheme.length + 1)
      .split(/[/?]/)
      .some((part) => part === '.' || part === '..')
  )
    return 'must not have . or .. in its path'
  return undefined
}

function authorityOf(uri: string): string {
  return /^[^:]*:\/\/([^/?]*)/.exec(uri)?.[1] ?? ''
}

/** Whether it is one of a program on a person's machine (RFC 8252). */
export function isNativeUri(uri: string): boolean {
  return !uri.startsWith('https:')
}
