import type { Secret } from '#core'
import { scopesAreBounded, tokenProblems } from './callers-rules.ts'
import { notSet, problem, showValue, type Problem } from './problem.ts'
import type { CheckedConfig } from './schema.ts'
import { exposure, readTokenFile } from './secret-file.ts'

interface Facts {
  readonly config: CheckedConfig
}

/** A guard per service, whose tokens can be read: an empty file is a token that was cleared, and nothing can be enforced without. */
export function serviceTokensAreSound({ config }: Facts): readonly Problem[] {
  return config.serviceTokens.flatMap((guard, index) => {
    const path = `serviceTokens.${index}`
    const files = [
      ...fileProblems(`${path}.tokenFile`, guard.tokenFile, config),
      ...fileProblems(`${path}.nextTokenFile`, guard.nextTokenFile, config),
    ]
    return [
      ...namedOnce(path, guard.name, config.serviceTokens.slice(0, index)),
      ...scopesAreBounded(`${path}.scopes`, guard.scopes, config),
      ...files,
      ...(files.length === 0 ? enforceable(path, guard) : []),
    ]
  })
}

function namedOnce(path: string, name: string, before: CheckedConfig['serviceTokens']): readonly Problem[] {
  const other = before.findIndex((one) => one.name === name)
  if (other < 0) return []
  const todo = 'Keep one; a second token for a rotation is its nextTokenFile.'
  return [problem(`${path}.name`, showValue(name), `serviceTokens.${other} guards this service.`, todo)]
}

function fileProblems(path: string, file: string | undefined, { env }: CheckedConfig): readonly Problem[] {
  if (file === undefined) return []
  const read = readTokenFile(file)
  if (!read.ok) {
    const todo = `Name a file that this user can read, empty while there is no token, or leave ${path} out.`
    return [problem(path, showValue(file), read.why, todo)]
  }
  const exposed = exposure(path, file, read.mode, env === 'production')
  return read.secret === undefined ? exposed : [...exposed, ...tokenProblems(path, read.secret)]
}

function enforceable(
  path: string,
  { mode, tokenFile, nextTokenFile }: CheckedConfig['serviceTokens'][number],
): readonly Problem[] {
  if (mode !== 'enforce') return []
  if ([tokenFile, nextTokenFile].some((file) => tokenIn(file) !== undefined)) return []
  const why = 'There is no token to enforce: until there is one, everybody is let in as with allow.'
  const todo = 'Put the token into the file of tokenFile; it is read again when it changes.'
  return [problem(`${path}.tokenFile`, tokenFile === undefined ? notSet : showValue(tokenFile), why, todo, 'warning')]
}

function tokenIn(file: string | undefined): Secret | undefined {
  const read = file === undefined ? undefined : readTokenFile(file)
  return read?.ok === true ? read.secret : undefined
}
