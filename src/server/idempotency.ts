import { create, toBinary, type DescField, type DescMessage, type Message } from '@bufbuild/protobuf'
import { isRefusal, refuse, sha256Hex, type Caller, type Refusal } from '#core'
import type { Call } from '#gate'
import type { Idempotency } from '#hub'

const keyMax = 200
const encoding = { writeUnknownFields: false } as const
const keyPattern = /^[\x21-\x7e]{1,200}$/

/**
 * What binds a call to its idempotency key (SPEC G15): caller, tenant, method and the decoded message without the key field,
 * so that gRPC and HTTP agree. Undefined where the caller sent no key.
 */
export function idempotencyOf(
  call: Call,
  caller: Caller,
  message: Message,
  header: string | undefined,
): Idempotency | Refusal | undefined {
  if (!call.method.idempotent) return undefined
  const key = keyOf(message, header)
  if (key === undefined || isRefusal(key)) return key
  return {
    keyDigest: sha256Hex([caller.tenant.id, caller.kind, caller.id, call.method.path, key].join('\n')),
    payloadDigest: sha256Hex(withoutKey(call.method.input, message)),
  }
}

/** The message in bytes, without its key field and whatever the sender's order of map entries was. */
function withoutKey(schema: DescMessage, message: Message & { idempotencyKey?: string }): Uint8Array {
  const own = mapsOf(schema)
  const plain: Message & { idempotencyKey?: string } =
    own.length === 0 ? message : create(schema, { ...message, ...sortedMaps(message, own) })
  const { idempotencyKey } = plain
  if (idempotencyKey === undefined || idempotencyKey === '') return toBinary(schema, plain, encoding)
  // Taken out and put back instead of copied: this runs once a call.
  plain.idempotencyKey = ''
  const bytes = toBinary(schema, plain, encoding)
  plain.idempotencyKey = idempotencyKey
  return bytes
}

const mapFields = new WeakMap<DescMessage, readonly DescField[]>()

function mapsOf(schema: DescMessage): readonly DescField[] {
  const known = mapFields.get(schema)
  if (known !== undefined) return known
  const found = schema.fields.filter((field) => field.fieldKind === 'map')
  mapFields.set(schema, found)
  return found
}

function keyOf(message: Message, header: string | undefined): string | Refusal | undefined {
  const field = 'idempotencyKey' in message && typeof message.idempotencyKey === 'string' ? message.idempotencyKey : ''
  if (field !== '' && header !== undefined && field !== header) {
    return refuse('input.invalid', 'two idempotency keys', {
      detail: 'idempotencyKey and the header idempotency-key differ',
    })
  }
  const key = field === '' ? header : field
  if (key === undefined) return undefined
  if (!keyPattern.test(key)) {
    return refuse('input.invalid', 'idempotency key malformed', {
      detail: `idempotencyKey must be 1 to ${keyMax} printable ASCII characters without spaces`,
    })
  }
  return key
}

function sortedMaps(message: Message, maps: readonly DescField[]): Record<string, Record<string, string>> {
  const values = message as unknown as Record<string, Record<string, string>>
  const sort = (map: Record<string, string>): Record<string, string> =>
    Object.fromEntries(Object.entries(map).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  return Object.fromEntries(maps.map(({ localName }) => [localName, sort(values[localName] ?? {})]))
}
