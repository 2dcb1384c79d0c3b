import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { access, lstat, open, realpath, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { readBytes } from '../collect/read-bytes.ts'
import { isReadable, SourceFile } from '../collect/source-file.ts'
import type { Tree } from '../collect/tree.ts'
import { parseYamlDocuments } from '../collect/values/yaml.ts'
import type { Edit } from '../evidence.ts'

/** One file that is about to be written, or why it cannot be. */
export class Rewrite {
  readonly path: string
  readonly problem: string | undefined
  readonly #absolute: string
  readonly #before: Buffer
  readonly #after: Buffer

  private constructor(path: string, absolute: string, before: Buffer, after: Buffer, problem?: string) {
    this.path = path
    this.#absolute = absolute
    this.#before = before
    this.#after = after
    this.problem = problem
  }

  /** Edits must not overlap. Nothing is written yet. */
  static async prepare(tree: Tree, path: string, edits: readonly Edit[]): Promise<Rewrite> {
    const absolute = tree.absolute(path)
    const none = Buffer.alloc(0)
    const no = (why: string): Rewrite => new Rewrite(path, absolute, none, none, why)
    const found = tree.files.find((file) => file.path === path)
    const parsed = found === undefined ? undefined : await tree.read(found)
    if (parsed === undefined || !isReadable(parsed)) return no('The file cannot be read.')
    const file = parsed.value
    const text = edited(file.text, edits)
    if (text === undefined) return no('The fix reaches beyond the file.')
    if (/\.ya?ml$/i.test(path) && breaksYaml(file, text))
      return no('The file could not be read any more after the fix.')
    const rewrite = new Rewrite(path, absolute, bytes(file, file.text), bytes(file, text))
    const problem = await rewrite.#obstacle()
    return problem === undefined ? rewrite : no(problem)
  }

  /** Writes a new file beside the old one and puts it in its place; says what kept it from that. */
  async write(): Promise<string | undefined> {
    const problem = await this.#obstacle()
    if (problem !== undefined) return problem
    const folder = dirname(this.#absolute)
    const draft = join(folder, `.${basename(this.#absolute).slice(0, 100)}.${randomBytes(6).toString('hex')}.tmp`)
    try {
      const { mode, uid, gid } = await lstat(this.#absolute)
      const handle = await open(draft, 'wx', 0o600)
      try {
        await handle.writeFile(this.#after)
        if (process.getuid?.() === 0) await handle.chown(uid, gid)
        await handle.chmod(mode & 0o7777)
        await handle.sync()
      } finally {
        await handle.close()
      }
      await rename(draft, this.#absolute)
      return undefined
    } catch (error) {
      await rm(draft, { force: true })
      return `The file could not be written: ${(error as NodeJS.ErrnoException).code ?? 'unknown'}.`
    }
  }

  async #obstacle(): Promise<string | undefined> {
    try {
      const folder = dirname(this.#absolute)
      if ((await realpath(folder)) !== folder) return 'The file lies behind a symbolic link.'
      await access(this.#absolute, constants.W_OK)
      // It does not follow a symbolic link either.
      const now = readBytes(this.#absolute)
      return now?.equals(this.#before) === true
        ? undefined
        : 'The file was changed since it was judged: run it once more.'
    } catch (error) {
      const { code = 'it is no file' } = error as NodeJS.ErrnoException
      return code === 'ELOOP' ? 'The file is a symbolic link.' : `The file cannot be written: ${code}.`
    }
  }
}

function edited(text: string, edits: readonly Edit[]): string | undefined {
  let after = text
  for (const { start, end, text: put } of edits.toSorted((a, b) => b.start - a.start || b.end - a.end)) {
    if (start < 0 || end < start || end > text.length) return undefined
    after = after.slice(0, start) + put + after.slice(end)
  }
  return after
}

function breaksYaml(before: SourceFile, text: string): boolean {
  return isReadable(parseYamlDocuments(before)) && !isReadable(parseYamlDocuments(new SourceFile(before.path, text)))
}

function bytes({ byteOrderMark }: SourceFile, text: string): Buffer {
  return Buffer.from(byteOrderMark ? `\uFEFF${text}` : text, 'utf8')
}
