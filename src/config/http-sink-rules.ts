import { parseTarget } from '#core'
import { certificates } from './certificates.ts'
import { notSet, problem, redacted, showValue, type Problem } from './problem.ts'
import type { CheckedConfig } from './schema.ts'
import { readSecretFile } from './secret-file.ts'

type Setting = CheckedConfig['audit']['sinks'][number]
type HttpSetting = Extract<Setting, { readonly allowPrivate: boolean }>

/** Files of secrets that are looked at here; `tokenFile` is with the other kinds. */
const secretKeys = new Set([
  'headersFile',
  'externalIdFile',
  'accessKeyIdFile',
  'secretAccessKeyFile',
  'sessionTokenFile',
])

/** A sink over HTTP goes where it may, with files that can be read and settings that fit each other (SPEC L9, O11). */
export function httpSinkIsSound(path: string, sink: Setting, production: boolean): readonly Problem[] {
  if (!('allowPrivate' in sink)) return []
  return [
    ...urlIsSound(path, sink),
    ...certificates(`${path}.caFile`, sink.caFile),
    ...Object.entries(sink).flatMap(([key, file]) =>
      secretKeys.has(key) && typeof file === 'string' ? secretIsSound(`${path}.${key}`, file, production) : [],
    ),
    ...(sink.kind === 's3' || sink.kind === 'cloudtrail' ? keyIsWhole(path, sink) : []),
    ...(sink.kind === 's3' ? lockIsWhole(path, sink) : []),
  ]
}

function urlIsSound(path: string, sink: HttpSetting): readonly Problem[] {
  const { allowPrivate } = sink
  const [key, url] = 'url' in sink ? (['url', sink.url] as const) : (['endpoint', sink.endpoint] as const)
  if (url === undefined) return []
  try {
    parseTarget(url, { allowPrivate, allowHttp: allowPrivate && 'own' })
    return []
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'The URL cannot be read.'
    const todo = 'Write an https URL of a public host, or set allowPrivate: true for a network of your own.'
    return [problem(`${path}.${key}`, redacted, why, todo)]
  }
}

function secretIsSound(path: string, file: string, production: boolean): readonly Problem[] {
  const { secret, problems } = readSecretFile(path, file, production)
  const text = secret?.reveal() ?? ''
  if (secret !== undefined && path.endsWith('.headersFile')) {
    const bad = text
      .split('\n')
      .findIndex((line) => line.trim() !== '' && !/^[\w!#$%&'*+.^`|~-]+[ \t]*:[\t\x20-\x7e\x80-\xff]*\r?$/.test(line))
    const todo = 'Write one `name: value` in each line.'
    if (bad >= 0) return [...problems, problem(path, showValue(file), `Line ${bad + 1} is no header.`, todo)]
  }
  if (secret !== undefined && path.endsWith('.externalIdFile') && !/^[\w+=,.@:/-]{2,1224}$/.test(text)) {
    const why = 'An external ID is 2 to 1224 letters, digits and _+=,.@:/-.'
    return [
      ...problems,
      problem(path, showValue(file), why, 'Write the one of the policy of the channel into the file.'),
    ]
  }
  return problems
}

function keyIsWhole(
  path: string,
  sink: Extract<HttpSetting, { readonly kind: 's3' | 'cloudtrail' }>,
): readonly Problem[] {
  const { accessKeyIdFile: id, secretAccessKeyFile: secret, sessionTokenFile: token } = sink
  const [missing] = [
    ...(id === undefined && (secret ?? token) !== undefined ? ['accessKeyIdFile'] : []),
    ...(secret === undefined && (id ?? token) !== undefined ? ['secretAccessKeyFile'] : []),
  ]
  if (missing === undefined) return []
  const todo = 'Name both files, or none: then variables, the profile or the role of this machine give a key.'
  return [problem(`${path}.${missing}`, notSet, 'A key is accessKeyIdFile and secretAccessKeyFile.', todo)]
}

function lockIsWhole(
  path: string,
  { lockMode, retainDays }: Extract<HttpSetting, { readonly kind: 's3' }>,
): readonly Problem[] {
  if ((lockMode === undefined) === (retainDays === undefined)) return []
  const missing = lockMode === undefined ? 'lockMode' : 'retainDays'
  const why = 'Object Lock is lockMode and retainDays.'
  return [problem(`${path}.${missing}`, notSet, why, 'Set both, or remove the other one.')]
}
