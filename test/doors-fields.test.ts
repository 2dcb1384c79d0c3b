import {
  create,
  ScalarType,
  toBinary,
  toJsonString,
  type DescField,
  type DescMessage,
  type Message,
} from '@bufbuild/protobuf'
import { TimestampSchema } from '@bufbuild/protobuf/wkt'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { methods, type Method } from '@portcullis/contract'
import { makeSelfSigned } from './harness/certificates.ts'
import { grpcClient, type GrpcClient } from './harness/grpc.ts'
import { startInstance, type TestInstance } from './harness/instance.ts'
import { jobsMayOverlap, plantJob } from './harness/jobs.ts'
import { inLanes } from './harness/lanes.ts'
import { sendRaw } from './harness/raw-http.ts'
import { makeOperator, plantSession } from './harness/people.ts'
import {
  nobodysBudget,
  objectFields,
  publicKeyPem,
  sample,
  type ObjectKind,
  nobodysCap,
  nobodysKill,
} from './harness/samples.ts'

let instance: TestInstance
let grpc: GrpcClient
let ids: Readonly<Record<ObjectKind, string>>
const logged = vi.spyOn(process.stderr, 'write')

beforeAll(async () => {
  instance = await startInstance({
    PORTCULLIS__LOG__LEVEL: 'error',
    PORTCULLIS__LIMITS__RATE__KEY__BURST: '1000000',
    PORTCULLIS__LIMITS__RATE__KEY__PER_SECOND: '1000000',
    ...jobsMayOverlap,
  })
  grpc = grpcClient(instance.grpc)
  const agent = await instance.agent('fields', ['telemetry:write'])
  const run = await instance.call('HubService/StartRun', { workflow: 'fields' })
  const tenant = await instance.call('TenantService/Create', { name: 'fields' })
  const task = await instance.call('HubService/CreateTask', { title: 'fields' })
  const script = { name: 'fields', operator: 'test' }
  const intent = await instance.call('OpsService/RecordIntent', { script })
  const operator = await makeOperator(instance, 'fields')
  const app = await instance.call('IdentityService/CreateApp', { name: 'fields', scopes: ['telemetry:write'] })
  const signingKey = await instance.call('IdentityService/CreateSigningKey', { agentId: agent.id, publicKeyPem })
  const certificatePem = makeSelfSigned('fields').cert
  const binding = { agentId: agent.id, certificatePem, scopes: ['telemetry:write'] }
  const bound = await instance.call('IdentityService/BindCertificate', binding)
  const budget = await instance.call('BudgetService/UpsertBudget', { budget: nobodysBudget })
  const held = await instance.call('BudgetService/Reserve', { amountNanoUsd: '1' })
  const cap = await instance.call('PolicyService/UpsertPolicyCap', { cap: nobodysCap })
  const killed = await instance.call('KillService/Engage', nobodysKill)
  ids = {
    kill: killed.body.kill.id,
    cap: cap.body.cap.id,
    budget: budget.body.budget.id,
    reservation: held.body.reservationId,
    certificate: bound.body.certificate.id,
    job: await plantJob(instance),
    signing_key: signingKey.body.signingKey.id,
    app: app.body.app.id,
    operator,
    session: await plantSession(instance, operator),
    agent: agent.id,
    key: agent.keyId,
    run: run.body.run.id,
    script_run: intent.body.scriptRunId,
    task: task.body.task.id,
    tenant: tenant.body.tenant.id,
  }
})
afterAll(async () => {
  grpc.close()
  await instance.stop()
  vi.restoreAllMocks()
})

const int64 = { max: 2n ** 63n - 1n, min: -(2n ** 63n) }
const int32 = { max: 2 ** 31 - 1, min: -(2 ** 31) }
const texts = [
  'a\0b',
  '\0',
  'x'.repeat(70_000),
  '\u202e\u0007',
  "'; drop table portcullis.runs; --",
  '𝒳'.repeat(100),
  'run_00000000-0000-0000-0000-000000000000',
  'null',
  '__proto__',
]

/** Values that a field can carry on the wire and that nobody means. */
function oddValues(field: DescField): readonly unknown[] {
  if (field.fieldKind === 'enum') return [-1, 9999, int32.max]
  if (field.fieldKind === 'list' && field.listKind === 'message') return nestedItems(field)
  if (field.fieldKind === 'list') return [texts, Array.from({ length: 5000 }, () => 'many'), ['', '']]
  if (field.fieldKind === 'map') {
    return [
      { ['a\0']: 'v' },
      { a: 'v\0' },
      { constructor: 'v' },
      { '': 'v' },
      Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`k${index}`, 'v'])),
    ]
  }
  // A value of any kind, which may hold others in turn.
  if (field.fieldKind === 'message' && field.message.name === 'AnyValue') return anyValues(field.message)
  if (field.fieldKind === 'message')
    return field.message.typeName === TimestampSchema.typeName ? times() : nested(field)
  if (field.scalar === ScalarType.STRING) return texts
  if (field.scalar === ScalarType.INT32) return [-1, int32.max, int32.min]
  if (field.scalar === ScalarType.INT64) return [-1n, int64.max, int64.min]
  if (field.scalar === ScalarType.BOOL) return [true, false]
  if (field.scalar === ScalarType.FIXED64) return [0n, 1n, 2n ** 64n - 1n]
  if (field.scalar === ScalarType.FIXED32 || field.scalar === ScalarType.UINT32) return [0, 2 ** 32 - 1]
  if (field.scalar === ScalarType.BYTES) return [new Uint8Array(3), new Uint8Array(70_000).fill(255)]
  throw new Error(`say here what is odd for ${field.name}`)
}

