import { ScalarType, toJson, type DescMessage, type JsonValue } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { methods, type Method } from '@portcullis/contract'
import { makeSelfSigned } from './harness/certificates.ts'
import { startInstance, type Answer, type TestInstance } from './harness/instance.ts'
import { jobsMayOverlap, plantJob } from './harness/jobs.ts'
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

// Put together, so that no scanner takes them for real.
const planted = [
  ['sk', 'proj', 'Qw7xZ2mN8vB4kT6yR1pL'].join('-'),
  ['planted.person', 'example.com'].join('@'),
  ['4111', '1111', '1111', '1111'].join(' '),
  ['+44', '20', '7946', '0958'].join(' '),
]
const left = /Qw7xZ2mN|planted\.person|4111.?1111|7946.?0958/
const text = `as told\n${planted.join(', ')}\nby them`
const high = '1000000'

let instance: TestInstance
let operator: string
beforeAll(async () => {
  instance = await startInstance({
    PORTCULLIS__LIMITS__RATE__FAILURES__BURST: high,
    PORTCULLIS__LIMITS__RATE__ADDRESS__BURST: high,
    PORTCULLIS__LIMITS__RATE__KEY__BURST: high,
    PORTCULLIS__LOG__LEVEL: 'fatal',
    ...jobsMayOverlap,
  })
  operator = instance.adminKey
})
afterAll(() => instance.stop())

let count = 0
const make: Readonly<Record<ObjectKind, () => Promise<string>>> = {
  run: async () => (await instance.call('HubService/StartRun', { workflow: 'sample' })).body.run.id,
  agent: async () =>
    (await instance.call('IdentityService/CreateAgent', { name: `made-${(count += 1)}` })).body.agent.id,
  budget: async () => {
    const budget = { ...nobodysBudget }
    return (await instance.call('BudgetService/UpsertBudget', { budget })).body.budget.id
  },
  reservation: async () => (await instance.call('BudgetService/Reserve', { amountNanoUsd: '1' })).body.reservationId,
  key: async () =>
    (await instance.call('IdentityService/CreateKey', { agentId: await make.agent(), scopes: ['tasks:read'] })).body
      .apiKey.id,
  app: async () => {
    const app = { name: `made-${(count += 1)}`, scopes: ['tasks:read'] }
    return (await instance.call('IdentityService/CreateApp', app)).body.app.id
  },
  script_run: async () =>
    (await instance.call('OpsService/RecordIntent', { script: { name: 'sample', operator: 'test' } })).body.scriptRunId,
  job: () => plantJob(instance),
  operator: () => makeOperator(instance, `made-${(count += 1)}`),
  session: async () => plantSession(instance, await make.operator()),
  signing_key: async () => {
    const body = { agentId: await make.agent(), publicKeyPem }
    return (await instance.call('IdentityService/CreateSigningKey', body)).body.signingKey.id
  },
  certificate: async () => {
    const body = {
      agentId: await make.agent(),
      certificatePem: makeSelfSigned('sample').cert,
      scopes: ['telemetry:write'],
    }
    return (await instance.call('IdentityService/BindCertificate', body)).body.certificate.id
  },
  kill: async () => (await instance.call('KillService/Engage', nobodysKill)).body.kill.id,
  cap: async () => (await instance.call('PolicyService/UpsertPolicyCap', { cap: nobodysCap })).body.cap.id,
  task: async () => (await instance.call('HubService/CreateTask', { title: 'sample' })).body.task.id,
  tenant: async () => (await instance.call('TenantService/Create', { name: `made-${(count += 1)}` })).body.tenant.id,
}

/** The request with the planted text in every field that takes text of the caller's choice. */
async function plantedRequest(method: Method): Promise<JsonValue> {
  const ids = await Promise.all(objectFields(method).map(async ({ kind }) => [kind, await make[kind]()] as const))
  const request = toJson(method.input, sample(method, Object.fromEntries(ids)))
  return plantedIn(method.input, request, new Set(objectFields(method).map(({ field }) => field.jsonName)))
}

// What has a form of its own and is refused by it: the test of refusals has them.
const formed = new Set([
  'idempotencyKey',
  'pageToken',
  'log',
  'scopes',
  'allowedCidrs',
  'caller',
  'tenant',
  'credential',
])

