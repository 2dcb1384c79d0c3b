import { create } from '@bufbuild/protobuf'
import type { FastifyRequest } from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import {
  AttemptOutcome,
  BudgetService,
  ExtendRequestSchema,
  GetHealthRequestSchema,
  HubService,
  IdentityService,
  LedgerService,
  KillScopeKind,
  methodOf,
  PolicyService,
  QueryRequestSchema,
  RecordBatchRequestSchema,
  RevokeKeyRequestSchema,
  RevokeKeyResponseSchema,
  SetPolicyRequestSchema,
  StartRunRequestSchema,
} from '@portcullis/contract'
import { isRefusal, keyPartOf, publicId, refuse, Secret, uuidv7, type Refusal } from '#core'
import { Gcra, type Call, type GatePorts } from '#gate'
import { noKills, type KillInForce, type ReaderPort, type WriterMember, type WriterPort, type WriteResult } from '#hub'
import type { LedgerRecord } from '#ledger'
import { BestEffort } from './best-effort.ts'
import { Floods } from './floods.ts'
import { readJson } from './http/read-json.ts'
import { operatorKey } from './operator-key.fixture.ts'
import { exportMethod, performExport } from './otlp-ingest/export.ts'
import type { Admission } from './admissions.ts'
import { Pipeline, type PipelineParts } from './pipeline.ts'

const { uuid, text, key } = operatorKey('main')
const clock = { now: () => 1_800_000_000_000, monotonic: () => 5 }
const wide = { perSecond: 1000, burst: 1000 }
const boom = new Error('password=hunter2 select * from keys')

const unreachable: ReaderPort = Object.fromEntries(
  ['run', 'runs', 'agents', 'keys', 'tenants', 'entries', 'ping'].map((name) => [
    name,
    () => Promise.reject(new Error('read failed', { cause: boom })),
  ]),
) as never

const opened: Floods[] = []
afterEach(() => Promise.all(opened.splice(0).map((floods) => floods.close())))

/** A pipeline over ports that do as told; what would be recorded and logged is kept. */
function pipelineWith(
  parts: {
    writer?: WriterPort
    submit?: (member: WriterMember) => Promise<WriteResult>
    reader?: Partial<ReaderPort>
    refresh?: () => Promise<void>
    fresh?: () => boolean
    find?: GatePorts['keys']['find']
    full?: PipelineParts['full']
    kills?: PipelineParts['kills']
    spent?: PipelineParts['spent']
  } = {},
) {
  const records: LedgerRecord[] = []
  const faults: unknown[] = []
  const told: string[] = []
  const writer: WriterPort = parts.writer ?? {
    submit: async (member) => {
      if (parts.submit !== undefined && member.effect !== undefined) return parts.submit(member)
      records.push(member.record({ outcome: 'allow' }))
      return { refused: false, reply: undefined, bytes: undefined, replayed: false }
    },
  }
  const floods = new Floods(writer, clock, () => undefined)
  opened.push(floods)
  const fresh = parts.fresh ?? (() => true)
  const keys = {
    find: parts.find ?? ((part: string) => (part === keyPartOf(uuid) ? key : undefined)),
    fresh,
    used: () => undefined,
  }
  const gate: GatePorts = { clock, keys, failures: new Gcra(wide), addresses: new Gcra(wide), calls: new Gcra(wide) }
  const kill = { refusal: () => undefined, refusalOf: () => undefined }
  const all: PipelineParts = {
    gate: parts.kills === undefined ? gate : { ...gate, kill },
    kills: parts.kills,
    credentials: { fresh, refresh: parts.refresh ?? (() => Promise.resolve()) },
    writer,
    reader: { ...unreachable, ...parts.reader },
    floods,
    bestEffort: new BestEffort(writer, clock, () => undefined),
    clock,
    fault: (error) => faults.push(error),
    told: ({ route, outcome, code, status, caller }) =>
      told.push([route.split('/').at(-1), outcome, code ?? 'ok', status, caller?.id ?? 'nobody'].join(' ')),
    full: parts.full ?? (() => undefined),
    spent: parts.spent ?? (() => undefined),
  }
  return { pipeline: new Pipeline(all), records, faults, told }
}

function callOf(method: Call['method'], credential: string | undefined = text.reveal()): Call {
  const credentials = credential === undefined ? [] : [{ kind: 'api_key' as const, text: new Secret(credential) }]
  return { method, credentials, remote: '192.0.2.1', requestId: 'req_of_the_call', tenantId: undefined }
}

