import { existsSync, lstatSync, readdirSync, type Dirent } from 'node:fs'
import { basename, join } from 'node:path'
import ignore, { type Ignore } from 'ignore'
import { readBytes } from './read-bytes.ts'

const filesMax = 200_000
const gitignoreBytesMax = 256 * 1024
const linesMax = 2000
const costlyMax = 20
// Never looked into: what tools bring and write.
const foreign = new Set(['.git', '.hg', '.svn', 'node_modules', '.portcullis'])

interface Found {
  /** Relative to the folder, with `/` between its parts. */
  readonly path: string
  readonly bytes: number
  /** A folder that could not be looked into, and why. */
  readonly closed?: string
}

export class TreeTooLarge extends Error {
  override readonly name = 'TreeTooLarge'
}

/** Every regular file below a folder that .gitignore does not exclude; symbolic links are not followed. */
export function walk(root: string): readonly Found[] {
  const found: Found[] = []
  // Not recursive: a hostile tree may be deeper than the stack.
  const waiting: { readonly folder: string; readonly ignores: readonly Scoped[] }[] = [{ folder: '', ignores: [] }]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { folder, ignores } = next
    const entries = entriesOf(join(root, folder))
    if (typeof entries === 'string') {
      found.push({ path: folder === '' ? '.' : folder, bytes: 0, closed: entries })
      continue
    }
    const scoped = entries.some((entry) => entry.name === '.gitignore' && entry.isFile())
      ? [...ignores, gitignore(root, folder)]
      : ignores
    for (const entry of entries) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) {
        if (!foreign.has(entry.name) && !isIgnored(`${path}/`, scoped)) waiting.push({ folder: path, ignores: scoped })
      } else if (entry.isFile() && !isIgnored(path, scoped)) found.push({ path, bytes: bytesOf(join(root, path)) })
    }
    if (found.length > filesMax)
      throw new TreeTooLarge(`The folder holds more than ${filesMax} files: name the folder of one repository.`)
  }
  return found
}

/** A folder inside of `.github` of a repository, or that itself; a repository that happens to be named so is none. */
export function isBareGithubFolder(root: string): boolean {
  if (!root.split('/').includes('.github')) return false
  if (basename(root) !== '.github') return !existsSync(join(root, '.git'))
  return !existsSync(join(root, '.git')) && !existsSync(join(root, '.github'))
}

function entriesOf(folder: string): readonly Dirent[] | string {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    return code === 'ENOENT' ? [] : `This folder could not be looked into: ${code}.`
  }
}

// One that is gone by now is told when it is read.
function bytesOf(path: string): number {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.size ?? 0
  } catch {
    return 0
  }
}

interface Scoped {
  readonly folder: string
  readonly rules: Ignore
}

function gitignore(root: string, folder: string): Scoped {
  return { folder, rules: ignore().add(cheap(linesOf(join(root, folder, '.gitignore')))) }
}

// One that cannot be read excludes nothing: more is judged then, not less.
function linesOf(path: string): readonly string[] {
  try {
    const content = readBytes(path)
    return content === undefined || content.length > gitignoreBytesMax ? [] : content.toString('utf8').split(/\r?\n/)
  } catch {
    return []
  }
}

// Each line becomes a regular expression, and several stars in one name let it run for hours on hostile paths. Nothing is excluded
// where a line that takes something back would be left out: more is judged then, not less.
function cheap(lines: readonly string[]): readonly string[] {
  if (lines.length > linesMax) return []
  let costly = 0
  const kept = lines.filter((line) => {
    const stars = Math.max(...line.split('/').map((part) => part.replaceAll(/^\*\*$/g, '').split('*').length - 1))
    if (stars > 1) costly += 1
    return line.length <= 1000 && line.split('**').length <= 3 && stars <= 2 && (stars < 2 || costly <= costlyMax)
  })
  return kept.length < lines.length && lines.some((line) => line.startsWith('!') && !kept.includes(line)) ? [] : kept
}

// The rules nearest to the file have the last word.
function isIgnored(path: string, scoped: readonly Scoped[]): boolean {
  // Once a file is in the repository .gitignore has no say, and a workflow in this folder runs.
  if (path.startsWith('.github/')) return false
  for (const { folder, rules } of scoped.toReversed()) {
    const { ignored, unignored } = rules.test(folder === '' ? path : path.slice(folder.length + 1))
    if (ignored || unignored) return ignored
  }
  return false
}