function plantedIn(message: DescMessage, request: JsonValue, ids: ReadonlySet<string>): JsonValue {
  const values = Object(request) as { readonly [name: string]: JsonValue }
  const found = message.fields.flatMap((field): [string, JsonValue][] => {
    const name = field.jsonName
    if (ids.has(name) || formed.has(name)) return name in values ? [[name, values[name] ?? null]] : []
    if (field.fieldKind === 'scalar' && field.scalar === ScalarType.STRING)
      return [[name, field.name === 'data_json' ? JSON.stringify({ text, pan: 4111111111111111 }) : text]]
    if (field.fieldKind === 'list' && field.listKind === 'scalar' && field.scalar === ScalarType.STRING)
      return [[name, [planted[0] ?? '']]]
    if (field.fieldKind === 'map' && field.mapKind === 'scalar' && field.scalar === ScalarType.STRING)
      return [[name, { note: planted[1] ?? '' }]]
    return name in values ? [[name, values[name] ?? null]] : []
  })
  return Object.fromEntries(found)
}

const shown = ({ body, headers }: Answer): string => JSON.stringify(body) + JSON.stringify([...headers])

describe('free text of callers', () => {
  it.each(
    [...methods.values()]
      .filter(({ streaming }) => !streaming)
      .map((method) => [method.path.replace('/portcullis.v1.', ''), method] as const),
  )('L3: %s shows nothing of what was planted in its request', async (name, method) => {
    const request = Object(await plantedRequest(method))
    expect(shown(await instance.call(name, request))).not.toMatch(left)
    // One field at a time, so that a method which refuses one of them is asked about the others too.
    for (const field of Object.keys(request)) {
      const ids = await Promise.all(objectFields(method).map(async ({ kind }) => [kind, await make[kind]()] as const))
      const right = Object(toJson(method.input, sample(method, Object.fromEntries(ids))))
      expect(shown(await instance.call(name, { ...right, [field]: request[field] })), field).not.toMatch(left)
    }
  })

  it('L3: lists, single objects and the export show it masked, whoever asks', async () => {
    const lists = [...methods.values()].filter(({ output }) =>
      output.fields.some(({ name }) => name === 'next_page_token'),
    )
    for (const method of lists) {
      const size = method.input.fields.some((field) => field.name === 'page_size') ? { pageSize: 100 } : {}
      let answer = await instance.call(method.path.replace('/portcullis.v1.', ''), size)
      expect(answer.status, method.path).toBe(200)
      for (let page = 0; answer.body.nextPageToken && page < 50; page += 1) {
        expect(shown(answer), method.path).not.toMatch(left)
        answer = await instance.call(method.path.replace('/portcullis.v1.', ''), {
          pageToken: answer.body.nextPageToken,
          ...size,
        })
      }
      expect(shown(answer), method.path).not.toMatch(left)
    }
    const notes = await instance.call('HubService/ListNotes', {})
    expect(JSON.stringify(notes.body)).toContain('[email]')
    expect(JSON.stringify(notes.body)).toContain('sk-***')
    const [event] = (await instance.call('HubService/ListRunEvents', {})).body.events
    expect(JSON.parse(event.dataJson)).toMatchObject({ pan: '[card]' })
  })

  it('L2, L3: no entry of any log holds any of it, and neither do the columns beside it', async () => {
    const database = await instance.connect('postgres')
    const { rows } = await database.query<{ entry: string; columns: string }>(
      `select convert_from(entry, 'UTF8') as entry, concat_ws(' ', caller, actor, action, code, request_id) as columns from audits.entries`,
    )
    expect(rows.length).toBeGreaterThan(100)
    for (const { entry, columns } of rows) expect(`${entry} ${columns}`).not.toMatch(left)
  })

  it('L3: a request id that has the form of a secret is not kept', async () => {
    const answer = await instance.call(
      'HubService/ListTasks',
      {},
      { key: operator, headers: { 'x-request-id': planted[0] ?? '' } },
    )
    expect(shown(answer)).not.toMatch(left)
    expect(answer.headers.get('x-request-id')).toMatch(/^req_/)
  })
})
