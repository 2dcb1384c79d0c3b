import { constants } from 'node:fs'
import { lstat, open, readdir, readFile, realpath } from 'node:fs/promises'
import { basename, join, relative, resolve, sep } from 'node:path'
import ignore, { type Ignore } from 'ignore'
import { SourceFile, type Parsed } from './source-file.ts'

/** More bytes than this are not read of one file. */
export const fileBytesMax = 4 * 1024 * 1024
const filesMax = 200_000
// Never looked into: what tools bring and write.
const foreign = new Set(['.git', '.hg', '.svn', 'node_modules', '.portcullis'])

export interface FoundFile {
  /** Relative to the folder under judgement, with `/` between its parts. */
  readonly path: string
  readonly bytes: number
}

/** What is to be judged: a folder with all its files, or one file. */
export class Tree {
  readonly root: string
  /** A single file was named: what it is follows from what it says, not only from where it lies. */
  readonly single: boolean
  /** Sorted by path. Symbolic links are not followed; what .gitignore excludes is not there. */
  readonly files: readonly FoundFile[]
  readonly #read = new Map<string, Promise<Parsed<SourceFile>>>()

  private constructor(root: string, single: boolean, files: readonly FoundFile[]) {
    this.root = root
    this.single = single
    this.files = files
  }

  /** Throws what `realpath` throws where there is no such path, and {@link TreeTooLarge}. */
  static async open(path: string): Promise<Tree> {
    const root = await realpath(path)
    const stats = await lstat(root)
    if (!stats.isDirectory())
      return new Tree(parentOf(root), true, [{ path: nameInRepository(root), bytes: stats.size }])
    const files: FoundFile[] = []
    await walk(root, '', [], files)
    return new Tree(
      root,
      false,
      files.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
    )
  }

  /** Of texts by path: what a test judges. */
  static of(texts: Readonly<Record<string, string>>, single = false): Tree {
    const files = Object.entries(texts).map(([path, text]) => ({ path, bytes: Buffer.byteLength(text) }))
    const tree = new Tree(
      '/',
      single,
      files.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
    )
    for (const [path, text] of Object.entries(texts)) {
      const file = new SourceFile(path, text)
      tree.#read.set(path, Promise.resolve({ file, value: file }))
    }
    return tree
  }

  /** The files whose path matches. */
  matching(pattern: RegExp): readonly FoundFile[] {
    return this.files.filter(({ path }) => pattern.test(path))
  }

  /** The text of a file; unreadable where it is too large, binary, not UTF-8, or may not be read. */
  read({ path, bytes }: FoundFile): Promise<Parsed<SourceFile>> {
    let found = this.#read.get(path)
    if (found === undefined) {
      found = readText(this.#absolute(path), path, bytes)
      this.#read.set(path, found)
    }
    return found
  }

  async readAll(files: readonly FoundFile[]): Promise<readonly Parsed<SourceFile>[]> {
    return Promise.all(files.map((file) => this.read(file)))
  }

  #absolute(path: string): string {
    return this.single ? join(this.root, basename(path)) : join(this.root, path)
  }
}

export class TreeTooLarge extends Error {
  override readonly name = 'TreeTooLarge'
}

async function walk(root: string, folder: string, ignores: readonly Scoped[], files: FoundFile[]): Promise<void> {
  const entries = await readdir(join(root, folder), { withFileTypes: true })
  const own = entries.some(({ name }) => name === '.gitignore') ? [await gitignore(root, folder)] : []
  const scoped = [...ignores, ...own]
  const folders: string[] = []
  const found: string[] = []
  for (const entry of entries) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    if (entry.isDirectory()) {
      if (!foreign.has(entry.name) && !isIgnored(`${path}/`, scoped)) folders.push(path)
    } else if (entry.isFile() && !isIgnored(path, scoped)) found.push(path)
  }
  if (files.length + found.length > filesMax)
    throw new TreeTooLarge(`The folder holds more than ${filesMax} files: name the folder of one repository.`)
  const sizes = await Promise.all(found.map((path) => lstat(join(root, path)).then(({ size }) => size)))
  for (const [index, path] of found.entries()) files.push({ path, bytes: sizes[index] ?? 0 })
  for (const inner of folders) await walk(root, inner, scoped, files)
}

interface Scoped {
  readonly folder: string
  readonly rules: Ignore
}

async function gitignore(root: string, folder: string): Promise<Scoped> {
  const text = await readFile(join(root, folder, '.gitignore'), 'utf8').catch(() => '')
  return { folder, rules: ignore().add(text) }
}

// The rules nearest to the file have the last word.
function isIgnored(path: string, scoped: readonly Scoped[]): boolean {
  for (const { folder, rules } of scoped.toReversed()) {
    const { ignored, unignored } = rules.test(folder === '' ? path : path.slice(folder.length + 1))
    if (ignored || unignored) return ignored
  }
  return false
}

async function readText(absolute: string, path: string, bytes: number): Promise<Parsed<SourceFile>> {
  const no = (why: string): Parsed<SourceFile> => ({ file: new SourceFile(path, ''), unreadable: { offset: 0, why } })
  const tooLarge = `It is larger than ${fileBytesMax} bytes, and nothing of it was read.`
  if (bytes > fileBytesMax) return no(tooLarge)
  let content: Buffer
  try {
    const handle = await open(absolute, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      const room = Buffer.alloc(Math.min(bytes + 1024, fileBytesMax + 1))
      let length = 0
      for (;;) {
        const { bytesRead } = await handle.read(room, length, room.length - length)
        length += bytesRead
        if (bytesRead === 0 || length === room.length) break
      }
      // It grew since it was found.
      if (length === room.length) return no(tooLarge)
      content = room.subarray(0, length)
    } finally {
      await handle.close()
    }
  } catch (error) {
    return no(`It could not be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown'}.`)
  }
  if (content.includes(0)) return no('It is a binary file.')
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content)
    const file = new SourceFile(path, text)
    return { file, value: file }
  } catch {
    return no('It is not UTF-8.')
  }
}

function parentOf(path: string): string {
  return resolve(path, '..')
}

// A single file is judged under the path that it would have in its repository, as far as its own path tells.
function nameInRepository(path: string): string {
  const parts = relative(resolve('/'), path).split(sep)
  const from = parts.lastIndexOf('.github')
  return (from === -1 ? parts.slice(-1) : parts.slice(from)).join('/')
}
