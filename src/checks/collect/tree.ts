import { lstat, realpath } from 'node:fs/promises'
import { basename, join, relative, resolve, sep } from 'node:path'
import { fileBytesMax, readBytes } from './read-bytes.ts'
import { SourceFile, type Parsed } from './source-file.ts'
import { isBareGithubFolder, walk, type Walked } from './walk.ts'

export { TreeTooLarge } from './walk.ts'

// Texts are kept for the next collector up to this many characters in all; beyond it they are read again.
const keptCharsMax = 64 * 1024 * 1024

export interface FoundFile {
  /** Relative to the folder under judgement, with `/` between its parts. */
  readonly path: string
  readonly bytes: number
  /** This is a folder that could not be looked into, and why: what may lie in it could not be read. */
  readonly closed?: string
}

/** What is to be judged: a folder with all its files, or one file. */
export class Tree {
  readonly root: string
  /** A single file was named: what it is follows from what it says, not only from where it lies. */
  readonly single: boolean
  /**
   * Sorted by path. Symbolic links are not followed; what .gitignore excludes is not there, unless git tracks it. A folder that could
   * not be looked into is there itself and reads as unreadable.
   */
  readonly files: readonly FoundFile[]
  /** Where git keeps which files it tracks, and why that could not be read: what .gitignore excludes there was not looked at. */
  readonly unreadIndexes: Walked['unreadIndexes']
  /** What the paths begin with and the disk does not: `.github/` where that folder itself was named. */
  readonly #prefix: string
  readonly #read = new Map<string, Promise<Parsed<SourceFile>>>()
  #keptChars = 0

  private constructor(root: string, { files, unreadIndexes }: Walked, single = false, prefix = '') {
    this.root = root
    this.single = single
    this.files = sorted(files)
    this.unreadIndexes = unreadIndexes
    this.#prefix = prefix
  }

  /** Throws what `realpath` throws where there is no such path, {@link NotJudgeable} and {@link TreeTooLarge}. */
  static async open(path: string): Promise<Tree> {
    const root = await realpath(path)
    const stats = await lstat(root)
    if (stats.isDirectory()) {
      const prefix = isBareGithubFolder(root) ? `${nameInRepository(root)}/` : ''
      const { files, unreadIndexes } = walk(root)
      const found = prefix === '' ? files : files.map((each) => ({ ...each, path: prefix + each.path }))
      return new Tree(root, { files: found, unreadIndexes }, false, prefix)
    }
    if (!stats.isFile()) throw new NotJudgeable('It is neither a folder nor a file.')
    const files = [{ path: nameInRepository(root), bytes: stats.size }]
    return new Tree(resolve(root, '..'), { files, unreadIndexes: [] }, true)
  }

  /** Of texts by path: what a test judges. */
  static of(texts: Readonly<Record<string, string>>, single = false): Tree {
    const found = Object.entries(texts).map(([path, text]) => ({ path, bytes: Buffer.byteLength(text) }))
    const tree = new Tree('/', { files: found, unreadIndexes: [] }, single)
    for (const [path, text] of Object.entries(texts)) {
      const file = new SourceFile(path, text)
      tree.#read.set(path, Promise.resolve({ file, value: file }))
    }
    return tree
  }

  /** The files whose path matches, and each closed folder that may hold such a file. */
  matching(pattern: RegExp): readonly FoundFile[] {
    return this.files.filter(({ path, closed }) =>
      closed === undefined ? pattern.test(path) : mayMatchBelow(pattern, path),
    )
  }

  /** The text of a file; unreadable where it is too large, binary, not UTF-8, or may not be read. */
  async read(file: FoundFile): Promise<Parsed<SourceFile>> {
    const known = this.#read.get(file.path)
    if (known !== undefined) return known
    const found = this.#readNow(file)
    this.#keptChars += 'value' in found ? found.value.text.length : 0
    if (this.#keptChars <= keptCharsMax) this.#read.set(file.path, Promise.resolve(found))
    return found
  }

  /** As `read`, for a single look: the text is not kept for others. */
  async glance(file: FoundFile): Promise<Parsed<SourceFile>> {
    return this.#read.get(file.path) ?? this.#readNow(file)
  }

  async readAll(files: readonly FoundFile[]): Promise<readonly Parsed<SourceFile>[]> {
    return Promise.all(files.map((file) => this.read(file)))
  }

  #readNow({ path, closed }: FoundFile): Parsed<SourceFile> {
    return closed === undefined ? readText(this.absolute(path), path) : unreadable(path, closed)
  }

  /** Where a file of the tree lies on the disk. */
  absolute(path: string): string {
    return this.single ? join(this.root, basename(path)) : join(this.root, path.slice(this.#prefix.length))
  }
}

export class NotJudgeable extends Error {
  override readonly name = 'NotJudgeable'
}

function sorted(files: readonly FoundFile[]): readonly FoundFile[] {
  return files.toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

function readText(absolute: string, path: string): Parsed<SourceFile> {
  let content: Buffer | undefined
  try {
    content = readBytes(absolute)
  } catch (error) {
    return unreadable(path, `It could not be read: ${(error as NodeJS.ErrnoException).code ?? 'it is no file'}.`)
  }
  if (content === undefined)
    return unreadable(path, `It is larger than ${fileBytesMax} bytes, and nothing of it was read.`)
  if (content.includes(0)) return unreadable(path, 'It is a binary file.')
  try {
    const file = new SourceFile(path, decoder.decode(content))
    return { file, value: file }
  } catch {
    return unreadable(path, 'It is not UTF-8.')
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function unreadable(path: string, why: string): Parsed<SourceFile> {
  return { file: new SourceFile(path, ''), unreadable: { offset: 0, why } }
}

// A file or a folder in .github is judged under the path that it has in its repository, as far as its own path tells.
function nameInRepository(path: string): string {
  const parts = relative(resolve('/'), path).split(sep)
  const from = parts.lastIndexOf('.github')
  return (from === -1 ? parts.slice(-1) : parts.slice(from)).join('/')
}

/** Whether a path below the folder may match; yes where the pattern does not begin with a plain path. */
export function mayMatchBelow(pattern: RegExp, folder: string): boolean {
  const prefix = literalStart(pattern.source)
  const fold = (text: string): string => (pattern.flags.includes('i') ? text.toLowerCase() : text)
  return fold(prefix).startsWith(fold(`${folder}/`)) || fold(`${folder}/`).startsWith(fold(prefix))
}

// The plain characters after `^`; none where the pattern has alternatives outside of groups.
function literalStart(source: string): string {
  if (!source.startsWith('^')) return ''
  let depth = 0
  for (const char of source.replaceAll(/\\.|\[(?:\\.|[^\]\\])*\]/g, '')) {
    if (char === '(') depth += 1
    else if (char === ')') depth -= 1
    else if (char === '|' && depth === 0) return ''
  }
  const [, plain = '', next = ''] = /^\^((?:[^\\^$.*+?()[\]{}|]|\\[^A-Za-z0-9])*)(.?)/.exec(source) ?? []
  const literal = /[*?{]/.test(next) ? plain.replace(/\\?.$/, '') : plain
  return literal.replaceAll(/\\(.)/g, '$1')
}
