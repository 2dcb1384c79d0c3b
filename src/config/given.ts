import { resolve } from 'node:path'
import { notShown, problem, showName, type Problem } from './problem.ts'
import { rootSection, settings, type Section, type Setting } from './settings.ts'
import { suggest } from './suggest.ts'

/** A value as somebody gave it, not yet checked. */
export interface GivenValue {
  readonly value: unknown
  /** The variable it came from, or `file`, or `code` where the command line set it. */
  readonly source: string
}

/** Values by the path of their setting. An optional section that is present at all has a value of its own: {@link present}. */
export interface Given {
  readonly values: ReadonlyMap<string, GivenValue>
  readonly problems: readonly Problem[]
}

export const present = Symbol('present')

const problemsMax = 100
const variablePrefix = 'PORTCULLIS__'
const settingByEnv = new Map(settings.map((setting) => [setting.env, setting]))
const places = placesByKey()

export interface TreeOrigin {
  readonly source: 'file' | 'code'
  /** Where relative file names start. */
  readonly folder?: string | undefined
  /** The text that was parsed. */
  readonly text?: string
}

/** Takes the values out of a parsed file or an object made in code. */
export function fromTree(root: object, { source, folder, text = '' }: TreeOrigin): Given {
  // A special character in an unquoted URL ends the value early, and what follows becomes keys.
  const restOfUrls = (text.match(/:\/\/.*/g) ?? []).join('\n')
  const values = new Map<string, GivenValue>()
  const problems: Problem[] = []
  const walk = (section: Section, value: unknown): void => {
    // `listen:` with nothing below it is a section whose settings are commented out.
    if (value === undefined || (value === null && !section.optional)) return
    if (!isPlainObject(value)) {
      const todo = `Write its settings below it: ${[...section.children.keys()].join(', ')}.`
      problems.push(problem(section.path, notShown, 'This is a section and needs settings below it.', todo))
      return
    }
    if (section.optional) values.set(section.path, { value: present, source })
    for (const [key, inner] of Object.entries(value)) {
      const child = section.children.get(key)
      if (child?.kind === 'section') walk(child, inner)
      else if (child) giveSetting(child, inner)
      else if (problems.length < problemsMax) {
        problems.push(unknownKey(section, key, !restOfUrls.includes(key)))
      }
    }
  }
  const giveSetting = (setting: Setting, value: unknown): void => {
    if (value === undefined) return
    const isRelative = setting.filePath && folder && typeof value === 'string' && value !== '' && !value.includes('://')
    values.set(setting.path, { value: isRelative ? resolve(folder, value) : filesFrom(folder, value), source })
  }
  walk(rootSection, root)
  return { values, problems }
}

/** Files and folders in the items of a list start at the folder, too; they are known by their names. */
function filesFrom(folder: string | undefined, value: unknown): unknown {
  if (folder === undefined || !Array.isArray(value)) return value
  return value.map((item: unknown) => {
    if (!isPlainObject(item)) return item
    return filesIn(folder, item)
  })
}

function filesIn(folder: string, item: object): object {
  const placed = Object.entries(item).map(([key, value]: [string, unknown]) => {
    if (isPlainObject(value)) return [key, filesIn(folder, value)]
    return [key, /File$|Dir$|^dir$/.test(key) && typeof value === 'string' ? resolve(folder, value) : value]
  })
  return Object.fromEntries(placed)
}

/** Takes the plain variables, which are not ours alone: an empty one is not set. */
export function fromPlainVariables(env: Readonly<Record<string, string | undefined>>): Given {
  const values = new Map<string, GivenValue>()
  for (const setting of settings) {
    const text = setting.plain === undefined ? undefined : env[setting.plain]
    if (setting.plain && text) values.set(setting.path, { value: fromText(setting, text), source: setting.plain })
  }
  return { values, problems: [] }
}

/** Takes the variables that are ours; one that names no setting is a problem. */
export function fromVariables(env: Readonly<Record<string, string | undefined>>): Given {
  const values = new Map<string, GivenValue>()
  const problems: Problem[] = []
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith(variablePrefix) || text === undefined) continue
    const setting = settingByEnv.get(name)
    if (setting) values.set(setting.path, { value: fromText(setting, text), source: name })
    else if (problems.length < problemsMax) problems.push(unknownVariable(name))
  }
  return { values, problems }
}

/** Text that is not of the setting's type stays text: the schema says what is wrong with it. */
function fromText(setting: Setting, text: string): unknown {
  switch (setting.type) {
    case 'integer':
      return /^-?\d{1,15}$/.test(text) ? Number(text) : text
    case 'true or false':
      return { true: true, '1': true, false: false, '0': false }[text.toLowerCase()] ?? text
    case 'list':
      return text.trim() === '' ? [] : text.split(',').map((item) => item.trim())
    case 'text':
    case 'choice':
      return text
    default:
      return setting.type satisfies never
  }
}

function unknownKey(section: Section, key: string, mayShow: boolean): Problem {
  const known = [...section.children.keys()]
  const near = suggest(key, known)
  const meant = elsewhere(key) ?? (near && pathOf(section, near))
  const todo = meant ? `Did you mean ${meant}?` : `Known here: ${known.join(', ')}.`
  return problem(pathOf(section, mayShow ? showName(key) : notShown), notShown, 'There is no such setting.', todo)
}

function unknownVariable(name: string): Problem {
  const near = suggest(name, settingByEnv.keys())
  const todo = near ? `Did you mean ${near}?` : 'Unset it, or see the reference of the settings.'
  return problem(showName(name), notShown, 'This variable names no setting.', todo)
}

/** The right place of a key that is known, but not where it was written; undefined where there are several. */
function elsewhere(key: string): string | undefined {
  const found = places.get(key) ?? []
  return found.length === 1 ? found[0] : undefined
}

function placesByKey(): ReadonlyMap<string, readonly string[]> {
  return Map.groupBy(
    settings.map(({ path }) => path),
    (path) => path.slice(path.lastIndexOf('.') + 1),
  )
}

function pathOf(section: Section, key: string): string {
  return section.path === '' ? key : `${section.path}.${key}`
}

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