async function admitted(pipeline: Pipeline, method: Call['method']): Promise<Admission> {
  const admission = await pipeline.admit(callOf(method))
  if (isRefusal(admission)) throw new Error(`not admitted: ${admission.code}`)
  return admission
}

const startRun = methodOf(HubService.method.startRun)
const query = methodOf(LedgerService.method.query)
const revokeKey = methodOf(IdentityService.method.revokeKey)

describe('a write that goes on while killed', () => {
  const extend = create(ExtendRequestSchema, { reservationId: publicId('rsv', uuidv7()), ttlSeconds: 5 })
  const policy = create(SetPolicyRequestSchema, { policy: { killSwitch: false } })
  it.each([
    ['Extend', methodOf(BudgetService.method.extend), extend],
    ['SetPolicy', methodOf(PolicyService.method.setPolicy), policy],
  ])('K2: %s is decided again where its caller was stopped while it waited', async (_name, method, message) => {
    const inForce: KillInForce[] = []
    const asked: unknown[] = []
    const { pipeline } = pipelineWith({
      kills: { ...noKills, inForce: () => inForce },
      submit: ({ killed }) => {
        asked.push(killed?.()?.code)
        inForce.push({
          id: uuidv7(),
          tenantId: key.tenant.id.slice('ten_'.length),
          scope: KillScopeKind.KEY,
          subject: uuid,
          reason: 'r',
          actor: 'a',
          byPlatform: false,
          engagedAtMs: 0,
          expiresAtMs: null,
        })
        asked.push(killed?.()?.code)
        return Promise.resolve(killed?.() ?? refuse('server.internal', 'not asked'))
      },
    })
    const done = await pipeline.perform(await admitted(pipeline, method), message, 'a-key-of-this-call')
    expect([asked, done]).toMatchObject([[undefined, 'kill.engaged'], { code: 'kill.engaged' }])
  })
})

describe('what items of a call have cost', () => {
  it('K6: is told of each attempt of a batch that was recorded, and of none that was refused', async () => {
    const told: unknown[] = []
    const { pipeline } = pipelineWith({
      spent: (_path, caller, _reply, items) => told.push(caller.id, items),
      submit: ({ effect }) => {
        if (effect === undefined || !('parts' in effect)) throw new Error('no batch')
        const row = { workflow: 'w', promptVersion: '', agentId: null } as never
        const answered = effect.answerAll(effect.parts.map((_part, at) => (at === 1 ? undefined : row)))
        if (isRefusal(answered)) throw new Error(answered.reason)
        return Promise.resolve({ refused: false, reply: answered.reply, bytes: undefined, replayed: false })
      },
    })
    const runId = publicId('run', uuidv7())
    const attempts = [5n, 6n, 7n].map((reportedCostNanoUsd) => ({
      runId,
      model: 'm',
      outcome: AttemptOutcome.SUCCESS,
      reportedCostNanoUsd,
    }))
    const batch = create(RecordBatchRequestSchema, { attempts, events: [{ runId, eventType: 'e', message: 'm' }] })
    const method = methodOf(HubService.method.recordBatch)
    const done = await pipeline.perform(await admitted(pipeline, method), batch, 'a-key-of-this-call')
    expect([done.refused, told]).toEqual([false, [key.owner.id, [5n, 7n]]])
  })
})

