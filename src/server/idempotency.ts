import { create, toBinary, type Message } from '@bufbuild/protobuf'
import { isRefusal, refuse, sha256, type Caller, type Refusal } from '#core'
import type { Call } from '#gate'
import type { Idempotency } from '#hub'

const keyMax = 200
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
  const bare = create(call.method.input, { ...sortMaps(message), idempotencyKey: '' })
  const bytes = toBinary(call.method.input, bare, { writeUnknownFields: false })
  return {
    keyDigest: sha256(`${caller.id}\n${call.method.path}\n${key}`).toString('hex'),
    payloadDigest: sha256(bytes).toString('hex'),
  }
}

function keyOf(message: Message, header: string | undefined): string | Refusal | undefined {
  const field = 'idempotencyKey' in message && typeof message.idempotencyKey === 'string' ? message.idempotencyKey : ''
  if (field !== '' && header !== undefined && field !== header) {
    return refuse('input.invalid', 'two idempotency keys', { detail: 'idempotencyKey and the header idempotency-key differ' })
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

// The order of map entries is the sender's; a digest must not depend on it.
function sortMaps(message: Message): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(message)
      .filter(([name]) => !name.startsWith('$'))
      .map(([name, value]: [string, unknown]) => [name, isMap(value) ? Object.fromEntries(Object.entries(value).toSorted(byName)) : value]),
  )
}

function isMap(value: unknown): value is Record<string, string> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !('$typeName' in value) && !(value instanceof Uint8Array)
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1
}
