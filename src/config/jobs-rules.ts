import { parseTarget } from '#core'
import { notSet, problem, showValue, type Problem } from './problem.ts'
import { readTextFile } from './read-file.ts'
import type { CheckedConfig } from './schema.ts'
import { exposure, readTokenFile } from './secret-file.ts'

const secretBytesMin = 16
const moduleBytesMax = 1024 * 1024

/** `ledgerVerification` is the kind `ledger-verification`. */
export function kindName(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** Each kind is there once, and says what runs it. */
export function jobsAreSound({ config }: { readonly config: CheckedConfig }): readonly Problem[] {
  const { custom, kinds } = config.jobs
  const builtin = Object.keys(kinds).map(kindName)
  return custom.flatMap((one, index) => {
    const path = `jobs.custom.${index}`
    const earlier = custom.slice(0, index).some(({ kind }) => kind === one.kind)
    const taken = one.kind === 'definitions' || builtin.includes(one.kind)
    return [
      ...(earlier || taken
        ? [problem(`${path}.kind`, showValue(one.kind), 'There is a kind of this name already.', 'Name it otherwise.')]
        : []),
      ...oneHandler(path, one),
      ...(one.http === undefined ? [] : httpProblems(`${path}.http`, one.http, config)),
      ...(one.moduleFile === undefined ? [] : moduleProblems(`${path}.moduleFile`, one.moduleFile)),
    ]
  })
}

type Custom = CheckedConfig['jobs']['custom'][number]

function oneHandler(path: string, { http, moduleFile }: Custom): readonly Problem[] {
  if ((http === undefined) !== (moduleFile === undefined)) return []
  const why = 'A kind is run by one of them: a callback over HTTP, or a module.'
  return [problem(path, http === undefined ? notSet : 'http and moduleFile', why, 'Give it either http or moduleFile.')]
}

function httpProblems(
  path: string,
  { url, secretFile, allowPrivate }: NonNullable<Custom['http']>,
  { env }: CheckedConfig,
): readonly Problem[] {
  const problems: Problem[] = []
  try {
    parseTarget(url, { allowPrivate, allowHttp: allowPrivate && 'own' })
  } catch (error) {
    const why = error instanceof Error ? error.message : 'It cannot be called.'
    problems.push(problem(`${path}.url`, showValue(url), why, 'Name an https URL, or set allowPrivate.'))
  }
  const read = readTokenFile(secretFile)
  const at = `${path}.secretFile`
  const todo = `Name a file with a secret of at least ${secretBytesMin} characters that this user can read.`
  if (!read.ok) return [...problems, problem(at, showValue(secretFile), read.why, todo)]
  if ((read.secret?.reveal().length ?? 0) < secretBytesMin)
    problems.push(problem(at, showValue(secretFile), 'The secret that signs the callback is too short.', todo))
  return [...problems, ...exposure(at, secretFile, read.mode, env === 'production')]
}

function moduleProblems(path: string, file: string): readonly Problem[] {
  const read = readTextFile(file, moduleBytesMax)
  return read.ok ? [] : [problem(path, showValue(file), read.why, 'Name a file of JavaScript that this user can read.')]
}
