import type { Collector } from '../collector.ts'
import { mapAt, mergedSettings } from './compose-merge.ts'
import { changesServicesOf, composePath, hasComposeEdge, isComposeByShape, mayBeCompose } from './compose-shape.ts'
import { envEntries } from '../config/env-files.ts'
import { interpolate, type Interpolated } from './interpolation.ts'
import { isReadable, type Parsed, type Problem, type SourceFile } from '../source-file.ts'
import type { FoundFile, Tree } from '../tree.ts'
import { listed, type MapValue, type ScalarValue, type Value } from '../values/value.ts'
import { parseYaml } from '../values/yaml.ts'

/** A compose file, with what its override file adds where both are read by default. */
export interface Compose {
  readonly file: SourceFile
  readonly root: MapValue
  readonly services: readonly Service[]
  /** What it refers to that could not be looked at. */
  readonly unseen: readonly Problem[]
  /** A text with its variables, as `.env` beside the file and the defaults give them. */
  resolve(text: string): Interpolated
}

export interface Service {
  readonly name: ScalarValue
  /** As it stands in its own file: where a fix belongs. */
  readonly node: MapValue
  /** With what `extends` and the override file bring. */
  readonly settings: MapValue
  /** It only changes a service of another file: what it does not say, that one says. */
  readonly fragment: boolean
  /** Part of it lies where nothing could be read. */
  readonly partly: boolean
  readonly compose: Compose
}

const overridePath = /^(.*?(?:docker-)?compose)\.override\.ya?ml$/i

/** The compose files of the tree: by their names, and under any name by what they say. */
export const composes: Collector<'repo', readonly Parsed<Compose>[]> = async (tree) => {
  const roots = new Map<string, MapValue>()
  const results: Parsed<Compose>[] = []
  const others: MapValue[] = []
  const alone = tree.single && tree.matching(composePath).length === 0
  for (const found of tree.matching(/\.ya?ml$/i)) {
    const named = alone || composePath.test(found.path) || found.closed !== undefined
    if (!named && found.path.startsWith('.github/')) continue
    const parsed = await tree.read(found)
    const { file } = parsed
    // Of a file under another name that cannot be read nobody knows what it is.
    if (!named && (!isReadable(parsed) || !mayBeCompose(file.text))) continue
    const yaml = isReadable(parsed) ? parseYaml(parsed.value) : parsed
    if (!isReadable(yaml)) {
      if (named || hasComposeEdge(file.text)) results.push(yaml)
    } else if (yaml.value.kind === 'map') {
      if (alone ? yaml.value.map('services') !== undefined : named || isComposeByShape(yaml.value))
        roots.set(file.path, yaml.value)
      else others.push(yaml.value)
    } else if (named && (yaml.value.kind !== 'scalar' || yaml.value.value !== null))
      results.push({ file, unreadable: { offset: yaml.value.start, why: 'A compose file is a map with `services`.' } })
  }
  for (const other of others) {
    const base = baseOf(other.file.path, roots)
    if (base !== undefined && changesServicesOf(other, base)) roots.set(other.file.path, other)
  }
  const byPath = new Map(tree.files.map((each) => [each.path, each]))
  const templates = new Set([...roots.values()].flatMap(extendedBy))
  for (const root of roots.values()) {
    const { file } = root
    // What only lends its services to others is judged where it is lent to.
    if (templates.has(file.path) && !composePath.test(file.path)) continue
    const over = overrideOf(file.path, roots)
    const project: Project = { tree, byPath, roots, env: await envBeside(tree, byPath, file.path) }
    results.push(await composeOf(file, root, over, project))
  }
  return results
}

/** Paths in a file that are relative to its folder; undefined where they leave the tree, or are not relative. */
export function pathBeside(from: string, path: string): string | undefined {
  if (/^(?:[/~\\]|[A-Za-z]:)/.test(path)) return undefined
  const parts = from.split('/').slice(0, -1)
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') parts.push(part)
    else if (parts.pop() === undefined) return undefined
  }
  return parts.join('/')
}

function extendedBy(root: MapValue): readonly string[] {
  return (root.map('services')?.entries ?? []).flatMap(({ value }) => {
    const from = value.kind === 'map' ? value.map('extends')?.text('file') : undefined
    return (from === undefined ? undefined : pathBeside(root.file.path, from)) ?? []
  })
}

interface Project {
  readonly tree: Tree
  readonly byPath: ReadonlyMap<string, FoundFile>
  readonly roots: ReadonlyMap<string, MapValue>
  readonly env: ReadonlyMap<string, string>
}