describe('faults', () => {
  it('G19: a throw in a handler becomes server.internal: the log has the cause, the ledger an error, the caller neither', async () => {
    // A message of another kind than the method takes: the handler throws at its first field.
    const { pipeline, faults, records } = pipelineWith()
    const result = await pipeline.perform(await admitted(pipeline, startRun), create(GetHealthRequestSchema), undefined)
    expect(result).toEqual(refuse('server.internal', 'fault'))
    expect(faults).toEqual([expect.any(TypeError)])
    expect(records).toHaveLength(1)
    expect(records[0]).toMatchObject({ code: 'server.internal', outcome: 'error', requestId: 'req_of_the_call' })
  })

  it('G19: a writer that rejects becomes server.internal with an entry, and the process goes on', async () => {
    const { pipeline, faults, records } = pipelineWith({ submit: () => Promise.reject(boom) })
    const result = await pipeline.perform(
      await admitted(pipeline, startRun),
      create(StartRunRequestSchema, { workflow: 'w' }),
      undefined,
    )
    expect(result).toEqual(refuse('server.internal', 'fault'))
    expect(faults).toEqual([boom])
    expect(JSON.stringify([result, records])).not.toContain('hunter2')
  })

  it('G20: a store that cannot be read is store.unavailable, never an empty answer', async () => {
    const { pipeline, faults } = pipelineWith()
    const result = (await pipeline.perform(
      await admitted(pipeline, query),
      create(QueryRequestSchema),
      undefined,
    )) as Refusal
    expect([result.code, result.retryAfterSeconds]).toEqual(['store.unavailable', 1])
    expect(faults).toEqual([])
  })

  it('G19: a gate that throws refuses, and admit never rejects', async () => {
    const { pipeline, faults } = pipelineWith({
      find: () => {
        throw boom
      },
    })
    expect(await pipeline.admit(callOf(startRun))).toEqual(refuse('server.internal', 'fault'))
    expect(faults).toEqual([boom])
  })

  it('G19: a gate that throws late refuses too', async () => {
    let looks = 0
    const { pipeline, faults } = pipelineWith({
      fresh: () => {
        looks += 1
        return looks > 1
      },
      find: () => {
        throw boom
      },
    })
    expect(await pipeline.admit(callOf(startRun))).toEqual(refuse('server.internal', 'fault'))
    expect(faults).toEqual([boom])
  })

  it('G19: a refusal stays one where it cannot be written down', async () => {
    const { pipeline, faults } = pipelineWith({ writer: { submit: () => Promise.reject(boom) } })
    expect(await pipeline.reject(await admitted(pipeline, startRun), refuse('input.malformed', 'why'))).toMatchObject({
      code: 'input.malformed',
    })
    expect(await pipeline.admit(callOf(startRun, 'nonsense'))).toMatchObject({ code: 'auth.credential_invalid' })
    expect(await pipeline.refuseUnknown('192.0.2.1', '/a', 'req_unknown1')).toMatchObject({ code: 'method.unknown' })
    expect(faults).toEqual([boom, boom, boom])
  })

  it('G19: what was committed is answered as done, though the look at the credentials after it fails', async () => {
    const reply = create(RevokeKeyResponseSchema)
    const { pipeline, faults } = pipelineWith({
      submit: () => Promise.resolve({ refused: false, reply, bytes: undefined, replayed: false }),
      refresh: () => Promise.reject(boom),
    })
    const result = await pipeline.perform(
      await admitted(pipeline, revokeKey),
      create(RevokeKeyRequestSchema, { keyId: key.id }),
      undefined,
    )
    expect(result).toMatchObject({ refused: false, message: reply })
    expect(faults).toEqual([boom])
  })
})

describe('admission', () => {
  it('G20: credentials that are out of date admit nobody, after one look', async () => {
    let looks = 0
    const { pipeline } = pipelineWith({
      fresh: () => false,
      refresh: () => {
        looks += 1
        return Promise.resolve()
      },
    })
    expect(await pipeline.admit(callOf(startRun))).toMatchObject({ code: 'store.unavailable' })
    expect(looks).toBe(1)
  })

  it('G20: a stall of this process is not the fault of the caller', async () => {
    let fresh = false
    const { pipeline } = pipelineWith({
      fresh: () => fresh,
      refresh: () => {
        fresh = true
        return Promise.resolve()
      },
    })
    expect(isRefusal(await pipeline.admit(callOf(startRun)))).toBe(false)
  })

  it('G2: what is let in is decided at once, and a refusal is recorded before it is told', async () => {
    const { pipeline, records } = pipelineWith()
    expect(pipeline.admit(callOf(startRun))).not.toBeInstanceOf(Promise)
    expect(records).toEqual([])
    await pipeline.admit(callOf(startRun, 'nonsense'))
    expect(records).toHaveLength(1)
  })

  it('G23: health is admitted, answered and refused without an entry', async () => {
    const { pipeline, records } = pipelineWith({ reader: { ping: () => Promise.resolve(false) } })
    const health = methodOf(HubService.method.getHealth)
    const admission = await admitted(pipeline, health)
    expect(await pipeline.perform(admission, create(GetHealthRequestSchema), undefined)).toMatchObject({
      message: { status: 'unavailable' },
    })
    await pipeline.reject(admission, refuse('input.malformed', 'why'))
    expect(records).toEqual([])
  })
})

