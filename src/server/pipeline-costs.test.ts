import { create, type Message } from '@bufbuild/protobuf'
import { afterEach, describe, expect, it } from 'vitest'
import {
  AttemptOutcome,
  AuthorizationService,
  CheckBatchRequestSchema,
  FinishRunRequestSchema,
  HubService,
  ListNotesRequestSchema,
  methodOf,
  RecordBatchRequestSchema,
  StartRunRequestSchema,
  type Method,
} from '@portcullis/contract'
import { isRefusal, keyPartOf, publicId, refuse, Secret, uuidv7 } from '#core'
import { chargeHere, Gcra, type Call, type GatePorts } from '#gate'
import { denyAll, type ReaderPort, type WriteResult, type WriterMember, type WriterPort } from '#hub'
import type { LedgerRecord } from '#ledger'
import { RecordedFault } from '#store'
import { BestEffort } from './best-effort.ts'
import { Floods } from './floods.ts'
import { operatorKey } from './operator-key.fixture.ts'
import { Pipeline } from './pipeline.ts'

const { uuid, text, key } = operatorKey('acme')
const clock = { now: () => 1_800_000_000_000, monotonic: () => 0 }
const opened: Floods[] = []
afterEach(() => Promise.all(opened.splice(0).map((floods) => floods.close())))

function pipelineWith(
  burst: number,
  { shared = false, submit }: { shared?: boolean; submit?: (member: WriterMember) => Promise<WriteResult> } = {},
) {
  const records: LedgerRecord[] = []
  const members: WriterMember[] = []
  const seen = { checks: 0, lists: 0, denied: [] as unknown[] }
  const writer: WriterPort = {
    submit: (member) => {
      members.push(member)
      if (submit !== undefined && member.effect !== undefined) return submit(member)
      records.push(member.record({ outcome: 'allow' }))
      return Promise.resolve({ refused: false, reply: undefined, bytes: undefined, replayed: false })
    },
  }
  const floods = new Floods(writer, clock, () => undefined)
  opened.push(floods)
  const wide = { perSecond: 1e6, burst: 1e6 }
  const keys = {
    find: (part: string) => (part === keyPartOf(uuid) ? key : undefined),
    fresh: () => true,
    used: () => undefined,
  }
  const gate: GatePorts = {
    clock,
    keys,
    failures: new Gcra(wide),
    addresses: new Gcra(wide),
    calls: new Gcra({ perSecond: 1, burst }),
    shared,
  }
  const reader: Partial<ReaderPort> = {
    notes: () => {
      seen.lists += 1
      return Promise.resolve({ rows: [], next: undefined })
    },
  }
  const pipeline = new Pipeline({
    gate,
    credentials: { fresh: () => true, refresh: () => Promise.resolve() },
    writer,
    reader: reader as ReaderPort,
    floods,
    bestEffort: new BestEffort(writer, clock, () => undefined),
    ...(shared ? { sharedRates: { take: (charges) => Promise.resolve(chargeHere(charges, gate)) } } : {}),
    decider: {
      ...denyAll,
      byCredential: (credential, asking) => {
        seen.checks += 1
        return denyAll.byCredential(credential, asking)
      },
    },
    services: new Set(['tickets:read']),
    clock,
    fault: () => undefined,
    denied: (caller, codes) => seen.denied.push([caller.id, ...codes]),
  })
  const perform = async (method: Method, message: Message): Promise<string> => {
    const call: Call = {
      method,
      credentials: [{ kind: 'api_key', text: new Secret(text.reveal()) }],
      remote: '192.0.2.1',
      requestId: 'req_of_the_call',
      tenantId: undefined,
    }
    const admission = await pipeline.admit(call)
    if (isRefusal(admission)) return admission.code
    const reply = await pipeline.perform(admission, message, undefined)
    return reply.refused ? `${reply.code} ${reply.retryAfterSeconds ?? ''}`.trim() : 'done'
  }
  return { perform, records, members, seen, floods }
}

const checkBatch = methodOf(AuthorizationService.method.checkBatch)
const listNotes = methodOf(HubService.method.listNotes)
const startRun = methodOf(HubService.method.startRun)
const finishRun = methodOf(HubService.method.finishRun)
const checks = (count: number) =>
  create(CheckBatchRequestSchema, {
    checks: Array.from({ length: count }, () => ({ credential: 'anything', action: 'tickets:read' })),
  })

