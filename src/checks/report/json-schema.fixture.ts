/** A JSON schema, as far as the schema of SARIF 2.1.0 goes (draft 4). */
export type Schema = Readonly<Record<string, unknown>>

/** What is wrong in a document, as `/path: why`; nothing where it conforms. A keyword that is not known here is a fault of the test. */
export function problemsAgainst(schema: Schema, document: unknown): readonly string[] {
  return [...check(schema, document, '', schema)]
}

const ignored = new Set(['$schema', 'id', 'title', 'description', 'default', 'definitions', 'format'])

function* check(schema: Schema, value: unknown, at: string, root: Schema): Generator<string> {
  for (const keyword of Object.keys(schema))
    if (!ignored.has(keyword) && !(keyword in keywords)) throw new Error(`the keyword ${keyword} is not known`)
  // Whatever stands beside a reference is ignored in draft 4.
  if (typeof schema['$ref'] === 'string') {
    yield* check(definition(root, schema['$ref']), value, at, root)
    return
  }
  for (const [keyword, rule] of Object.entries(keywords))
    if (keyword in schema) yield* rule(schema[keyword], value, at, root, schema)
}

type Rule = (wanted: unknown, value: unknown, at: string, root: Schema, schema: Schema) => Iterable<string>

const keywords: Readonly<Record<string, Rule>> = {
  $ref: () => [],
  type: function* (wanted, value, at) {
    const types = Array.isArray(wanted) ? wanted : [wanted]
    if (!types.some((type) => isOf(String(type), value))) yield `${at}: is no ${types.join(' or ')}`
  },
  enum: function* (wanted, value, at) {
    if (!(wanted as readonly unknown[]).includes(value)) yield `${at}: is none of ${JSON.stringify(wanted)}`
  },
  pattern: function* (wanted, value, at) {
    if (typeof value === 'string' && !new RegExp(String(wanted), 'u').test(value))
      yield `${at}: is not like ${String(wanted)}`
  },
  minimum: function* (wanted, value, at) {
    if (typeof value === 'number' && value < Number(wanted)) yield `${at}: is less than ${String(wanted)}`
  },
  maximum: function* (wanted, value, at) {
    if (typeof value === 'number' && value > Number(wanted)) yield `${at}: is more than ${String(wanted)}`
  },
  required: function* (wanted, value, at) {
    if (!isObject(value)) return
    for (const name of wanted as readonly string[]) if (!(name in value)) yield `${at}: lacks ${name}`
  },
  properties: function* (wanted, value, at, root) {
    if (!isObject(value)) return
    for (const [name, inner] of Object.entries(wanted as Record<string, Schema>))
      if (name in value) yield* check(inner, value[name], `${at}/${name}`, root)
  },
  additionalProperties: function* (wanted, value, at, root, schema) {
    if (!isObject(value) || wanted === true) return
    const known = Object.keys((schema['properties'] as object | undefined) ?? {})
    for (const name of Object.keys(value).filter((each) => !known.includes(each))) {
      if (wanted === false) yield `${at}: must not have ${name}`
      else yield* check(wanted as Schema, value[name], `${at}/${name}`, root)
    }
  },
  items: function* (wanted, value, at, root) {
    if (!Array.isArray(value)) return
    for (const [index, item] of value.entries()) yield* check(wanted as Schema, item, `${at}/${index}`, root)
  },
  minItems: function* (wanted, value, at) {
    if (Array.isArray(value) && value.length < Number(wanted)) yield `${at}: has less than ${String(wanted)} items`
  },
  uniqueItems: function* (wanted, value, at) {
    if (wanted !== true || !Array.isArray(value)) return
    if (new Set(value.map((item) => JSON.stringify(item))).size < value.length) yield `${at}: has an item twice`
  },
  anyOf: function* (wanted, value, at, root) {
    if (matches(wanted, value, root) === 0) yield `${at}: conforms to none of several`
  },
  oneOf: function* (wanted, value, at, root) {
    if (matches(wanted, value, root) !== 1) yield `${at}: does not conform to exactly one of several`
  },
}

function matches(wanted: unknown, value: unknown, root: Schema): number {
  return (wanted as readonly Schema[]).filter((each) => check(each, value, '', root).next().done).length
}

function definition(root: Schema, reference: string): Schema {
  const definitions = root['definitions'] as Record<string, Schema>
  const found = definitions[reference.replace('#/definitions/', '')]
  if (found === undefined) throw new Error(`there is no definition ${reference}`)
  return found
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isOf(type: string, value: unknown): boolean {
  if (type === 'integer') return Number.isInteger(value)
  if (type === 'array') return Array.isArray(value)
  if (type === 'object') return isObject(value)
  return type === 'null' ? value === null : typeof value === type
}
