import type { DescEnum, DescMessage } from '@bufbuild/protobuf'

/**
 * Lets a person write `completed` for `TASK_STATE_COMPLETED` in JSON, also in a message within, though not in lists of them. Returns the
 * document with such names written out. Throws where a text is no value, with those that are: the decoder names only the type.
 * Everything else, right or wrong, is left to the decoder.
 */
export function expandEnumNames(schema: DescMessage, json: unknown, depth = 0): unknown {
  const { enums, messages } = enumFields(schema)
  if (enums.length + messages.length === 0 || depth > depthMax) return json
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return json
  const document: Record<string, unknown> = { ...json }
  for (const [names, inner] of messages) {
    for (const name of names) {
      if (Object.hasOwn(document, name)) document[name] = expandEnumNames(inner, document[name], depth + 1)
    }
  }
  for (const [names, values] of enums) {
    for (const name of names) {
      const value = document[name]
      if (typeof value !== 'string' || values.names.has(value)) continue
      const written = values.byShortName.get(value.toLowerCase())
      if (written === undefined) throw new Error(`${name} must be one of ${values.choices}`)
      document[name] = written
    }
  }
  return document
}

// Far beyond any message of the contract.
const depthMax = 4

interface EnumNames {
  readonly names: ReadonlySet<string>
  readonly byShortName: ReadonlyMap<string, string>
  /** What a person may write; the first value of an enum stands for none. */
  readonly choices: string
}

type Named<Of> = readonly (readonly [readonly string[], Of])[]

interface EnumFields {
  readonly enums: Named<EnumNames>
  readonly messages: Named<DescMessage>
}

const known = new WeakMap<DescMessage, EnumFields>()

function enumFields(schema: DescMessage): EnumFields {
  const cached = known.get(schema)
  if (cached !== undefined) return cached
  const fields = {
    enums: schema.fields.flatMap((field) =>
      field.fieldKind === 'enum' ? [[[field.jsonName, field.name], namesOf(field.enum)] as const] : [],
    ),
    messages: schema.fields.flatMap((field) =>
      field.fieldKind === 'message' && holdsEnums(field.message)
        ? [[[field.jsonName, field.name], field.message] as const]
        : [],
    ),
  }
  known.set(schema, fields)
  return fields
}

function holdsEnums({ fields }: DescMessage, depth = 0): boolean {
  return fields.some(
    (field) =>
      field.fieldKind === 'enum' ||
      (field.fieldKind === 'message' && depth < depthMax && holdsEnums(field.message, depth + 1)),
  )
}

function namesOf(schema: DescEnum): EnumNames {
  const prefix = schema.sharedPrefix ?? ''
  const short = schema.values.map(({ name }) => name.slice(prefix.length))
  return {
    names: new Set(schema.values.map(({ name }) => name)),
    byShortName: new Map(schema.values.map(({ name }, at) => [short[at]?.toLowerCase() ?? '', name])),
    choices: short.slice(1).join(', '),
  }
}
