import { isLoopback, scopes as ownScopes, type Secret } from '#core'
import { problem, redacted, showValue, type Problem } from './problem.ts'
import type { CheckedConfig } from './schema.ts'

interface CallerFacts {
  readonly config: CheckedConfig
  readonly legacyToken: Secret | undefined
  readonly redisUrl: Secret | undefined
  readonly today: string
}

const lengthSound = 16
// Who has no credential of its own never gets these.
const neverShared = /^(?:identity:.*|policy:.*|kill:release|tenants:.*)$/

/** The legacy token is off, or complete, bounded and, in production, on somebody's word (SPEC G8). */
export function legacyIsSound({ config, legacyToken, today }: CallerFacts): readonly Problem[] {
  const { enabled, tenant, scopes, tokenFile, token, waiver } = config.legacyToken
  if (!enabled) return []
  const problems: Problem[] = []
  if (token && tokenFile) {
    const why = 'Only one of them can be the token.'
    problems.push(
      problem('legacyToken', 'legacyToken.token and legacyToken.tokenFile', why, 'Keep one and remove the other.'),
    )
  }
  if (!token && !tokenFile) {
    const todo = 'Set legacyToken.tokenFile to the file that holds it, or legacyToken.enabled to false.'
    problems.push(
      problem('legacyToken.tokenFile', showValue(undefined), 'The legacy token is enabled, and there is none.', todo),
    )
  }
  if (tenant === undefined) {
    const todo = 'Set legacyToken.tenant to the name of the tenant that its callers belong to.'
    problems.push(
      problem('legacyToken.tenant', showValue(tenant), 'Every caller belongs to a tenant; there is no default.', todo),
    )
  }
  problems.push(...scopesAreBounded('legacyToken.scopes', scopes, config))
  if (legacyToken) problems.push(...tokenProblems('legacyToken.token', legacyToken))
  if (config.env === 'production') problems.push(...waiverProblems(waiver, today))
  return problems
}

/** What callers may do who share a token or have no credential: nothing that makes callers, policies or tenants (SPEC G8, G9, G12, G13). */
export function scopesAreBounded(path: string, scopes: readonly string[], config: CheckedConfig): readonly Problem[] {
  return scopes.flatMap((scope) => scopeProblem(path, scope, config))
}

function scopeProblem(path: string, scope: string, { services }: CheckedConfig): readonly Problem[] {
  if (neverShared.test(scope)) {
    const why = 'Callers that nobody can tell apart never get this scope.'
    return [problem(path, showValue(scope), why, 'Remove it, and make a key for the caller that needs it.')]
  }
  const known =
    ownScopes.has(scope) || services.some(({ name, actions }) => actions.some((each) => `${name}:${each}` === scope))
  if (known) return []
  const todo = `Use some of: ${[...ownScopes.keys()].filter((each) => !neverShared.test(each)).join(', ')}.`
  return [problem(path, showValue(scope), 'There is no such scope.', todo)]
}

/** What is wrong with a token that travels in a header. */
export function tokenProblems(path: string, token: Secret): readonly Problem[] {
  const text = token.reveal()
  if (!/^[\x21-\x7e]+$/.test(text)) {
    const why =
      'The token holds characters that a header cannot carry: blanks, control characters or others than ASCII.'
    return [problem(path, redacted, why, 'Make a new token, such as with `openssl rand -hex 32`.')]
  }
  if (text.startsWith('pc_')) {
    const why = 'The token begins like an API key of Portcullis and could be taken for one.'
    return [problem(path, redacted, why, 'Make a new token, such as with `openssl rand -hex 32`.')]
  }
  if (text.length >= lengthSound) return []
  const why = `The token has fewer than ${lengthSound} characters: it can be guessed.`
  return [problem(path, redacted, why, 'Make a longer one, such as with `openssl rand -hex 32`.', 'warning')]
}

function waiverProblems(waiver: CheckedConfig['legacyToken']['waiver'], today: string): readonly Problem[] {
  if (!waiver) {
    const why = 'Nobody can tell who used a token that many share, and production needs a waiver for that.'
    const todo = 'Set it to false, or fill in legacyToken.waiver: reason, owner and expires.'
    return [problem('legacyToken.enabled', 'true', why, todo)]
  }
  if (waiver.expires >= today) return []
  const todo = 'Set legacyToken.enabled to false, or renew the waiver.'
  return [problem('legacyToken.waiver.expires', showValue(waiver.expires), 'The waiver has expired.', todo)]
}

/** A shared store has a place, one, and what is sent there is not to be read on the way. */
export function redisIsSound({ config, redisUrl }: CallerFacts): readonly Problem[] {
  const { redis } = config.replicas
  if (!redis) {
    if (config.limits.rate.store !== 'redis') return []
    const todo = 'Set replicas.redis.url or replicas.redis.urlFile, or limits.rate.store to memory.'
    return [problem('limits.rate.store', showValue('redis'), 'There is no Redis to keep the buckets in.', todo)]
  }
  if (!redis.url === !redis.urlFile) {
    const todo = 'Set one of replicas.redis.url and replicas.redis.urlFile.'
    return [problem('replicas.redis', redacted, 'Exactly one of url and urlFile says where it is.', todo)]
  }
  return redisUrl === undefined ? [] : urlProblems(redisUrl, config.env === 'production')
}

function urlProblems(secret: Secret, production: boolean): readonly Problem[] {
  const text = secret.reveal()
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^rediss?:$/.test(url.protocol) || url.hostname === '') {
    return [
      problem(
        'replicas.redis.url',
        redacted,
        'This is no URL of a Redis.',
        'Write redis://host:port or rediss://user:password@host:port.',
      ),
    ]
  }
  if (url.protocol === 'rediss:' || isLoopback(url.hostname)) return []
  const why = 'The Redis is on another machine: its password and who calls would cross the network in the clear.'
  return [problem('replicas.redis.url', redacted, why, 'Use rediss://.', production ? 'error' : 'warning')]
}
