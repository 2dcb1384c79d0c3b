import type { Collector } from '../collector.ts'
import { parseIni, type IniLine } from '../values/ini.ts'
import { isReadable, SourceFile, type Parsed, type Spot } from '../source-file.ts'
import { parseToml } from '../values/toml.ts'
import type { FoundFile, Tree } from '../tree.ts'
import type { MapValue, Value } from '../values/value.ts'
import { parseYaml } from '../values/yaml.ts'

/** Package managers that can wait until a release is old enough. */
export type WaitingManager = 'npm' | 'pnpm' | 'yarn' | 'bun' | 'uv'

/** A lock file, with what its package manager was told on the age of releases. */
export interface LockedProject {
  readonly manager: WaitingManager
  readonly lock: SourceFile
  /** The setting, where there is one in the folder of the lock file or above. */
  readonly wait?: { readonly text: string; readonly spot: Spot }
}

const lockNames: Readonly<Record<string, WaitingManager>> = {
  'package-lock.json': 'npm',
  'npm-shrinkwrap.json': 'npm',
  'pnpm-lock.yaml': 'pnpm',
  'yarn.lock': 'yarn',
  'bun.lock': 'bun',
  'bun.lockb': 'bun',
  'uv.lock': 'uv',
}

const settingNames: Readonly<Record<WaitingManager, readonly string[]>> = {
  npm: ['.npmrc'],
  pnpm: ['pnpm-workspace.yaml', '.npmrc'],
  yarn: ['.yarnrc.yml'],
  bun: ['bunfig.toml'],
  uv: ['uv.toml', 'pyproject.toml'],
}

/** Folders of samples and test data: what lies there is not what this repository installs. */
export const samples =
  /(?:^|\/)(?:fixtures?|__fixtures__|testdata|test-data|examples?|samples?|templates?|e2e|vendor|third_party)\//i

export interface LockedProjects {
  readonly projects: readonly LockedProject[]
  /** Settings that could not be read. */
  readonly unread: readonly Parsed<unknown>[]
}

/** The projects with a lock file, outside of samples and test data. */
export const lockedProjects: Collector<'repo', LockedProjects> = async (tree) => {
  const files = new Map(tree.files.map((file) => [file.path, file]))
  const settings = new Map<string, Promise<Parsed<Wait | undefined>>>()
  const projects: LockedProject[] = []
  const unread = new Set<Parsed<unknown>>()
  for (const { path } of tree.matching(
    /(?:^|\/)(?:package-lock\.json|npm-shrinkwrap\.json|pnpm-lock\.yaml|yarn\.lock|bun\.lockb?|uv\.lock)$/,
  )) {
    if (samples.test(path)) continue
    const manager = lockNames[path.split('/').at(-1) ?? '']
    if (manager === undefined) continue
    let wait: Wait | undefined
    for (const candidate of settingsNear(path, manager, files)) {
      const key = `${manager} ${candidate.path}`
      const reading = settings.get(key) ?? readWait(tree, candidate, manager)
      settings.set(key, reading)
      const parsed = await reading
      if (!isReadable(parsed)) unread.add(parsed)
      else if (parsed.value !== undefined) {
        wait = parsed.value
        break
      }
    }
    projects.push({ manager, lock: new SourceFile(path, ''), ...(wait === undefined ? {} : { wait }) })
  }
  return { projects, unread: [...unread] }
}

interface Wait {
  readonly text: string
  readonly spot: Spot
}

function settingsNear(
  path: string,
  manager: WaitingManager,
  files: ReadonlyMap<string, FoundFile>,
): readonly FoundFile[] {
  const folders = path.split('/').slice(0, -1)
  const near: FoundFile[] = []
  for (let depth = folders.length; depth >= 0; depth -= 1) {
    const folder = folders
      .slice(0, depth)
      .map((part) => `${part}/`)
      .join('')
    near.push(...settingNames[manager].flatMap((name) => files.get(`${folder}${name}`) ?? []))
  }
  return near
}

async function readWait(tree: Tree, found: FoundFile, manager: WaitingManager): Promise<Parsed<Wait | undefined>> {
  const text = await tree.read(found)
  if (!isReadable(text)) return text
  const file = text.value
  const name = found.path.split('/').at(-1) ?? ''
  if (name === '.npmrc') return { file, value: iniWait(parseIni(file), manager) }
  const parsed: Parsed<Value> = name.endsWith('.toml') ? await parseToml(file) : parseYaml(file)
  if (!isReadable(parsed)) return parsed
  const wait = parsed.value.kind === 'map' ? waitIn(parsed.value, manager, name) : undefined
  return { file, value: wait?.kind === 'scalar' ? { text: wait.text, spot: wait } : undefined }
}

function waitIn(map: MapValue, manager: WaitingManager, name: string): Value | undefined {
  if (manager === 'pnpm') return map.get('minimumReleaseAge')
  if (manager === 'yarn') return map.get('npmMinimalAgeGate')
  if (manager === 'bun') return map.map('install')?.get('minimumReleaseAge')
  const uv = name === 'pyproject.toml' ? map.map('tool')?.map('uv') : map
  return uv?.get('exclude-newer')
}

function iniWait(lines: readonly IniLine[], manager: WaitingManager): Wait | undefined {
  const wanted = manager === 'npm' ? ['min-release-age'] : ['minimum-release-age', 'minimumReleaseAge']
  const line = lines.findLast(({ key }) => wanted.includes(key))
  return line === undefined ? undefined : { text: line.value, spot: line.spot }
}
