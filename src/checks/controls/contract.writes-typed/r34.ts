import { judgeEach, repoCheck } from '../../check.ts'
import type { ProtoMethod, ProtoService, TypeName } from '../../collect/proto/parse.ts'
import { protos, type Protos } from '../../collect/proto/protos.ts'
import { doubtful, failing, unjudged, type Evidence } from '../../evidence.ts'

export const r34 = repoCheck({
  id: 'R34',
  title: 'No method that writes takes an untyped message',
  needs: { protos },
  judge: ({ protos: facts }) => {
    const budget = { left: fieldsMax }
    return judgeEach(facts.files, 'There is no .proto file.', ({ services, package: scope }) =>
      services.flatMap((service) =>
        service.methods.filter(writes).flatMap((method) => judgeMethod(service, method, scope, facts, budget)),
      ),
    )
  },
})

// Of all methods together: messages that all hold each other make as many ways through them as their number squared.
const fieldsMax = 300_000

const untyped = /^\.?google\.protobuf\.(?:Struct|Any|Value|ListValue)$/
const scalars = /^(?:double|float|u?int(?:32|64)|sint(?:32|64)|s?fixed(?:32|64)|bool|string|bytes)$/
// Types of the standard library and of Google's common ones that hold nothing untyped.
const known = /^\.?google\.(?:protobuf\.(?:Timestamp|Duration|Empty|FieldMask|\w+Value|NullValue)|type\.\w+)$/
const reading =
  /^(?:(?:batch)?get|list|watch|check|query|search|describe|read|stream|count|find|fetch|lookup|health)(?=[A-Z0-9_]|$)/i

/** By what the contract says itself, else by its name. */
function writes({ name, options }: ProtoMethod): boolean {
  for (const { name: option, value } of options) {
    if (option === 'idempotency_level') return !value.includes('NO_SIDE_EFFECTS') && !reading.test(name)
    const access = value.find((word) => word.startsWith('ACCESS_CLASS_'))
    if (access !== undefined) return access === 'ACCESS_CLASS_WRITE'
    if (option.includes('google.api.http')) {
      if (value.includes('get') || option.endsWith('.get')) return false
      if (['put', 'patch', 'delete'].some((verb) => value.includes(verb) || option.endsWith(`.${verb}`))) return true
    }
  }
  return !reading.test(name)
}

interface Reached {
  readonly type: TypeName
  /** The message that the name is written in, or the package. */
  readonly scope: string
  /** How the request leads there: `details.labels`. */
  readonly path: string
}

const messagesMax = 5000

function judgeMethod(
  service: ProtoService,
  method: ProtoMethod,
  scope: string,
  facts: Protos,
  budget: { left: number },
): readonly Evidence[] {
  const called = `${service.name}.${method.name}`
  const evidence: Evidence[] = []
  const seen = new Set<string>()
  const waiting: Reached[] = [{ type: method.input, scope, path: '' }]
  for (const next of waiting) {
    if (seen.size >= messagesMax) break
    const { type, path } = next
    const where = path === '' ? 'as its request' : `in ${path}`
    const subject = `${called} ${path} ${type.text}`
    if (untyped.test(type.text)) {
      evidence.push(failing(type.spot, `${called} writes, and takes ${type.text} ${where}.`, { subject }))
      continue
    }
    const message = facts.resolve(type.text, next.scope)
    if (message === undefined) {
      if (isOpaque(type.text)) {
        const detail = `${called} writes, and takes ${type.text} ${where}, which is not in this tree.`
        evidence.push(doubtful(type.spot, detail, { subject, confidence: 'low' }))
      }
      continue
    }
    if (untyped.test(message.name)) {
      evidence.push(failing(type.spot, `${called} writes, and takes ${message.name} ${where}.`, { subject }))
      continue
    }
    if (seen.has(message.name)) continue
    seen.add(message.name)
    budget.left -= message.fields.length
    if (budget.left < 0) {
      const detail = `${called} takes more than can be looked through: its messages hold each other too often.`
      return [...evidence, unjudged('UNKNOWN', method.input.spot, detail, { subject: called })]
    }
    for (const field of message.fields)
      if (!scalars.test(field.type.text))
        waiting.push({
          type: field.type,
          scope: message.name,
          path: path === '' ? field.name : `${path}.${field.name}`,
        })
  }
  return evidence
}

// A name with a package that is not in the tree comes from an import that is elsewhere.
function isOpaque(name: string): boolean {
  return name.includes('.') && !known.test(name) && /^[a-z.]/.test(name)
}
