import type { SourceFile, Spot } from '../source-file.ts'
import { envEntries } from './env-files.ts'

/** A value that somebody gives to a setting or a variable. */
export interface Given {
  /** As it is known where it is given: `listen.grpc`, `GRPC_ADDR`. */
  readonly name: string
  readonly text: string
  /** Where it stands in the file; absent for what the environment of this process gives. */
  readonly spot?: Spot
}

/** The values of a variable, the one that holds first; an empty one counts as not set. */
export type Variables = (name: string) => readonly Given[]

export function environment(env: Readonly<Record<string, string | undefined>>): Variables {
  return (name) => {
    const text = env[name]
    return text === undefined || text === '' ? [] : [{ name, text }]
  }
}

/** Of an env file: the last line for a name is the one that holds. */
export function variablesOf(file: SourceFile): Variables {
  const entries = envEntries(file).map(({ name, value, spot }) => ({ name, text: value, spot }))
  const byName = Map.groupBy(entries.toReversed(), ({ name }) => name)
  return (name) => (byName.get(name) ?? []).filter(({ text }) => text !== '')
}

const envName = /(?:^|[/.])env(?:\.[\w.-]+)?$|\.envrc$/i
const yamlName = /\.ya?ml$/i

/** Whether it is an env file: by its name, else by its first line. */
export function isEnvFile({ path, text }: SourceFile): boolean {
  if (yamlName.test(path)) return false
  if (envName.test(path)) return true
  const first = text.split('\n', 200).find((line) => line.trim() !== '' && !line.trimStart().startsWith('#')) ?? ''
  return /^\s{0,100}(?:export\s{1,20})?[A-Za-z_][\w.-]{0,200}\s{0,20}=/.test(first)
}
