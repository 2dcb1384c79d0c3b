import { Secret } from '#core'
import { problem, showValue, type Problem } from './problem.ts'
import { readTextFile } from './read-file.ts'

const secretBytesMax = 64 * 1024

export interface SecretRead {
  readonly secret?: Secret
  readonly problems: readonly Problem[]
}

/** Reads the secret that the setting at `path` names a file for; line ends after it are not part of it (SPEC S5). */
export function readSecretFile(path: string, file: string, production: boolean): SecretRead {
  const no = (why: string, todo: string): SecretRead => ({ problems: [problem(path, showValue(file), why, todo)] })
  if (file.includes('://')) {
    return no(
      'This is a URL and not the name of a file.',
      `Move it to ${path.replace(/File$/, '')}, or write it into a file.`,
    )
  }
  const read = readTextFile(file, secretBytesMax)
  if (!read.ok) return no(read.why, `Name a file that this user can read, or leave ${path} out.`)
  const text = read.text.replace(/[\r\n]+$/, '')
  if (text.trim() === '') return no('The file is empty.', `Write the secret into the file, or leave ${path} out.`)
  return { secret: new Secret(text), problems: exposure(path, file, read.mode, production) }
}

export type TokenRead =
  | { readonly ok: true; readonly secret: Secret | undefined; readonly mode: number }
  | { readonly ok: false; readonly why: string }

/** Reads a token that may be cleared: an empty file holds none. */
export function readTokenFile(file: string): TokenRead {
  const read = readTextFile(file, secretBytesMax)
  if (!read.ok) return read
  const text = read.text.replace(/[\r\n]+$/, '')
  return { ok: true, secret: text.trim() === '' ? undefined : new Secret(text), mode: read.mode }
}

/** What is wrong with who may open a file that holds a secret. */
export function exposure(path: string, file: string, mode: number, production: boolean): readonly Problem[] {
  if ((mode & 0o077) === 0) return []
  const why = `Other users of this machine may open the file (mode ${(mode & 0o777).toString(8).padStart(4, '0')}).`
  const todo = 'Run `chmod 600` on it, and give it to the user that runs the server.'
  return [problem(path, showValue(file), why, todo, production ? 'error' : 'warning')]
}
