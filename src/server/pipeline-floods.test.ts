import { create } from '@bufbuild/protobuf'
import { afterEach, describe, expect, it } from 'vitest'
import {
  AuthorizationService,
  CheckRequestSchema,
  GetTelemetrySummaryRequestSchema,
  HubService,
  LedgerService,
  methodOf,
  methods,
  QueryRequestSchema,
  type Method,
} from '@portcullis/contract'
import { isRefusal, keyPartOf, Secret } from '#core'
import { Gcra, type Call, type GatePorts } from '#gate'
import type { ReaderPort, WriterPort } from '#hub'
import type { LedgerRecord } from '#ledger'
import { BestEffort } from './best-effort.ts'
import { Floods } from './floods.ts'
import { operatorKey } from './operator-key.fixture.ts'
import { Pipeline } from './pipeline.ts'

const { uuid, text, key } = operatorKey('acme')
const startRun = methodOf(HubService.method.startRun)
const summary = methodOf(HubService.method.getTelemetrySummary)
const query = methodOf(LedgerService.method.query)
const check = methodOf(AuthorizationService.method.check)

const opened: Floods[] = []
afterEach(() => Promise.all(opened.splice(0).map((floods) => floods.close())))

/** A pipeline whose writer keeps what it is given; with `stuck` it never answers. */
function pipelineWith({
  stuck = false,
  scopes = key.scopes,
  ...reads
}: { stuck?: boolean; scopes?: ReadonlySet<string> } & Partial<ReaderPort> = {}) {
  const at = { ms: 1_800_000_000_000 }
  const clock = { now: () => at.ms, monotonic: () => at.ms }
  const records: LedgerRecord[] = []
  const faults: unknown[] = []
  const decided: (string | undefined)[] = []
  const writer: WriterPort = {
    submit: (member) => {
      records.push(member.record({ outcome: 'allow' }), ...(member.more ?? []))
      return stuck
        ? new Promise(() => undefined)
        : Promise.resolve({ refused: false, reply: undefined, bytes: undefined, replayed: false })
    },
  }
  const floods = new Floods(writer, clock, () => undefined)
  if (!stuck) opened.push(floods)
  const keys = {
    find: (part: string) => (part === keyPartOf(uuid) ? { ...key, scopes } : undefined),
    fresh: () => true,
    used: () => undefined,
  }
  const rate = { perSecond: 5, burst: 10 }
  const wide = { perSecond: 1e6, burst: 1e6 }
  const gate: GatePorts = { clock, keys, failures: new Gcra(rate), addresses: new Gcra(wide), calls: new Gcra(wide) }
  const reader: Partial<ReaderPort> = {
    publicSummary: () => Promise.resolve([]),
    entries: () => Promise.resolve({ rows: [], next: undefined }),
    ...reads,
  }
  const pipeline = new Pipeline({
    gate,
    credentials: { fresh: () => true, refresh: () => Promise.resolve() },
    writer,
    reader: reader as ReaderPort,
    floods,
    bestEffort: new BestEffort(writer, clock, () => undefined),
    clock,
    fault: (error) => faults.push(error),
    told: ({ outcome, code }) => decided.push(outcome, code),
  })
  return { pipeline, records, floods, at, faults, decided }
}

function callOf(method: Method, credential: string | undefined, remote = '192.0.2.1'): Call {
  const credentials = credential === undefined ? [] : [{ kind: 'api_key' as const, text: new Secret(credential) }]
  return { method, credentials, remote, requestId: 'req_of_the_call', tenantId: undefined }
}

/** How many refusals or reads the entries tell of, all together. */
function told(records: readonly LedgerRecord[]): number {
  return records.reduce((sum, { body }) => sum + ((JSON.parse(body).args?.count as number | undefined) ?? 1), 0)
}

describe('floods', () => {
  it('L14: 100,000 bad keys are a handful of entries that add up to them', async () => {
    const { pipeline, records, floods, at } = pipelineWith()
    for (let call = 0; call < 100_000; call += 1) {
      const remote = `2001:db8::${(call % 4096).toString(16)}`
      expect(await pipeline.admit(callOf(startRun, 'pc_wrong', remote))).toMatchObject({ refused: true })
      at.ms += 1
      if (call % 1000 === 999) await floods.flush()
    }
    await floods.close()
    expect(records.length).toBeLessThan(40)
    expect(told(records)).toBe(100_000)
    expect(new Set(records.map(({ log }) => log))).toEqual(new Set(['system']))
  })

  it('L14: a minute of 10,000 wrong keys a second is at most ten entries, which add up and say when, what and a sample', async () => {
    const at = { ms: 1_800_000_000_000 }
    const begun = at.ms
    const records: LedgerRecord[] = []
    const writer: WriterPort = {
      submit: (member) => {
        records.push(member.record({ outcome: 'allow' }), ...(member.more ?? []))
        return Promise.resolve({ refused: false, reply: undefined, bytes: undefined, replayed: false })
      },
    }
    const floods = new Floods(writer, { now: () => at.ms, monotonic: () => at.ms }, () => undefined)
    opened.push(floods)
    const sample = { action: '/a', requestId: 'req_1' } as LedgerRecord
    const own = { ...sample, body: JSON.stringify({ args: {} }) }
    for (let call = 0; call < 600_000; call += 1) {
      at.ms = begun + Math.floor(call / 10)
      // As the gate answers them: a few are looked at, then the address is over its rate.
      const code = call < 50 || call % 2000 === 0 ? 'auth.credential_invalid' : 'rate.limited'
      await floods.anonymous('192.0.2.1', code, () => own)
      if (call % 10_000 === 9999) await floods.flush()
    }
    await floods.close()
    expect(records.length).toBeLessThanOrEqual(10)
    expect(told(records)).toBe(600_000)
    const counted = records.map(({ body }) => JSON.parse(body)).filter(({ kind }) => kind === 'denials.counted')
    for (const { args } of counted) expect(args).toMatchObject({ method: '/a', requestId: 'req_1' })
    expect(counted.at(-1)?.args.last).toBe(new Date(at.ms).toISOString())
  })

  it('L14: 20,000 denials of one known caller are its first fifty for each reason, and counts in its own log', async () => {
    const { pipeline, records, floods, at } = pipelineWith({ scopes: new Set() })
    for (let call = 0; call < 20_000; call += 1) {
      expect(await pipeline.admit(callOf(startRun, text.reveal()))).toMatchObject({ code: 'auth.scope_missing' })
      at.ms += 1
      if (call % 1000 === 999) await floods.flush()
    }
    await floods.close()
    expect(records.length).toBeLessThan(60)
    expect(told(records)).toBe(20_000)
    expect(new Set(records.map(({ log }) => log))).toEqual(new Set(['acme']))
  })
})

