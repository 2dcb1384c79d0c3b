import { lstatSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { readBytes } from './read-bytes.ts'

const indexBytesMax = 64 * 1024 * 1024
const nameCharsMax = 4096
// With version 4 a few bytes repeat a long name.
const allNamesCharsMax = 64 * 1024 * 1024
const fileType = 0o10
// Of files, links, repositories inside, and folders that a sparse checkout left out.
const types = new Set([fileType, 0o12, 0o16, 0o04])

/** The regular files below a folder that git tracks, relative to it; or a sentence why that cannot be told. */
export function trackedFiles(folder: string): readonly string[] | string {
  const repository = repositoryAround(folder)
  if (repository === undefined) return []
  try {
    const names = trackedIn(gitFolder(repository))
    if (names === undefined) return 'It is no index of version 2, 3 or 4.'
    const below = relative(repository, folder).split(sep).join('/')
    return names.flatMap((name) => {
      const path = Buffer.from(name, 'latin1').toString('utf8')
      if (below === '') return [path]
      return path.startsWith(`${below}/`) ? [path.slice(below.length + 1)] : []
    })
  } catch (error) {
    return `It could not be read: ${(error as NodeJS.ErrnoException).code ?? 'it is no file'}.`
  }
}

function repositoryAround(folder: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    if (lstatSync(join(at, '.git'), { throwIfNoEntry: false }) !== undefined) return at
    if (at === dirname(at)) return undefined
  }
}

// Of a second work tree and of a repository inside another one `.git` is a file that says where that folder is.
function gitFolder(repository: string): string {
  const path = join(repository, '.git')
  if (lstatSync(path).isDirectory()) return path
  const [, named] = /^gitdir: ([^\n]+)/.exec(readBytes(path)?.toString('utf8') ?? '') ?? []
  return named === undefined ? path : resolve(repository, named.trimEnd())
}

function trackedIn(folder: string): readonly string[] | undefined {
  // Without an index nothing was ever added.
  if (lstatSync(folder).isDirectory() && lstatSync(join(folder, 'index'), { throwIfNoEntry: false }) === undefined)
    return []
  const index = readIndex(join(folder, 'index'))
  if (index?.shared === undefined) return index?.names
  // What was taken out of the shared part since is among them too: more is judged then, not less.
  const shared = readIndex(join(folder, `sharedindex.${index.shared}`))
  return shared === undefined ? undefined : [...new Set([...shared.names, ...index.names])]
}

interface Index {
  /** One character for each byte. */
  readonly names: readonly string[]
  /** The rest of the entries is in the file of this name. */
  readonly shared?: string
}

function readIndex(path: string): Index | undefined {
  const content = readBytes(path, indexBytesMax)
  if (content === undefined) return undefined
  // Nothing in the file says how long the digests of the repository are; with the wrong length nothing fits.
  return new Reader(content, 20).index() ?? new Reader(content, 32).index()
}

/** Reads an index as gitformat-index(5) describes it. */
class Reader {
  readonly #content: Buffer
  readonly #digestBytes: number
  readonly #end: number
  #at = 12
  #chars = 0

  constructor(content: Buffer, digestBytes: number) {
    this.#content = content
    this.#digestBytes = digestBytes
    this.#end = content.length - digestBytes
  }

  /** Undefined where the text is none, or is cut off. */
  index(): Index | undefined {
    if (this.#end < 12 || this.#content.toString('latin1', 0, 4) !== 'DIRC') return undefined
    const version = this.#content.readUInt32BE(4)
    if (version < 2 || version > 4) return undefined
    const names: string[] = []
    let previous = ''
    for (let left = this.#content.readUInt32BE(8); left > 0; left -= 1) {
      const entry = this.#entry(version, previous)
      // Names go up, but for those that the shared part has.
      if (entry === undefined || (entry.name !== '' && entry.name < previous)) return undefined
      previous = entry.name
      if (entry.type === fileType && entry.name !== '' && entry.name !== names.at(-1)) names.push(entry.name)
    }
    const extensions = this.#extensions()
    return extensions === undefined ? undefined : { names, ...extensions }
  }

  #entry(version: number, previous: string): { readonly name: string; readonly type: number } | undefined {
    const start = this.#at
    const flagsAt = start + 40 + this.#digestBytes
    if (flagsAt + 4 > this.#end) return undefined
    const type = this.#content.readUInt32BE(start + 24) >>> 12
    const extended = (this.#content.readUInt16BE(flagsAt) & 0x4000) !== 0
    if (!types.has(type) || (extended && version < 3)) return undefined
    this.#at = flagsAt + (extended ? 4 : 2)
    const kept = version === 4 ? previous.length - this.#number() : 0
    const nul = this.#content.indexOf(0, this.#at)
    if (kept < 0 || nul === -1 || nul >= this.#end || nul - this.#at + kept > nameCharsMax) return undefined
    const name = previous.slice(0, kept) + this.#content.toString('latin1', this.#at, nul)
    this.#chars += name.length
    if (this.#chars > allNamesCharsMax) return undefined
    // Up to version 3 one to eight zeros fill the entry up.
    this.#at = version === 4 ? nul + 1 : start + ((nul - start + 8) & ~7)
    return { name, type }
  }

  // Seven bits in each byte, the highest first; each but the last one counts one more than it says.
  #number(): number {
    let value = 0
    for (let bytes = 0; bytes < 4; bytes += 1) {
      const byte = this.#content[this.#at] ?? 0
      this.#at += 1
      value = value * 128 + (byte & 127)
      if ((byte & 128) === 0) return value
      value += 1
    }
    return Number.POSITIVE_INFINITY
  }

  #extensions(): Pick<Index, 'shared'> | undefined {
    let shared: string | undefined
    while (this.#at < this.#end) {
      if (this.#at + 8 > this.#end) return undefined
      const name = this.#content.toString('latin1', this.#at, this.#at + 4)
      const from = this.#at + 8
      this.#at = from + this.#content.readUInt32BE(this.#at + 4)
      if (name === 'link') shared = this.#content.toString('hex', from, from + this.#digestBytes)
      // Whoever does not know one with a small letter must not read on.
      else if (name !== 'sdir' && !/^[A-Z]/.test(name)) return undefined
    }
    if (this.#at !== this.#end) return undefined
    return shared === undefined || /^0*$/.test(shared) ? {} : { shared }
  }
}
