import * as z from 'zod'
import type { FieldMeta } from './fields.ts'
import { configSchema } from './schema.ts'

/** One setting, as the reference page, the variables and the problems need it. */
export interface Setting extends FieldMeta {
  readonly kind: 'setting'
  readonly path: string
  readonly env: string
  readonly type: 'integer' | 'true or false' | 'text' | 'list' | 'choice'
  readonly choices: readonly string[]
  readonly min?: number
  readonly max?: number
  readonly default?: unknown
}

export interface Section {
  readonly kind: 'section'
  readonly path: string
  readonly description: string
  /** Its absence means something, so an empty one is not the same as none. */
  readonly optional: boolean
  readonly children: ReadonlyMap<string, Setting | Section>
}

// The schema is walked in its JSON Schema form, which is public and stable, not through the library's internals.
interface Node extends Partial<FieldMeta> {
  readonly type?: string
  readonly properties?: Readonly<Record<string, Node>>
  readonly enum?: readonly string[]
  readonly default?: unknown
  readonly minimum?: number
  readonly maximum?: number
}

const types: ReadonlyMap<string, Setting['type']> = new Map([
  ['integer', 'integer'],
  ['boolean', 'true or false'],
  ['array', 'list'],
  ['string', 'text'],
])

export const rootSection: Section = sectionOf(jsonSchema(), [])

/** Every setting in the order of the schema. */
export const settings: readonly Setting[] = settingsUnder(rootSection)

const byPath = new Map(settings.map((setting) => [setting.path, setting]))

/** The setting at a path; for an item of a list or what is in it, the list. */
export function settingAt(path: string): Setting | undefined {
  return byPath.get(path) ?? byPath.get(path.replace(/\.\d+(\..*)?$/, ''))
}

/** `limits.grpc.recvBytes` is set by `PORTCULLIS__LIMITS__GRPC__RECV_BYTES`. */
export function envName(keys: readonly string[]): string {
  const words = keys.map((key) => key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase())
  return ['PORTCULLIS', ...words].join('__')
}

function jsonSchema(): Node {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our own schema, made of the kinds of fields.ts; typeOf refuses others
  return z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as Node
}

function settingsUnder(section: Section): readonly Setting[] {
  return [...section.children.values()].flatMap((child) => (child.kind === 'setting' ? [child] : settingsUnder(child)))
}

function sectionOf(node: Node, keys: readonly string[]): Section {
  const children = Object.entries(node.properties ?? {}).map(
    ([key, child]) =>
      [key, child.type === 'object' ? sectionOf(child, [...keys, key]) : settingOf(child, [...keys, key])] as const,
  )
  return {
    kind: 'section',
    path: keys.join('.'),
    description: node.description ?? '',
    optional: node.default === undefined,
    children: new Map(children),
  }
}

function settingOf(node: Node, keys: readonly string[]): Setting {
  const { description, plain, defaultText, form, secret, filePath, reload } = node
  if (!description) throw new Error(`The setting ${keys.join('.')} has no description: give it one in the schema.`)
  return {
    kind: 'setting',
    path: keys.join('.'),
    env: envName(keys),
    type: typeOf(node),
    choices: node.enum ?? [],
    description,
    ...(node.default !== undefined && { default: node.default }),
    ...(node.minimum !== undefined && { min: node.minimum }),
    ...(node.maximum !== undefined && { max: node.maximum }),
    ...(plain && { plain }),
    ...(defaultText && { defaultText }),
    ...(form && { form }),
    ...(secret && { secret }),
    ...(filePath && { filePath }),
    ...(reload && { reload }),
  }
}

function typeOf(node: Node): Setting['type'] {
  if (node.enum) return 'choice'
  const type = types.get(node.type ?? '')
  if (!type) throw new Error(`A setting of type ${node.type} has no form in the environment: teach it to settings.ts.`)
  return type
}