function anyValues(schema: DescMessage): readonly Message[] {
  const deep = (levels: number): Record<string, unknown> => ({
    value: { case: 'arrayValue', value: { values: [levels === 0 ? {} : deep(levels - 1)] } },
  })
  const values = [
    { case: 'stringValue', value: 'a\0' },
    { case: 'intValue', value: int64.min },
    { case: 'doubleValue', value: Number.NaN },
    { case: 'bytesValue', value: new Uint8Array(2) },
    { case: 'kvlistValue', value: { values: [{ key: '\0' }] } },
  ]
  return [...values.map((value) => create(schema, { value })), create(schema, deep(20))]
}

function times(): readonly Message[] {
  const seconds = [
    int64.max,
    int64.min,
    253_402_300_800n,
    -62_135_596_801n,
    8_640_000_000_001n,
    0n,
    -1n,
    5_000_000_000_000n,
  ]
  const exact = seconds.map((value) => create(TimestampSchema, { seconds: value }))
  return [
    ...exact,
    ...[-1, int32.max, int32.min].map((nanos) => create(TimestampSchema, { seconds: 1_800_000_000n, nanos })),
  ]
}

/** Each field of a message field, one odd value at a time. */
function nested(field: DescField & { readonly fieldKind: 'message' }): readonly Message[] {
  return field.message.fields.flatMap((inner) =>
    oddValues(inner).map((value) => create(field.message, { [inner.localName]: value })),
  )
}

/** A list of one item with one odd value, for each field of the items; and far too many items. */
function nestedItems(
  field: DescField & { readonly fieldKind: 'list'; readonly listKind: 'message' },
): readonly Message[][] {
  const odd = field.message.fields.flatMap((inner) =>
    oddValues(inner).map((value) => [create(field.message, { [inner.localName]: value })]),
  )
  return [...odd, Array.from({ length: 5000 }, () => create(field.message))]
}

function oddRequests(method: Method): readonly { readonly field: string; readonly message: Message }[] {
  return method.input.fields.flatMap((field) =>
    oddValues(field).map((value) => ({
      field: field.name,
      message: create(method.input, { ...sample(method, ids), [field.localName]: value }),
    })),
  )
}

// There is no sink here; what needs one has the fields of a method that does not.
const withFields = [...methods.values()].filter(({ input, needsSink }) => input.fields.length > 0 && !needsSink)

describe.each(withFields.map((method) => [method.path, method] as const))('%s', (path, method) => {
  const authorization = (): string => `Bearer ${instance.adminKey}`

  it('G19: no value of any field makes the server fault or the store fail', async () => {
    expect(objectFields(method).every(({ kind }) => ids[kind] !== '')).toBe(true)
    const before = logged.mock.calls.length
    const wrong: string[] = []
    await inLanes(oddRequests(method), async ({ field, message }) => {
      const answer = await grpc.call(path, toBinary(method.input, message), { authorization: authorization() })
      // OK, INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, FAILED_PRECONDITION: expected, all others are ours to fix.
      if (![0, 3, 5, 6, 9].includes(answer.code))
        wrong.push(`${field}: ${answer.code} ${answer.reason} ${describeValue(message, field)}`)
    })
    expect(wrong).toEqual([])
    expect(logged.mock.calls.slice(before).map(([text]) => String(text))).toEqual([])
  })

  it('G19: nor does one in JSON', async () => {
    const wrong: string[] = []
    const bodies = method.input.fields.flatMap((field) => {
      const right = JSON.parse(toJsonString(method.input, sample(method, ids)))
      return [
        null,
        true,
        -1,
        1e308,
        1.5,
        '',
        '\ud800',
        [],
        [[]],
        [null],
        {},
        { a: null },
        '2026-02-30T99:99:99Z',
        '0001-01-01T00:00:00Z',
        '9999-12-31T23:59:59.999999999Z',
      ].map((value) => ({ field: field.jsonName, body: JSON.stringify({ ...right, [field.jsonName]: value }) }))
    })
    await inLanes(bodies, async ({ field, body }) => {
      const answer = await sendRaw(instance.url, {
        path,
        body,
        headers: { 'content-type': 'application/json', authorization: authorization() },
      })
      if (answer.status >= 500)
        wrong.push(`${field}: ${answer.status} ${answer.text.slice(0, 200)} for ${body.slice(0, 200)}`)
    })
    expect(wrong).toEqual([])
  })
})

it('L5: the ledger has taken all of it and still answers', async () => {
  const { status, body } = await instance.call('LedgerService/Query', { pageSize: 1000 })
  // Where the entries are long, a page ends by its bytes.
  expect([status, body.entries.length > 500, body.nextPageToken === '']).toEqual([200, true, false])
})

function describeValue(message: Message, field: string): string {
  return (
    JSON.stringify(message, (name, value: unknown) =>
      typeof value === 'bigint' ? `${value}n` : name.startsWith('$') ? undefined : value,
    ).slice(0, 300) + field
  )
}
