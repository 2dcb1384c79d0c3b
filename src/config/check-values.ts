import type * as z from 'zod'
import { isPlainObject, present, type GivenValue } from './given.ts'
import { notSet, notShown, problem, redacted, showName, showValue, type Problem } from './problem.ts'
import { configSchema, type CheckedConfig } from './schema.ts'
import { settingAt, type Setting } from './settings.ts'
import { suggest } from './suggest.ts'

type Values = ReadonlyMap<string, GivenValue>

export interface Checked {
  /** Complete: what was broken has its default, so that the rules can look at the rest. */
  readonly config: CheckedConfig
  readonly problems: readonly Problem[]
}

const problemsMax = 100

/** Checks each value by itself against the schema. */
export function checkValues(values: Values): Checked {
  const result = configSchema.safeParse(treeOf(values))
  if (result.success) return { config: result.data, problems: [] }
  const issues = new Map(result.error.issues.toReversed().map((issue) => [issue.path.join('.'), issue]))
  const problems = [...issues.values()].toReversed().slice(0, problemsMax)
  return {
    config: withoutBroken(values, result.error.issues),
    problems: problems.map((issue) => explain(issue, values)),
  }
}

function withoutBroken(values: Values, issues: readonly z.core.$ZodIssue[]): CheckedConfig {
  const left = new Map(values)
  for (const issue of issues) {
    const path = issue.path.join('.')
    const broken = settingAt(path)?.path ?? path
    // What is missing makes the section around it worthless.
    const worthless = left.has(broken) ? broken : broken.slice(0, broken.lastIndexOf('.'))
    for (const each of left.keys()) if (isWithin(each, worthless)) left.delete(each)
  }
  const result = configSchema.safeParse(treeOf(left))
  if (result.success) return result.data
  if (left.size < values.size) return withoutBroken(left, result.error.issues)
  throw new Error('The settings cannot be completed: a section without default is required.', { cause: result.error })
}

/** True where `path` is `outer` or lies in it. */
export function isWithin(path: string, outer: string): boolean {
  return path === outer || path.startsWith(`${outer}.`)
}

function treeOf(values: Values): Record<string, unknown> {
  const tree: Record<string, unknown> = {}
  for (const [path, { value }] of values) {
    const keys = path.split('.')
    const last = keys.pop() ?? ''
    let section = tree
    for (const key of keys) section = sectionIn(section, key)
    if (value === present) sectionIn(section, last)
    else section[last] = value
  }
  return tree
}

function sectionIn(tree: Record<string, unknown>, key: string): Record<string, unknown> {
  const there = tree[key]
  const section = isPlainObject(there) ? there : {}
  tree[key] = section
  return section
}

function explain(issue: z.core.$ZodIssue, values: Values): Problem {
  const path = issue.path.join('.')
  const setting = settingAt(path)
  const given = values.get(setting?.path ?? path)?.value
  if (!setting) return problem(path, notShown, issue.message, 'See the reference of the settings.')
  const value = valueIn(given, path.slice(setting.path.length + 1))
  // An item may be a piece of a URL that a comma in its password cut in two.
  const withheld = setting.secret || showValue(given) === redacted
  const shown = withheld && value !== undefined ? redacted : showValue(value)
  return problem(path, value === undefined ? notSet : shown, why(issue, value), todo(setting, value))
}

/** What is at a path inside of a value, such as `0.url` in a list. */
function valueIn(given: unknown, path: string): unknown {
  if (path === '') return given
  return path
    .split('.')
    .reduce<unknown>(
      (value, key) => (typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined),
      given,
    )
}

function why(issue: z.core.$ZodIssue, value: unknown): string {
  if (value === undefined) return 'It is required here.'
  if (value === null || value === '') return 'It has no value.'
  if (issue.code === 'invalid_type')
    return `This is ${typeName(value)}, and ${nouns[issue.expected] ?? 'text'} is needed.`
  if (issue.code === 'too_small') return `It must be at least ${issue.minimum}.`
  if (issue.code === 'too_big') return `It must be at most ${issue.maximum}${issue.origin === 'array' ? ' items' : ''}.`
  if (issue.code === 'invalid_value') return 'This is none of the choices.'
  if (issue.code === 'invalid_format') {
    if (issue.format === 'date') return 'This is not a date of the calendar.'
    // A form that is given without words of its own only asks for some text.
    return issue.message.startsWith('Invalid') ? 'It is blank.' : issue.message
  }
  if (issue.code === 'unrecognized_keys') return `It has no ${issue.keys.map(showName).join(', ')}.`
  if (issue.code === 'invalid_union') return 'This is none of the kinds.'
  return issue.code === 'custom' ? issue.message : 'The value is not accepted.'
}

const nouns: Readonly<Record<string, string>> = {
  int: 'a whole number',
  number: 'a whole number',
  string: 'text',
  boolean: 'true or false',
  array: 'a list',
}

function typeName(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a section'
  if (typeof value === 'number') return 'a number'
  return typeof value === 'boolean' ? 'true or false' : 'text'
}

function todo(setting: Setting, value: unknown): string {
  if (setting.type === 'choice') {
    const near = typeof value === 'string' ? suggest(value, setting.choices) : undefined
    return `Use one of: ${setting.choices.join(', ')}.${near ? ` Did you mean ${near}?` : ''}`
  }
  const range = setting.min === undefined ? '' : ` from ${setting.min} to ${setting.max}`
  const standard = setting.default === undefined ? '' : `, or leave it out for ${JSON.stringify(setting.default)}`
  return `Set ${setting.path} to ${setting.form ?? nounOf[setting.type]}${range}${standard}.`
}

const nounOf = {
  integer: 'a whole number',
  'true or false': 'true or false',
  text: 'text',
  list: 'a list',
  choice: 'one of the choices',
} as const satisfies Record<Setting['type'], string>
