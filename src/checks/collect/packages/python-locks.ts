import type { Collector } from '../collector.ts'
import { parseJson } from '../values/json5.ts'
import { samples } from './manifests.ts'
import { isReadable, type Parsed, type SourceFile, type Spot } from '../source-file.ts'
import { parseToml } from '../values/toml.ts'
import { listed, type MapValue, type Value } from '../values/value.ts'

/** The lock file of uv, Poetry, PDM or Pipenv, or a pylock.toml. */
export interface PythonLock {
  readonly file: SourceFile
  readonly entries: readonly LockEntry[]
}

export interface LockEntry {
  readonly name: string
  /** Fetched by name from an index; what comes from a folder or a repository has no hash. */
  readonly indexed: boolean
  /** Files that may be installed for it, and how many of them have a hash. */
  readonly files: number
  readonly hashed: number
  readonly spot: Spot
}

const names = /(?:^|\/)(?:uv\.lock|poetry\.lock|pdm\.lock|Pipfile\.lock|pylock(?:\.[^/]+)?\.toml)$/

export const pythonLocks: Collector<'repo', readonly Parsed<PythonLock>[]> = async (tree) => {
  const texts = await tree.readAll(tree.matching(names).filter(({ path }) => !samples.test(path)))
  return Promise.all(texts.map((text) => (isReadable(text) ? lockOf(text.value) : Promise.resolve(text))))
}

async function lockOf(file: SourceFile): Promise<Parsed<PythonLock>> {
  if (file.path.endsWith('Pipfile.lock')) {
    const parsed = await parseJson(file)
    return isReadable(parsed) ? { file, value: { file, entries: pipfileEntries(parsed.value) } } : parsed
  }
  const parsed = await parseToml(file)
  if (!isReadable(parsed)) return parsed
  const root = parsed.value
  // Older files of Poetry have the hashes of all packages in a table at the end.
  const legacy = root.map('metadata')?.map('files')
  const packages = [...listed(root.get('package')), ...listed(root.get('packages'))]
  const entries = packages.flatMap((each) => (each.kind === 'map' ? [entryOf(each, legacy)] : []))
  return { file, value: { file, entries } }
}

function entryOf(map: MapValue, legacy: MapValue | undefined): LockEntry {
  const name = map.text('name') ?? ''
  const source = map.map('source')
  const own = ['files', 'wheels', 'sdist', 'archive'].flatMap((key) => listed(map.get(key)))
  const files = own.length > 0 || legacy === undefined ? own : listed(legacy.get(name))
  const hashed = files.filter((each) => each.kind === 'map' && hasHash(each)).length
  const spot = map.scalar('name') ?? map
  return { name, indexed: isIndexed(map, source), files: files.length, hashed, spot }
}

function hasHash(file: MapValue): boolean {
  return file.get('hash') !== undefined || (file.map('hashes')?.entries.length ?? 0) > 0
}

function isIndexed(map: MapValue, source: MapValue | undefined): boolean {
  if (map.get('vcs') !== undefined || map.get('directory') !== undefined || map.get('git') !== undefined) return false
  if (map.get('path') !== undefined) return false
  if (source === undefined) return true
  const kind = source.text('type')
  if (kind !== undefined) return !/^(?:git|directory|file|url)$/.test(kind)
  return !['git', 'path', 'editable', 'directory', 'virtual'].some((name) => source.get(name) !== undefined)
}

function pipfileEntries(root: Value): readonly LockEntry[] {
  if (root.kind !== 'map') return []
  return ['default', 'develop'].flatMap((group) =>
    (root.map(group)?.entries ?? []).flatMap(({ key, value }) => {
      if (value.kind !== 'map') return []
      const indexed = value.get('version') !== undefined
      const files = listed(value.get('hashes')).length
      return [{ name: key.text, indexed, files, hashed: files, spot: key }]
    }),
  )
}

/** The paths of lock files of Python projects; nothing of them is read. */
export const pythonLockPaths: Collector<'repo', ReadonlySet<string>> = async (tree) => {
  const found = tree.matching(/(?:^|\/)(?:uv\.lock|poetry\.lock|pdm\.lock|Pipfile\.lock)$/)
  return Promise.resolve(new Set(found.map(({ path }) => path)))
}
