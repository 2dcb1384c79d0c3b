import { existsSync, lstatSync, readdirSync, type Dirent, type Stats } from 'node:fs'
import { basename, join } from 'node:path'
import ignore, { type Ignore } from 'ignore'
import { trackedFiles } from './git-index.ts'
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

export interface Walked {
  readonly files: readonly Found[]
  /** Where git keeps which files it tracks, and why that could not be read although .gitignore excludes something. */
  readonly unreadIndexes: readonly { readonly path: string; readonly why: string }[]
}

/** Every regular file below a folder that .gitignore does not exclude, or that git tracks all the same; symbolic links are not followed. */
export function walk(root: string): Walked {
  const found: Found[] = []
  const unreadIndexes: { path: string; why: string }[] = []
  // The repositories in which something is excluded, by their folders.
  const excluding = new Set<string>()
  // Not recursive: a hostile tree may be deeper than the stack.
  const waiting: Waiting[] = [{ folder: '', ignores: [], repository: '' }]
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
    const repository = entries.some(({ name }) => name === '.git') ? folder : next.repository
    for (const entry of entries) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) {
        if (foreign.has(entry.name)) continue
        if (isIgnored(`${path}/`, scoped)) excluding.add(repository)
        else waiting.push({ folder: path, ignores: scoped, repository })
      } else if (entry.isFile() && entry.name !== '.git') {
        if (isIgnored(path, scoped)) excluding.add(repository)
        else found.push({ path, bytes: bytesOf(join(root, path)) })
      }
    }
    refuseFlood(found)
  }
  for (const repository of excluding) {
    const tracked = trackedFiles(join(root, repository))
    const inside = repository === '' ? '' : `${repository}/`
    if (typeof tracked === 'string') unreadIndexes.push({ path: `${inside}.git/index`, why: tracked })
    else
      addTracked(
        root,
        tracked.map((path) => inside + path),
        found,
      )
    refuseFlood(found)
  }
  return { files: found, unreadIndexes }
}

interface Waiting {
  readonly folder: string
  readonly ignores: readonly Scoped[]
  /** The nearest folder with `.git`; empty where that is the folder under judgement, or around it. */
  readonly repository: string
}

function refuseFlood({ length }: readonly Found[]): void {
  if (length > filesMax)
    throw new TreeTooLarge(`The folder holds more than ${filesMax} files: name the folder of one repository.`)
}

// Once a file is in the repository .gitignore has no say: everybody who clones it has the file.
function addTracked(root: string, tracked: readonly string[], found: Found[]): void {
  const known = new Set(found.map(({ path }) => path))
  const closed = found.flatMap((each) => (each.closed === undefined ? [] : [`${each.path}/`]))
  const folders = new Map<string, boolean>([['', true]])
  const isInside = (path: string): boolean => {
    const slash = path.lastIndexOf('/')
    const folder = path.slice(0, Math.max(0, slash))
    let is = folders.get(folder)
    if (is === undefined) {
      const stats = !foreign.has(basename(folder)) && isInside(folder) ? look(join(root, folder)) : undefined
      is = stats === 'closed' || stats?.isDirectory() === true
      folders.set(folder, is)
    }
    return is
  }
  for (const path of tracked) {
    if (known.has(path) || leadsOut.test(path) || closed.some((folder) => path.startsWith(folder))) continue
    const stats = isInside(path) ? look(join(root, path)) : undefined
    // One that cannot be looked at is told when it is read.
    if (stats === 'closed') found.push({ path, bytes: 0 })
    else if (stats?.isFile() === true) found.push({ path, bytes: stats.size })
  }
}

// An index may say anything.
const leadsOut = /(?:^|\/)\.{0,2}(?:\/|$)/

function look(path: string): Stats | 'closed' | undefined {
  try {
    return lstatSync(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code === 'ENOENT' || code === 'ENOTDIR' ? undefined : 'closed'
  }
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