describe('audit modes', () => {
  it('L7: public reads and Check are of best effort; no entry, no answer is the rule for everything else', () => {
    const best = [...methods.values()].filter(({ bestEffort }) => bestEffort).map(({ path }) => path.split('/').at(-1))
    expect(new Set(best)).toEqual(new Set(['Check', 'CheckBatch', 'GetLeaderboard', 'GetTelemetrySummary']))
  })

  it('L7: a public read is answered while its entry is still on its way, and many of them are counted', async () => {
    const stuck = pipelineWith({ stuck: true })
    const admission = await stuck.pipeline.admit(callOf(summary, undefined))
    if (isRefusal(admission)) throw new Error(admission.code)
    const message = create(GetTelemetrySummaryRequestSchema)
    expect(await stuck.pipeline.perform(admission, message, undefined)).toMatchObject({ refused: false })

    const { pipeline, records, floods } = pipelineWith()
    for (let call = 0; call < 500; call += 1) {
      const admitted = await pipeline.admit(callOf(summary, undefined))
      if (isRefusal(admitted)) throw new Error(admitted.code)
      await pipeline.perform(admitted, message, undefined)
    }
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
    await floods.close()
    expect(told(records)).toBe(500)
    expect(records.map(({ log, outcome }) => [log, outcome])).toEqual(
      Array.from({ length: 3 }, () => ['system', 'allow']),
    )
  })

  it('L7: a read of best effort is answered at once, a required one waits for its entry', async () => {
    const { pipeline, records } = pipelineWith({ stuck: true })
    const admission = await pipeline.admit(callOf(check, text.reveal()))
    if (isRefusal(admission)) throw new Error(admission.code)
    const request = create(CheckRequestSchema, { credential: 'pc_x', action: 'billing:read' })
    const reply = await pipeline.perform(admission, request, undefined)
    expect(reply).toMatchObject({ refused: false })
    expect(records).toHaveLength(0)

    const waiting = await pipeline.admit(callOf(query, text.reveal()))
    if (isRefusal(waiting)) throw new Error(waiting.code)
    const required = pipeline.perform(waiting, create(QueryRequestSchema), undefined)
    const first = await Promise.race([
      required.then(() => 'answered'),
      new Promise((resolve) => setTimeout(resolve, 20, 'waits')),
    ])
    expect(first).toBe('waits')
    expect(records.map(({ action }) => action)).toContain(query.path)
  })

  it('L3: what a caller sent is masked in the reason too', async () => {
    const { pipeline, records, at } = pipelineWith()
    const admission = await pipeline.admit(callOf(startRun, text.reveal()))
    if (isRefusal(admission)) throw new Error(admission.code)
    const secretText = ['sk', 'live1234567890abcdef'].join('-')
    const said = { refused: true, code: 'input.malformed', reason: `json: ${secretText} at ${at.ms}` } as const
    await pipeline.reject(admission, said)
    expect(records[0]?.body).not.toContain(secretText)
    expect(records[0]?.body).toContain('sk-***')
  })

  it('G19: a fault in a read is server.internal, in the log and in the ledger, and not a store that is away', async () => {
    const torn = { log: 'acme', seq: '7', entry: Buffer.from('torn {'), leaf: Buffer.alloc(32) }
    const { pipeline, records, faults } = pipelineWith({
      entries: () => Promise.resolve({ rows: [torn], next: undefined }),
    })
    const admission = await pipeline.admit(callOf(query, text.reveal()))
    if (isRefusal(admission)) throw new Error(admission.code)
    expect(await pipeline.perform(admission, create(QueryRequestSchema), undefined)).toMatchObject({
      code: 'server.internal',
    })
    expect(faults).toEqual([expect.any(SyntaxError)])
    expect(records.map(({ outcome, code }) => [outcome, code])).toEqual([['error', 'server.internal']])
  })

  it('G20, L14: a public read that the store cannot serve is 503, no fault, and told to the ledger as to the metrics', async () => {
    const { pipeline, records, faults, decided } = pipelineWith({
      publicSummary: () => Promise.reject(new Error('a read of the store failed', { cause: new Error('gone') })),
    })
    const admission = await pipeline.admit(callOf(summary, undefined))
    if (isRefusal(admission)) throw new Error(admission.code)
    const reply = await pipeline.perform(admission, create(GetTelemetrySummaryRequestSchema), undefined)
    expect(reply).toMatchObject({ code: 'store.unavailable', retryAfterSeconds: 1 })
    expect([faults, decided]).toEqual([[], ['error', 'store.unavailable']])
    expect(records.map(({ outcome, code }) => [outcome, code])).toEqual([['error', 'store.unavailable']])
  })
})