describe('bodies', () => {
  it('G1: bytes that are no message are refused before any handler, and recorded', async () => {
    const { pipeline, records } = pipelineWith({ submit: () => Promise.reject(boom) })
    const result = (await pipeline.performBytes(
      await admitted(pipeline, startRun),
      Uint8Array.of(0xff),
      undefined,
    )) as Refusal
    expect([result.code, result.detail]).toEqual(['input.malformed', undefined])
    expect(records).toHaveLength(1)
  })

  it('G1: a megabyte of tiny fields or items is refused by every door before it is decoded, and recorded', async () => {
    const { pipeline, records } = pipelineWith({ submit: () => Promise.reject(boom) })
    const batch = methodOf(HubService.method.recordBatch)
    const tiny = Buffer.alloc(1024 * 1024, Buffer.from([0x12, 0]))
    const json = `{"attempts":[${Array.from({ length: 100_000 }, () => '{}').join(',')}]}`
    const bodyOf = (body: string) => ({ body: Buffer.from(body) }) as unknown as FastifyRequest
    const answers = [
      await pipeline.performBytes(await admitted(pipeline, batch), tiny, undefined),
      await readJson(bodyOf(json), await admitted(pipeline, batch), batch, pipeline),
      await performExport(pipeline, await admitted(pipeline, exportMethod), tiny, 'binary', undefined),
      await performExport(
        pipeline,
        await admitted(pipeline, exportMethod),
        Buffer.from(`{"resourceSpans":[${'{},'.repeat(200_000)}{}]}`),
        'json',
        undefined,
      ),
    ]
    for (const answer of answers) {
      expect(answer).toMatchObject({
        code: 'bounds.message_too_large',
        detail: expect.stringMatching(/^one request holds at most \d+ (?:messages|fields): send/),
      })
    }
    expect(records).toHaveLength(answers.length)
  })
})

describe('what is told of a decision', () => {
  const owner = key.owner.id

  it('J3: every decision is told once, with its outcome, its code and who called', async () => {
    const { pipeline, told } = pipelineWith({
      reader: { entries: () => Promise.resolve({ rows: [], next: undefined }), ping: () => Promise.resolve(true) },
    })
    const ask = create(QueryRequestSchema)
    await pipeline.perform(await admitted(pipeline, query), ask, undefined)
    await pipeline.admit(callOf(query, 'pc_wrong'))
    await pipeline.admit({ ...callOf(query), credentials: [] })
    await pipeline.performBytes(await admitted(pipeline, query), Buffer.from('not protobuf'), undefined)
    await pipeline.reject(await admitted(pipeline, query), refuse('bounds.content_type', 'text/plain'))
    await pipeline.noteUnread(callOf(query), refuse('bounds.headers_too_large', 'many'))
    await pipeline.refuseUnknown('192.0.2.1', '/no/such', 'req_unknown1')
    const health = methodOf(HubService.method.getHealth)
    await pipeline.perform(await admitted(pipeline, health), create(GetHealthRequestSchema), undefined)
    await pipeline.reject(await admitted(pipeline, health), refuse('input.malformed', 'json'))
    expect(told).toEqual([
      `Query allow ok 200 ${owner}`,
      'Query deny auth.credential_invalid 401 nobody',
      'Query deny auth.credential_missing 401 nobody',
      `Query deny input.malformed 400 ${owner}`,
      `Query deny bounds.content_type 415 ${owner}`,
      'Query deny bounds.headers_too_large 431 nobody',
      '(unknown) deny method.unknown 404 nobody',
      'GetHealth allow ok 200 nobody',
      'GetHealth deny input.malformed 400 nobody',
    ])
  })

  it('J3: a fault and a store that is away are told as errors, once', async () => {
    const { pipeline, told } = pipelineWith()
    await pipeline.perform(await admitted(pipeline, startRun), create(GetHealthRequestSchema), undefined)
    await pipeline.perform(await admitted(pipeline, query), create(QueryRequestSchema), undefined)
    expect(told).toEqual([`StartRun error server.internal 500 ${owner}`, `Query error store.unavailable 503 ${owner}`])
  })

  it('O14: a call without room for its entry is refused before anything is done, and counted with its like', async () => {
    const { pipeline, told, records } = pipelineWith({
      full: () => refuse('store.full', '1 bytes free'),
      submit: () => expect.fail('the writer was asked'),
    })
    const message = create(StartRunRequestSchema, { workflow: 'w' })
    for (let at = 0; at < 50; at += 1) {
      expect(await pipeline.perform(await admitted(pipeline, startRun), message, undefined)).toMatchObject({
        code: 'store.full',
      })
    }
    expect(told).toHaveLength(50)
    expect(records.length).toBeLessThan(10)
  })
})
