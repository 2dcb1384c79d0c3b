import { create, fromJson, ScalarType, type DescField, type DescMessage, type Message } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { Method } from '@portcullis/contract'
import { makeSelfSigned } from './certificates.ts'

/** The kinds of object that a field ending in `_id` can name. A field of a new kind fails until it is named here. */
export type ObjectKind =
  | 'run'
  | 'script_run'
  | 'agent'
  | 'key'
  | 'tenant'
  | 'task'
  | 'app'
  | 'operator'
  | 'session'
  | 'signing_key'
  | 'certificate'
  | 'job'
  | 'cap'
  | 'budget'
  | 'reservation'
  | 'kill'

const kinds: Readonly<Record<string, ObjectKind>> = {
  run_id: 'run',
  script_run_id: 'script_run',
  agent_id: 'agent',
  key_id: 'key',
  app_id: 'app',
  tenant_id: 'tenant',
  operator_id: 'operator',
  session_id: 'session',
  signing_key_id: 'signing_key',
  certificate_id: 'certificate',
  job_id: 'job',
  cap_id: 'cap',
  budget_id: 'budget',
  reservation_id: 'reservation',
  kill_id: 'kill',
}

/** What the objects are that a method with `own_objects` shows: runs, or tasks. */
export function shownKind(method: Method): ObjectKind {
  return /Task/.test(method.path) ? 'task' : 'run'
}

// Fields whose name ends in `_id` and that name no object of ours.
const freeText = new Set(['task_id', 'request_id', 'subject_id'])

// Left unset: what every write and every list takes, and what has a meaning of its own.
// A check names a credential or a caller, and its tenant is that of the service.
const unset = new Set([
  'idempotency_key',
  'page_size',
  'page_token',
  'log',
  'expires_at',
  'allowed_cidrs',
  'cursor',
  'redirect_uris',
  'grant_types',
  'jwks_json',
  'tls_subject_dn',
  'caller',
  'tenant',
])

/** Of a model that nobody uses; as JSON. */
export const nobodysBudget = {
  subject: { kind: 'SUBJECT_KIND_MODEL', id: 'nobody' },
  unit: 'BUDGET_UNIT_REQUESTS',
  limit: '1',
  window: { kind: 'WINDOW_KIND_TOTAL' },
  active: false,
}

/** A kill of a model that nobody uses; as JSON. */
export const nobodysKill = { scope: { kind: 'KILL_SCOPE_KIND_MODEL', id: 'nobody' }, reason: 'sample' }

let count = 0

/** Of a pair whose private key nobody has. */
export const publicKeyPem =
  '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n-----END PUBLIC KEY-----\n'

/** The objects that a call of this method names, by field. */
export function objectFields(method: Method): readonly { readonly field: DescField; readonly kind: ObjectKind }[] {
  return method.input.fields.flatMap((field) => {
    // A run says in free text which task it serves; the methods of tasks name one of ours.
    const kind = field.name === 'task_id' && method.path.endsWith('Task') ? 'task' : kinds[field.name]
    if (kind !== undefined) return [{ field, kind }]
    if (field.name.endsWith('_id') && !freeText.has(field.name))
      throw new Error(`${method.path}: say in samples.ts what kind of object ${field.name} names`)
    return []
  })
}

/** Whether the method answers with pages: then an object that is not there leaves an empty page. */
export function isList(method: Method): boolean {
  return method.output.fields.some((field) => field.name === 'next_page_token')
}

/** A valid request, built from the descriptor; `ids` are the objects it names. Filters of lists stay unset but for ids. */
export function sample(method: Method, ids: Readonly<Partial<Record<ObjectKind, string>>>): Message {
  count += 1
  const fields = new Map(objectFields(method).map(({ field, kind }) => [field, ids[kind] ?? '']))
  const values = method.input.fields.flatMap((field): [string, unknown][] => {
    if (unset.has(field.name)) return []
    const id = fields.get(field)
    if (id !== undefined) return [[field.localName, id]]
    const value = isList(method) ? undefined : valueOf(field)
    return value === undefined ? [] : [[field.localName, value]]
  })
  return create(method.input, Object.fromEntries(values))
}

const samplePosture = { reportSha256: '0'.repeat(64), toolVersion: '1.0.0', target: 'sample' }
const sampleDrill = { killId: 'kil_0199a3c2-7b1e-7d42-9c55-0f8e2a6b4d10', probes: 1, replicas: 1 }

/** A cap of attempts that nobody makes. */
export const nobodysCap = { name: 'sample', model: 'nobody', maxTokensPerRun: '1', active: false } as const

function valueOf(field: DescField): unknown {
  if (field.fieldKind === 'list' && field.listKind === 'message') return [plain(field.message)]
  if (field.fieldKind === 'list') return [field.name === 'scopes' ? 'telemetry:write' : 'sample']
  if (field.fieldKind === 'message' && ['Script', 'Policy'].includes(field.message.name)) return plain(field.message)
  if (field.fieldKind === 'message' && field.message.name === 'Budget') return fromJson(field.message, nobodysBudget)
  if (field.fieldKind === 'message' && field.name === 'from') return timestampFromMs(Date.now() - 3_600_000)
  if (field.fieldKind === 'message' && field.message.name === 'PolicyCap') return fromJson(field.message, nobodysCap)
  if (field.fieldKind === 'message' && field.message.name === 'KillScope')
    return fromJson(field.message, nobodysKill.scope)
  if (field.fieldKind === 'message' && field.message.name === 'Drill') return fromJson(field.message, sampleDrill)
  if (field.fieldKind === 'message' && field.message.name === 'PostureReport')
    return fromJson(field.message, samplePosture)
  if (field.fieldKind === 'enum')
    return (field.enum.values.find(({ name }) => /COMPLETED$|SUCCESS$/.test(name)) ?? field.enum.values[1])?.number
  // A consistency proof begins at a size, and the empty log proves nothing; a full tile is not there yet.
  if (field.name === 'from') return 1n
  if (field.name === 'width') return 1
  if (field.name === 'kind' && field.parent.name === 'TriggerRequest') return 'roll-up'
  if (field.name === 'source' && field.parent.name === 'ImportUsageRequest') return 'csv'
  // Of a key: they begin at 1.
  if (field.name === 'version') return 1
  if (field.fieldKind !== 'scalar' || field.scalar !== ScalarType.STRING) return undefined
  if (field.name === 'public_key_pem') return publicKeyPem
  if (field.name === 'certificate_pem') return makeSelfSigned(`sample-${count}`).cert
  return field.name === 'data_json' ? '{}' : `sample-${count}`
}

function plain(message: DescMessage): Message {
  const values = message.fields.flatMap((field): [string, unknown][] => {
    const value = unset.has(field.name) ? undefined : valueOf(field)
    return value === undefined ? [] : [[field.localName, value]]
  })
  return create(message, Object.fromEntries(values))
}
