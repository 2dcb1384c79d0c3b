import type { DescEnum, DescMessage } from '@bufbuild/protobuf'

/**
 * Lets a person write `completed` for `TASK_STATE_COMPLETED` in JSON, also in a message within, though not in lists of them. Returns the
 * document with such names written out; everything else, right or wrong, is left to the decoder.
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
      if (typeof value === 'string' && !values.names.has(value))
        document[name] = values.byShortName.get(value.toLowerCase()) ?? value
    }
  }
  return document
}

// Far beyond any message of the contract.
const depthMax = 4

interface EnumNames {
  readonly names: ReadonlySet<string>
  readonly byShortName: ReadonlyMap<string, string>
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
  return {
    names: new Set(schema.values.map((value) => value.name)),
    byShortName: new Map(schema.values.map((value) => [value.name.slice(prefix.length).toLowerCase(), value.name])),
  }
}
