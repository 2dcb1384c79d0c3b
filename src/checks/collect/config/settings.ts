import type { Setting } from '#config'
import type { Collector } from '../collector.ts'
import type { ConfigContext } from './config-context.ts'
import { envEntries } from './env-files.ts'
import { isReadable, type Parsed, type Problem, type SourceFile } from '../source-file.ts'
import type { Tree } from '../tree.ts'
import type { MapValue, Value } from '../values/value.ts'
import { parseYaml } from '../values/yaml.ts'
import { problemsWithin } from './load-problems.ts'
import type { Reach } from './listen-address.ts'
import { environment, isEnvFile, variablesOf, type Given, type Variables } from './variables.ts'

/** The settings under judgement: each value with its place. */
export interface Settings {
  /** Settings of ours, variables, or the YAML of another program under its root key. */
  readonly form: 'portcullis' | 'variables' | 'foreign'
  readonly file: SourceFile
  /** Of a YAML file. */
  readonly root?: MapValue
  readonly now: Date
  readonly repo?: Tree
  /** Values for a setting of ours by its path, such as `listen.grpc`: the one that holds, then those that it hides (SPEC O1). */
  valuesOf(path: string): readonly Given[]
  /** Values of a variable, also of one that is not ours. */
  readonly variable: Variables
  /** Who can connect to a listener with this address. */
  reachOf(address: string): Reach
  /** Why the server would not start with what is said in these sections; without them, the file as a whole. */
  problemsOf(...sections: readonly string[]): readonly Problem[]
}

export const settings: Collector<'config', Parsed<Settings>> = async (context) => {
  if (!isReadable(context.file)) return context.file
  const { value: file } = context.file
  const config = await import('#config')
  const { reachOf } = await import('./listen-address.ts')
  if (isEnvFile(file)) return { file, value: { ...settingsOfVariables(context, file, config.settings), reachOf } }
  const yaml = parseYaml(file)
  if (!isReadable(yaml)) return yaml
  const { value: root } = yaml
  if (root.kind !== 'map') return { file, unreadable: { offset: root.start, why: whyNotSettings(root) } }

  const known = new Set(config.rootSection.children.keys())
  const isOurs = root.entries.some(({ key: { text } }) => known.has(text) || config.suggest(text, known) !== undefined)
  const { path, env, now } = context
  const clock = { now: () => now.getTime(), monotonic: () => 0 }
  const loaded = isOurs ? config.loadConfig({ file: path, text: file.text, env, mode: 'serve', clock }) : { ok: true }
  const problems = 'problems' in loaded ? loaded.problems : []
  const variable = environment(env)
  const value: Settings = {
    ...shared(context, file),
    form: isOurs ? 'portcullis' : 'foreign',
    root,
    variable,
    reachOf,
    valuesOf: (name) => [...namesOf(config.settings, name).flatMap(variable), ...inFile(root, name)],
    problemsOf: (...sections) => problemsWithin(problems, sections, { name: path, root, known }),
  }
  return { file, value }
}

function settingsOfVariables(
  context: ConfigContext,
  file: SourceFile,
  all: readonly Setting[],
): Omit<Settings, 'reachOf'> {
  const [above, own] = [environment(context.env), variablesOf(file)]
  const variable: Variables = (name) => [...above(name), ...own(name)]
  const known = new Set(all.map(({ env }) => env))
  const strays = envEntries(file).flatMap(({ name, spot }) =>
    name.startsWith('PORTCULLIS__') && !known.has(name)
      ? [{ spot, why: `${name}: This variable names no setting, and the server does not start with it.` }]
      : [],
  )
  return {
    ...shared(context, file),
    form: 'variables',
    variable,
    valuesOf: (path) => namesOf(all, path).flatMap(variable),
    problemsOf: () => strays,
  }
}

function shared({ now, repo }: ConfigContext, file: SourceFile): Pick<Settings, 'file' | 'now' | 'repo'> {
  return { file, now, ...(repo === undefined ? {} : { repo }) }
}

/** The variables of a setting, the stronger one first. */
function namesOf(all: readonly Setting[], path: string): readonly string[] {
  const setting = all.find((each) => each.path === path)
  if (setting === undefined) throw new Error(`There is no setting ${path}: name one of the schema.`)
  return setting.plain === undefined ? [setting.env] : [setting.env, setting.plain]
}

function inFile(root: MapValue, path: string): readonly Given[] {
  let at: Value | undefined = root
  for (const key of path.split('.')) at = at?.kind === 'map' ? at.get(key) : undefined
  return at?.kind !== 'scalar' || at.value === null ? [] : [{ name: path, text: at.text, spot: at }]
}

function whyNotSettings(root: Value): string {
  return root.kind === 'scalar' && root.value === null
    ? 'The file holds no settings: write sections such as `listen:`, or lines of KEY=value, into it.'
    : 'This is neither a settings file, a map of sections, nor an env file, lines of KEY=value.'
}
