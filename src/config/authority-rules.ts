import { parseDuration, parseTarget, scopes as ownScopes } from '#core'
import { certificates } from './certificates.ts'
import { notSet, problem, redacted, showValue, type Problem } from './problem.ts'
import type { CheckedConfig } from './schema.ts'

type Authority = CheckedConfig['authority']

const minuteMs = 60_000
const connectedMaxMs = 10 * minuteMs
const airGappedMs = { min: 15 * minuteMs, max: 30 * minuteMs } as const
const delayMaxMs = minuteMs

/** Tokens of another issuer are judged by what is named here, or not at all (SPEC A3, A4). */
export function authorityIsSound({ config }: { readonly config: CheckedConfig }): readonly Problem[] {
  const { authority, env } = config
  return [
    ...originsAreSound(authority),
    ...toleranceIsSound(authority),
    ...delaysAreSound(authority),
    ...(authority.enabled ? issuerIsKnown(config) : []),
    ...(authority.enabled ? urlsAreSound(authority, env === 'production') : []),
    ...certificates('authority.caFile', authority.caFile),
  ]
}

function issuerIsKnown({ authority, env, services }: CheckedConfig): readonly Problem[] {
  const { issuer, audiences, tenant, requiredScopes } = authority
  const severity = env === 'development' ? 'warning' : 'error'
  const missing = (key: string, why: string, todo: string): Problem =>
    problem(`authority.${key}`, notSet, why, `${todo} Or set authority.enabled to false.`, severity)
  const problems: Problem[] = []
  if (issuer === undefined)
    problems.push(missing('issuer', 'Nobody knows whose tokens to accept.', 'Set it to the issuer.'))
  if (issuer === undefined && authority.jwksUri === undefined)
    problems.push(missing('jwksUri', 'Nobody knows where its keys are.', 'Set it, or authority.issuer.'))
  if (audiences.length === 0)
    problems.push(missing('audiences', 'A token that is meant for others would do.', 'Name at least one audience.'))
  if (tenant === undefined)
    problems.push(
      missing('tenant', 'Every caller belongs to a tenant; there is no default.', 'Name the tenant of its callers.'),
    )
  const known = (scope: string): boolean =>
    ownScopes.has(scope) || scope === 'jobs:read' || scope === 'jobs:trigger' || scope.includes('/')
  const registered = new Set(services.flatMap(({ name, actions }) => actions.map((action) => `${name}:${action}`)))
  const strange = requiredScopes.filter((scope) => !known(scope) && !registered.has(scope))
  for (const scope of strange) {
    const why = 'No method and no registered service has this scope; only its issuer can know it.'
    problems.push(problem('authority.requiredScopes', showValue(scope), why, 'Check its spelling.', 'warning'))
  }
  return problems
}

function urlsAreSound({ issuer, jwksUri, allowPrivate }: Authority, production: boolean): readonly Problem[] {
  return (['issuer', 'jwksUri'] as const).flatMap((key) => {
    const text = { issuer, jwksUri }[key]
    if (text === undefined) return []
    const path = `authority.${key}`
    try {
      const url = parseTarget(text, { allowPrivate, allowHttp: allowPrivate && 'own' })
      if (key === 'issuer' && url.search !== '')
        return [problem(path, redacted, 'An issuer has no query.', 'Write it as its metadata say it.')]
      if (url.protocol === 'https:' || !production) return []
      const why = 'Without TLS anybody on the way can put in keys of their own.'
      return [problem(path, redacted, why, 'Use https.', 'warning')]
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : 'The URL cannot be read.'
      const todo = 'Write an https URL of a public host, or set authority.allowPrivate for a network of your own.'
      return [problem(path, redacted, why, todo)]
    }
  })
}

function originsAreSound({ publicOrigins }: Authority): readonly Problem[] {
  return publicOrigins.flatMap((text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined
    if (url !== undefined && /^https?:$/.test(url.protocol) && url.origin === text) return []
    const todo = 'Write scheme, host and port alone, such as https://api.example.com.'
    return [problem('authority.publicOrigins', showValue(text), 'This is not an origin.', todo)]
  })
}

function toleranceIsSound({ airGapped, resilience }: Authority): readonly Problem[] {
  const path = 'authority.resilience.offlineCacheTolerance'
  const ms = parseDuration(resilience.offlineCacheTolerance)
  const shown = showValue(resilience.offlineCacheTolerance)
  if (!airGapped) {
    if (ms > 0 && ms <= connectedMaxMs) return []
    const why = 'Keys that were withdrawn would be believed for too long; connected issuers get 10 minutes at most.'
    return [problem(path, shown, why, 'Set it to 10m or less, or authority.airGapped to true.')]
  }
  if (ms > airGappedMs.max) {
    const why = 'Keys that were withdrawn would be believed for too long.'
    return [problem(path, shown, why, 'Set it to 30m or less.')]
  }
  if (ms >= airGappedMs.min) return []
  const why = 'An issuer that is reached now and then would be away for longer than this.'
  return [problem(path, shown, why, 'Set it to 15m to 30m.', 'warning')]
}

function delaysAreSound({ resilience: { retryDelays } }: Authority): readonly Problem[] {
  return retryDelays.flatMap((text) => {
    const ms = parseDuration(text)
    if (ms >= 100 && ms <= delayMaxMs) return []
    const why = 'A delay is 100ms to 1m: less is a flood, and more is no retry.'
    return [problem('authority.resilience.retryDelays', showValue(text), why, 'Write delays such as 1s, 2s, 5s.')]
  })
}
