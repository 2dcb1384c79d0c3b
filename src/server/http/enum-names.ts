import type { DescEnum, DescMessage } from '@bufbuild/protobuf'

/**
 * Lets a person write `completed` for `TASK_STATE_COMPLETED` in JSON. Returns the document with such names written out;
 * everything else, right or wrong, is left to the decoder.
 */
export function expandEnumNames(schema: DescMessage, json: unknown): unknown {
  const fields = enumFields(schema)
  if (fields.length === 0 || typeof json !== 'object' || json === null || Array.isArray(json)) return json
  const document: Record<string, unknown> = { ...json }
  for (const [names, values] of fields) {
    for (const name of names) {
      const value = document[name]
      if (typeof value === 'string' && !values.names.has(value))
        document[name] = values.byShortName.get(value.toLowerCase()) ?? value
    }
  }
  return document
}

interface EnumNames {
  readonly names: ReadonlySet<string>
  readonly byShortName: ReadonlyMap<string, string>
}

const known = new WeakMap<DescMessage, readonly (readonly [readonly string[], EnumNames])[]>()

function enumFields(schema: DescMessage): readonly (readonly [readonly string[], EnumNames])[] {
  const cached = known.get(schema)
  if (cached !== undefined) return cached
  const fields = schema.fields.flatMap((field) =>
    field.fieldKind === 'enum' ? [[[field.jsonName, field.name], namesOf(field.enum)] as const] : [],
  )
  known.set(schema, fields)
  return fields
}

function namesOf(schema: DescEnum): EnumNames {
  const prefix = schema.sharedPrefix ?? ''
  return {
    names: new Set(schema.values.map((value) => value.name)),
    byShortName: new Map(schema.values.map((value) => [value.name.slice(prefix.length).toLowerCase(), value.name])),
  }
}
