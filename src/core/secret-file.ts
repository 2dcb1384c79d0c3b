import { readFile, stat } from 'node:fs/promises'
import { Secret } from './secret.ts'

const bytesMax = 64 * 1024

/** A secret in a file, read again once the file has changed, so that a token is rotated without a restart (SPEC S5). */
export class SecretFile {
  readonly #file: string
  #read: { readonly stamp: string; readonly secret: Secret } | undefined

  constructor(file: string) {
    this.#file = file
  }

  /** The text without the white space around it. Rejects where there is none; what it says holds neither path nor content. */
  async read(): Promise<Secret> {
    try {
      const { mtimeMs, ctimeMs, size, ino } = await stat(this.#file)
      const stamp = [mtimeMs, ctimeMs, size, ino].join(' ')
      if (this.#read?.stamp === stamp) return this.#read.secret
      if (size > bytesMax) throw new Error(`it is larger than ${bytesMax} bytes`)
      const text = (await readFile(this.#file, 'utf8')).trim()
      if (text === '') throw new Error('it is empty')
      this.#read = { stamp, secret: new Secret(text) }
      return this.#read.secret
    } catch (cause) {
      const known = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined
      const why = known ?? (cause instanceof Error ? cause.message : 'unknown fault')
      throw new Error(`a file with a secret cannot be used (${why}): put it back, readable for this user`, { cause })
    }
  }
}