describe.each([false, true])('what a call costs once its message is known, shared buckets: %s', (shared) => {
  it('G7: a batch of checks costs as many tokens as checks, and is refused before the first is decided', async () => {
    const { perform, seen, records } = pipelineWith(100, { shared })
    expect(await perform(checkBatch, checks(60))).toBe('done')
    expect(await perform(checkBatch, checks(60))).toMatch(/^rate\.limited \d+$/)
    expect(seen.checks).toBe(60)
    expect(await perform(checkBatch, checks(30))).toBe('done')
    expect(records.find(({ outcome }) => outcome === 'deny')).toMatchObject({
      code: 'rate.limited',
      caller: key.owner.id,
    })
  })

  it('G7: a list costs by the size of its page', async () => {
    const { perform, seen } = pipelineWith(25, { shared })
    const list = (pageSize: number) => perform(listNotes, create(ListNotesRequestSchema, { pageSize }))
    expect([await list(1000), await list(1000), await list(1000)]).toEqual(['done', 'done', 'rate.limited 5'])
    // One of the five that were left went to the gate; one, one and two are there.
    expect([await list(0), await list(100), await list(101)]).toEqual(['done', 'done', 'done'])
    expect(await list(0)).toBe('rate.limited')
    expect(seen.lists).toBe(5)
  })
})

describe('calls that fail', () => {
  it('L14: a caller that provokes faults gets entries for the first few; the rest is counted, once each', async () => {
    const submit = async (member: WriterMember): Promise<WriteResult> => {
      // As a batch does with a member that fails alone.
      if (member.ownFailure?.('server.internal') !== false)
        written.push(member.record({ outcome: 'error', code: 'server.internal', reason: 'it broke' }))
      throw new RecordedFault('a member of a batch failed')
    }
    const written: LedgerRecord[] = []
    const { perform, records, floods } = pipelineWith(1e6, { submit })
    const message = create(StartRunRequestSchema, { workflow: 'w' })
    for (let call = 0; call < 500; call += 1) expect(await perform(startRun, message)).toBe('server.internal')
    await floods.flush(true)
    expect(written).toHaveLength(50)
    expect(records).toHaveLength(1)
    expect(records[0]).toMatchObject({ action: 'denials.counted', outcome: 'error', code: 'server.internal' })
    expect(JSON.parse(records[0]?.body ?? '').args).toMatchObject({ count: 450 })
  })

  it('L14: a fault that the store did not record is one entry, and counted after the first few likewise', async () => {
    const { perform, records, floods } = pipelineWith(1e6, {
      submit: () => Promise.reject(new Error('a batch failed')),
    })
    const message = create(StartRunRequestSchema, { workflow: 'w' })
    for (let call = 0; call < 500; call += 1) await perform(startRun, message)
    await floods.flush(true)
    expect(records).toHaveLength(51)
    expect(new Set(records.map(({ outcome, code }) => `${outcome} ${code}`))).toEqual(
      new Set(['error server.internal']),
    )
  })
})

it('O14: the writer is told which calls are shed last', async () => {
  const refused = { refused: true, code: 'object.not_found', reason: '' } as const
  const { perform, members } = pipelineWith(1e6, { submit: () => Promise.resolve(refused) })
  await perform(startRun, create(StartRunRequestSchema, { workflow: 'w' }))
  await perform(finishRun, create(FinishRunRequestSchema, { runId: publicId('run', uuidv7()), status: 3 }))
  expect(members.map(({ shedLast }) => shedLast === true)).toEqual([false, true])
})

it('K6: is told of the items of a batch that a budget or a cap refused, though the call was done', async () => {
  const over = { verdict: 'refused', refusal: refuse('budget.exceeded', 'no room') } as never
  const { perform, seen } = pipelineWith(1e6, {
    submit: ({ effect }) => {
      if (effect === undefined || !('parts' in effect)) throw new Error('no batch')
      const answered = effect.answerAll(effect.parts.map(() => over))
      if (isRefusal(answered)) throw new Error(answered.reason)
      const { denied, reply } = answered
      return Promise.resolve({ refused: false, reply, bytes: undefined, replayed: false, denied })
    },
  })
  const reservationId = publicId('rsv', uuidv7())
  const item = { runId: publicId('run', uuidv7()), model: 'm', outcome: AttemptOutcome.SUCCESS, reservationId }
  const batch = create(RecordBatchRequestSchema, { attempts: [item, item] })
  expect(await perform(methodOf(HubService.method.recordBatch), batch)).toBe('done')
  expect(seen.denied).toEqual([[key.owner.id, 'budget.exceeded', 'budget.exceeded']])
})
