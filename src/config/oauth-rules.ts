import { isLoopback, parseDuration } from '#core'
import { problem, showValue, type Problem } from './problem.ts'
import type { CheckedConfig } from './schema.ts'

interface OAuthFacts {
  readonly config: CheckedConfig
  readonly mode: 'up' | 'serve'
}

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

/** The authorization server has a name that holds, and its tokens end in time (SPEC A1, A2). */
export function oauthIsSound({ config, mode }: OAuthFacts): readonly Problem[] {
  const { oauth } = config
  return [
    ...issuerProblems(config),
    ...masterKeyProblems(config, mode),
    ...within('oauth.accessTokenTtl', oauth.accessTokenTtl, minute, hour),
    ...within('oauth.codeTtl', oauth.codeTtl, second, minute),
    ...within('oauth.refresh.ttl', oauth.refresh.ttl, hour, 365 * day),
    ...within('oauth.keys.rotateAfter', oauth.keys.rotateAfter, day, 365 * day),
    ...within('oauth.keys.publishAhead', oauth.keys.publishAhead, second, 7 * day),
  ]
}

function within(path: string, text: string, minMs: number, maxMs: number): readonly Problem[] {
  const ms = parseDuration(text)
  if (ms >= minMs && ms <= maxMs) return []
  const why = `It must be from ${shown(minMs)} to ${shown(maxMs)}.`
  return [problem(path, showValue(text), why, `Set it to a duration such as ${shown(maxMs)}.`)]
}

function shown(ms: number): string {
  if (ms % day === 0) return `${ms / day}d`
  if (ms % hour === 0) return `${ms / hour}h`
  return ms % minute === 0 ? `${ms / minute}m` : `${ms / second}s`
}

function issuerProblems({ env, oauth }: CheckedConfig): readonly Problem[] {
  const { enabled, issuer } = oauth
  if (!enabled || issuer === undefined) return []
  const path = 'oauth.issuer'
  const url = URL.parse(issuer)
  if (url === null || url.origin !== issuer) {
    const why = 'It is an origin: scheme, host and port, without a path and without a slash at its end.'
    return [problem(path, showValue(issuer), why, 'Set it to an origin such as https://auth.example.com.')]
  }
  if (url.protocol !== 'https:' && (env === 'production' || !isLoopback(url.hostname.replace(/^\[|\]$/g, '')))) {
    const why = 'Codes and tokens would cross the network in the clear.'
    return [problem(path, showValue(issuer), why, 'Set it to an https origin.')]
  }
  return []
}

function masterKeyProblems({ database, oauth, secrets }: CheckedConfig, mode: OAuthFacts['mode']): readonly Problem[] {
  const { enabled, issuer } = oauth
  // An embedded PostgreSQL has a master key of its own.
  if (!enabled || issuer === undefined || mode === 'up' || database.embedded !== undefined) return []
  if (secrets.provider !== 'file' || secrets.keyFile !== undefined) return []
  const why = 'The keys of its tokens are stored under a master key, and there is none.'
  return [problem('oauth.issuer', showValue(issuer), why, 'Set secrets.keyFile, or oauth.enabled to false.')]
}
