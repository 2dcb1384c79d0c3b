import { isLoopback } from '#core'

export type DatabaseUrl =
  | { readonly ok: true; /** The server is reached without leaving this machine. */ readonly local: boolean }
  | { readonly ok: false; readonly why: string; readonly todo: string }

const allowedParameters = new Set(['application_name'])
const encode =
  'Percent-encode the special characters of user and password: @ as %40, / as %2F, # as %23, ? as %3F, % as %25.'
const form = 'Write postgres://user:password@host:port/name.'

/** Checks a connection URL as strictly as the client is lax. What it says holds no part of the URL. */
export function inspectDatabaseUrl(text: string): DatabaseUrl {
  if (!/^postgres(?:ql)?:\/\//.test(text)) return no('It does not begin with postgres:// or postgresql://.', form)
  if (/[\s\p{Cc}]/u.test(text)) return no('It holds a space, a line break or a control character.', encode)
  const url = URL.parse(text)
  if (!url) return no('It is not a URL; a special character in the password can be the cause.', encode)
  if (!decodes(text)) return no('It holds a % that begins no valid escape.', encode)
  if (url.hash !== '' || text.includes('#') || /@/.test(url.pathname + url.search)) {
    return no('A special character splits it in the wrong place.', encode)
  }
  if (url.hostname === '') return no('It names no host.', form)
  // The client lets parameters override host, user and TLS, so a parameter could undo what was checked here.
  if ([...url.searchParams.keys()].some((key) => !allowedParameters.has(key))) {
    return no(
      'It has parameters that are not accepted.',
      'Leave them out: TLS, timeouts and the pool are settings of their own.',
    )
  }
  return { ok: true, local: /^%2f/i.test(url.hostname) || isLoopback(url.hostname) }
}

function no(why: string, todo: string): DatabaseUrl {
  return { ok: false, why, todo }
}

function decodes(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}