async function composeOf(
  file: SourceFile,
  root: MapValue,
  over: MapValue | undefined,
  project: Project,
): Promise<Parsed<Compose>> {
  const problems: Problem[] = []
  const unseen: Problem[] = []
  const services: Service[] = []
  const compose: Compose = {
    file,
    root,
    services,
    unseen,
    resolve: (text) => interpolate(text, project.env),
  }
  const entries = root.get('services')
  if (entries !== undefined && entries.kind !== 'map' && !isNull(entries))
    problems.push({ spot: entries, why: '`services` is a map from names to services.' })
  const own = entries?.kind === 'map' ? entries : undefined
  const base = baseOf(file.path, project.roots)
  const layered = own !== undefined && base !== undefined && own.entries.some(({ value }) => isFragment(value))
  for (const include of listed(root.get('include'))) unseenInclude(include, file, project, unseen)
  for (const { key, value } of own?.entries ?? []) {
    const below = mapAt(base?.map('services'), key.text)
    // It is judged as part of the service that it is merged into.
    if (below !== undefined && overridePath.test(file.path)) continue
    if (value.kind !== 'map') {
      problems.push({ spot: key, why: `The service "${key.text}" is not a map.` })
      continue
    }
    const unseenBefore = unseen.length
    const extended = await withExtended(value, root, file, project, unseen, 0)
    const changes = mapAt(over?.map('services'), key.text)
    const settings = changes === undefined ? extended : mergedSettings(extended, changes)
    services.push({
      name: key,
      node: value,
      settings,
      fragment: isFragment(settings) || (layered && below !== undefined),
      partly: unseen.length > unseenBefore,
      compose,
    })
  }
  return { file, value: compose, problems }
}

function isFragment(service: Value): boolean {
  return service.kind === 'map' && service.get('image') === undefined && service.get('build') === undefined
}

// A file that lies over the default one of its folder, as `docker-compose.prod.yml` does.
function baseOf(path: string, roots: ReadonlyMap<string, MapValue>): MapValue | undefined {
  const folder = path.slice(0, path.lastIndexOf('/') + 1)
  const names = ['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml']
  if (names.some((name) => path === folder + name)) return undefined
  for (const name of names) {
    const root = roots.get(folder + name)
    if (root !== undefined) return root
  }
  return undefined
}

async function withExtended(
  service: MapValue,
  root: MapValue,
  file: SourceFile,
  project: Project,
  unseen: Problem[],
  depth: number,
): Promise<MapValue> {
  const from = service.get('extends')
  if (from === undefined || isNull(from)) return service
  const name = from.kind === 'scalar' ? from.text : from.kind === 'map' ? from.text('service') : undefined
  const other = from.kind === 'map' ? from.text('file') : undefined
  const home = other === undefined ? { root, file } : await rootAt(pathBeside(file.path, other), project)
  const base = name === undefined ? undefined : mapAt(home?.root.map('services'), name)
  if (home === undefined || base === undefined || depth > 16) {
    unseen.push({ spot: from, why: 'The service that this one extends could not be looked at.' })
    return service
  }
  return mergedSettings(await withExtended(base, home.root, home.file, project, unseen, depth + 1), service)
}

async function rootAt(
  path: string | undefined,
  { tree, byPath, roots }: Project,
): Promise<{ root: MapValue; file: SourceFile } | undefined> {
  const found = path === undefined ? undefined : byPath.get(path)
  if (found === undefined) return undefined
  const known = roots.get(found.path)
  if (known !== undefined) return { root: known, file: known.file }
  const text = await tree.read(found)
  const yaml = isReadable(text) ? parseYaml(text.value) : text
  return isReadable(yaml) && yaml.value.kind === 'map' ? { root: yaml.value, file: yaml.file } : undefined
}

// An included file with the name of a compose file is judged by itself.
function unseenInclude(include: Value, file: SourceFile, { roots }: Project, unseen: Problem[]): void {
  const paths = include.kind === 'map' ? listed(include.get('path')) : [include]
  for (const path of paths) {
    if (path.kind !== 'scalar') continue
    const beside = pathBeside(file.path, path.text)
    if (beside === undefined || !roots.has(beside))
      unseen.push({
        spot: path,
        why: 'What this includes could not be looked at: it is not here, or no compose file.',
      })
  }
}

function overrideOf(path: string, roots: ReadonlyMap<string, MapValue>): MapValue | undefined {
  const [, stem] = /^(.*?(?:docker-)?compose)\.ya?ml$/i.exec(path) ?? []
  if (stem === undefined) return undefined
  for (const [other, root] of roots) if (overridePath.exec(other)?.[1] === stem) return root
  return undefined
}

async function envBeside(
  tree: Tree,
  byPath: ReadonlyMap<string, FoundFile>,
  path: string,
): Promise<ReadonlyMap<string, string>> {
  const found = byPath.get(pathBeside(path, '.env') ?? '')
  const text = found === undefined ? undefined : await tree.read(found)
  if (text === undefined || !isReadable(text)) return new Map()
  return new Map(envEntries(text.value).map(({ name, value }) => [name, value]))
}

function isNull(value: Value): boolean {
  return value.kind === 'scalar' && value.value === null
}
