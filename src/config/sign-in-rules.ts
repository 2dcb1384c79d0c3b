import { parseTarget } from '#core'
import { notSet, problem, redacted, type Problem } from './problem.ts'
import type { CheckedConfig } from './schema.ts'
import { readSecretFile } from './secret-file.ts'

/** Signing people in at another issuer takes all of what it takes, or is not asked for (SPEC A9). */
export function signInIsSound({
  config: { authority, env, oauth },
  mode,
}: {
  readonly config: CheckedConfig
  readonly mode: 'up' | 'serve'
}): readonly Problem[] {
  const { issuer, clientId, clientSecretFile, allowPrivate, enabled } = authority
  if (clientId === undefined && clientSecretFile === undefined) return []
  const leaveOut = 'Or leave authority.clientId and authority.clientSecretFile out: people then sign in with passwords.'
  const missing = (key: string, why: string): Problem =>
    problem(`authority.${key}`, notSet, why, `Set it to what the issuer registered. ${leaveOut}`)
  const problems: Problem[] = []
  if (clientId === undefined) problems.push(missing('clientId', 'There is a secret, and nobody knows whose.'))
  if (clientSecretFile === undefined)
    problems.push(missing('clientSecretFile', 'People are to sign in at the issuer, and there is no secret for it.'))
  else problems.push(...readSecretFile('authority.clientSecretFile', clientSecretFile, env === 'production').problems)
  if (issuer === undefined) problems.push(missing('issuer', 'People are to sign in at an issuer, and none is named.'))
  // Where its tokens are accepted too, the rule for that has looked at it.
  else if (!enabled) problems.push(...issuerProblems(issuer, allowPrivate))
  if (mode === 'serve' && oauth.issuer === undefined) {
    const why = 'The issuer sends people back to this server, and nobody knows under which address they reach it.'
    problems.push(problem('oauth.issuer', notSet, why, `Set it to the origin of this server. ${leaveOut}`))
  }
  return problems
}

function issuerProblems(issuer: string, allowPrivate: boolean): readonly Problem[] {
  try {
    parseTarget(issuer, { allowPrivate, allowHttp: allowPrivate && 'own' })
    return []
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'The URL cannot be read.'
    const todo = 'Write an https URL of a public host, or set authority.allowPrivate for a network of your own.'
    return [problem('authority.issuer', redacted, why, todo)]
  }
}
