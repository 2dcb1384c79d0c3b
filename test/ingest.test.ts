import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { context, SpanKind, SpanStatusCode, trace, type Attributes } from '@opentelemetry/api'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ExportTraceServiceRequestSchema, ExportTraceServiceResponseSchema, StatusSchema } from '@portcullis/contract'
import { fakeIo, runLine } from '../src/cli/fakes.ts'
import { pairs } from '../src/hub/ingest/spans.fixture.ts'
import { grpcClient } from './harness/grpc.ts'
import { startInstance, type TestInstance } from './harness/instance.ts'
import { modeloManState } from './harness/modeloman-state.ts'
import { exportOf, hex, nested, sdk, spanBytes, spanJson } from './harness/otlp.ts'

const binary = 'application/x-protobuf'
let instance: TestInstance
let worker: { readonly id: string; readonly key: string }
let other: { readonly id: string; readonly key: string }

beforeAll(async () => {
  instance = await startInstance()
  worker = await instance.agent('worker', ['telemetry:write'])
  other = await instance.agent('other', ['telemetry:write'])
})
afterAll(() => instance.stop())

interface Sent {
  readonly type?: string
  readonly key?: string | undefined
  readonly headers?: Record<string, string>
}

async function post(body: Uint8Array | string, { type = 'application/json', key = worker.key, headers }: Sent = {}) {
  const reply = await fetch(`${instance.url}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': type, ...(key === '' ? {} : { authorization: `Bearer ${key}` }), ...headers },
    body: typeof body === 'string' ? body : Buffer.from(body),
    signal: AbortSignal.timeout(30_000),
  })
  return { status: reply.status, headers: reply.headers, bytes: new Uint8Array(await reply.arrayBuffer()) }
}

async function postJson(body: unknown, sent: Sent = {}) {
  const { status, headers, bytes } = await post(JSON.stringify(body), sent)
  return { status, headers, body: JSON.parse(Buffer.from(bytes).toString()) }
}

const runsOf = async (workflow: string) => (await instance.call('HubService/ListRuns', { workflow })).body.runs
const attemptsOf = async (runId: string) =>
  (await instance.call('HubService/ListPromptAttempts', { runId })).body.attempts
const eventsOf = async (runId: string) => (await instance.call('HubService/ListRunEvents', { runId })).body.events

describe('spans of the official OpenTelemetry SDK', () => {
  it('H13: a trace of GenAI spans becomes a run with attempts and events, over several batches and compressed', async () => {
    const { tracer, flush, end } = sdk(instance.url, worker.key, 'shop', 'gzip')
    const root = tracer.startSpan('invoke_agent planner', {
      attributes: { 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': 'planner' },
    })
    const within = trace.setSpan(context.active(), root)
    const child = (name: string, attributes: Attributes, kind = SpanKind.CLIENT) =>
      tracer.startSpan(name, { kind, attributes }, within)
    child('chat claude', {
      'gen_ai.operation.name': 'chat',
      'gen_ai.workflow.name': 'sdk-planning',
      'gen_ai.provider.name': 'anthropic',
      'gen_ai.request.model': 'claude-sonnet-4-5',
      'gen_ai.usage.input_tokens': 1000,
      'gen_ai.usage.cache_read.input_tokens': 900,
      'gen_ai.usage.output_tokens': 50,
      'gen_ai.input.messages': '[{"role":"user","parts":[{"type":"text","content":"the secret plan"}]}]',
    }).end()
    await flush()
    const [first] = await runsOf('sdk-planning')
    expect(first).toMatchObject({ status: 'TASK_STATE_WORKING', agentId: worker.id, totalAttempts: '1' })

    const failing = child('chat claude', {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'anthropic',
      'gen_ai.request.model': 'claude-sonnet-4-5',
      'error.type': 'overloaded_error',
    })
    failing.recordException(new TypeError('no answer'))
    failing.setStatus({ code: SpanStatusCode.ERROR, message: 'overloaded' })
    failing.end()
    child('execute_tool search', {
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': 'search',
      'gen_ai.tool.call.arguments': '{"q":"the secret plan"}',
    }).end()
    child('GET', { 'http.request.method': 'GET' }).end()
    root.end()
    await end()

    const runs = await runsOf('sdk-planning')
    expect(runs).toHaveLength(1)
    expect(runs[0]).toMatchObject({
      id: first.id,
      status: 'TASK_STATE_COMPLETED',
      totalAttempts: '2',
      successAttempts: '1',
      failedAttempts: '1',
      tokens: { input: '100', cachedRead: '900', output: '50' },
    })
    const attempts = await attemptsOf(first.id)
    expect(attempts).toMatchObject([
      { outcome: 'ATTEMPT_OUTCOME_FAILED', errorType: 'overloaded_error', errorMessage: 'overloaded' },
      {
        outcome: 'ATTEMPT_OUTCOME_SUCCESS',
        provider: 'anthropic',
        model: 'claude-sonnet-4-5',
        workflow: 'sdk-planning',
      },
    ])
    const events = await eventsOf(first.id)
    expect(events.map(({ eventType }: { eventType: string }) => eventType).toSorted()).toEqual([
      'exception',
      'span.execute_tool',
      'span.invoke_agent',
    ])
    expect(JSON.stringify([attempts, events, runs])).not.toContain('secret plan')
  })

  it('H13: OpenInference spans of the same SDK do, too', async () => {
    const { tracer, end } = sdk(instance.url, worker.key, 'inference-shop')
    const root = tracer.startSpan('agent', {
      attributes: { 'openinference.span.kind': 'AGENT', 'agent.name': 'oi-agent', 'input.value': 'the secret plan' },
    })
    const within = trace.setSpan(context.active(), root)
    const llm = {
      'openinference.span.kind': 'LLM',
      'llm.provider': 'openai',
      'llm.model_name': 'gpt-4o',
      'llm.token_count.prompt': 120,
      'llm.token_count.prompt_details.cache_read': 20,
      'llm.token_count.completion': 7,
      'llm.cost.total': 0.0005,
    }
    tracer.startSpan('llm', { attributes: llm }, within).end()
    tracer.startSpan('docs', { attributes: { 'openinference.span.kind': 'RETRIEVER' } }, within).end()
    root.end()
    await end()
    const [run] = await runsOf('oi-agent')
    expect(run).toMatchObject({
      status: 'TASK_STATE_COMPLETED',
      tokens: { input: '100', cachedRead: '20', output: '7' },
    })
    expect(await attemptsOf(run.id)).toMatchObject([{ model: 'gpt-4o', reportedCostNanoUsd: '500000' }])
    expect((await eventsOf(run.id)).map(({ eventType }: { eventType: string }) => eventType).toSorted()).toEqual([
      'span.agent',
      'span.retriever',
    ])
  })

  it('H13: the same comes in over gRPC, as OTLP has it, through the same gate', async () => {
    const exported = {
      traceId: randomBytes(16),
      spanId: randomBytes(8),
      name: 'chat',
      startTimeUnixNano: BigInt(Date.now()) * 1_000_000n,
      endTimeUnixNano: BigInt(Date.now()) * 1_000_000n,
      attributes: pairs({
        'gen_ai.operation.name': 'chat',
        'gen_ai.request.model': 'm',
        'gen_ai.agent.name': 'over-grpc',
      }),
    }
    const message = create(ExportTraceServiceRequestSchema, {
      resourceSpans: [{ scopeSpans: [{ spans: [exported, {}] }] }],
    })
    const grpc = grpcClient(instance.grpc)
    const path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export'
    const bytes = toBinary(ExportTraceServiceRequestSchema, message)
    const reply = await grpc.call(path, bytes, { authorization: `Bearer ${worker.key}` })
    const { partialSuccess } = fromBinary(ExportTraceServiceResponseSchema, reply.bytes ?? new Uint8Array())
    expect([reply.code, partialSuccess?.rejectedSpans]).toEqual([0, 1n])
    expect(await runsOf('over-grpc')).toMatchObject([{ status: 'TASK_STATE_COMPLETED', totalAttempts: '1' }])
    expect((await grpc.call(path, bytes)).reason).toBe('auth.credential_missing')
    grpc.close()
  })

  it('H13: batches of one trace that come at the same time add to one run', async () => {
    const traceId = hex(16)
    const name = [{ key: 'gen_ai.workflow.name', value: { stringValue: 'at-once' } }]
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => postJson(exportOf(spanJson({ traceId, parentSpanId: hex(8) }, name)))),
    )
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    expect(await runsOf('at-once')).toMatchObject([{ totalAttempts: '12' }])
  })
})

describe('what comes again', () => {
  it('H13: the same bytes are answered from what was stored, and a span in another batch makes nothing', async () => {
    const name = [{ key: 'gen_ai.workflow.name', value: { stringValue: 'again' } }]
    const one = spanJson({}, name)
    const first = await postJson(exportOf(one))
    expect([first.status, first.body]).toEqual([200, {}])
    const same = await postJson(exportOf(one))
    expect([same.status, same.headers.get('idempotency-replayed')]).toEqual([200, 'true'])
    const more = await postJson(exportOf(one, one, spanJson({ traceId: one.traceId, parentSpanId: one.spanId }, name)))
    expect([more.status, more.body]).toEqual([200, {}])
    expect(await runsOf('again')).toMatchObject([{ totalAttempts: '2' }])
  })

  it('H13: two agents that report one trace have a run each', async () => {
    const name = [{ key: 'gen_ai.workflow.name', value: { stringValue: 'shared' } }]
    const one = spanJson({}, name)
    await postJson(exportOf(one))
    await postJson(exportOf(one), { key: other.key })
    const runs = await runsOf('shared')
    expect(runs.map(({ agentId }: { agentId: string }) => agentId).toSorted()).toEqual([worker.id, other.id].toSorted())
  })
})

describe('bad input', () => {
  it('H13: spans that are wrong are rejected with a reason, in JSON and in protobuf, and the others are taken', async () => {
    const name = [{ key: 'gen_ai.workflow.name', value: { stringValue: 'half-bad' } }]
    const many = Array.from({ length: 5000 }, (_, at) => ({ key: `k${at}`, value: {} }))
    const json = await postJson(
      exportOf(
        spanJson({ traceId: 'xyz' }, name),
        spanJson({ startTimeUnixNano: { no: 1 } }, name),
        spanJson({}, many),
        { nothing: true },
        'not a span',
        spanJson({}, name),
      ),
    )
    expect(json.status).toBe(200)
    expect(json.body.partialSuccess.rejectedSpans).toBe('5')
    expect(json.body.partialSuccess.errorMessage).toMatch(/traceId must be hexadecimal/)
    const good = {
      traceId: randomBytes(16),
      spanId: randomBytes(8),
      name: 'chat',
      startTimeUnixNano: BigInt(Date.now()) * 1_000_000n,
      endTimeUnixNano: BigInt(Date.now()) * 1_000_000n,
      attributes: pairs({
        'gen_ai.operation.name': 'chat',
        'gen_ai.request.model': 'm',
        'gen_ai.workflow.name': 'half-bad',
      }),
    }
    const bad = { ...good, spanId: randomBytes(3) }
    const encoded = (spans: readonly object[]): Buffer =>
      Buffer.from(
        toBinary(
          ExportTraceServiceRequestSchema,
          create(ExportTraceServiceRequestSchema, { resourceSpans: [{ scopeSpans: [{ spans: [...spans] }] }] }),
        ),
      )
    // A span with a million empty attributes, which two bytes each say; repeated messages are the concatenation of both.
    const heavy = nested(
      1,
      nested(2, nested(2, Buffer.concat([spanBytes(good), Buffer.from('4a00'.repeat(1_000_000), 'hex')]))),
    )
    const answer = await post(gzipSync(Buffer.concat([heavy, encoded([bad, good])])), {
      type: binary,
      headers: { 'content-encoding': 'gzip' },
    })
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, binary])
    const { partialSuccess } = fromBinary(ExportTraceServiceResponseSchema, answer.bytes)
    expect(partialSuccess?.rejectedSpans).toBe(2n)
    expect(partialSuccess?.errorMessage).toMatch(
      /^2 of 3 spans.*has 1000003 attributes.*spanId must have 8 bytes, not 3/s,
    )
    expect((await runsOf('half-bad')).map(({ totalAttempts }: { totalAttempts: string }) => totalAttempts)).toEqual([
      '1',
      '1',
    ])
  })

  it('H13: a span of a model that a kill switch stops is rejected, and the others of the request are taken', async () => {
    const scope = { kind: 'model', id: 'stopped-model' }
    const { body } = await instance.call('KillService/Engage', { scope, reason: 'a test' })
    const name = [{ key: 'gen_ai.workflow.name', value: { stringValue: 'half-killed' } }]
    const killed = { key: 'gen_ai.response.model', value: { stringValue: 'stopped-model' } }
    const answer = await postJson(exportOf(spanJson({}, [...name, killed]), spanJson({}, name)))
    expect(answer.body.partialSuccess).toMatchObject({
      rejectedSpans: '1',
      errorMessage: expect.stringMatching(/kill switch/),
    })
    expect(await runsOf('half-killed')).toMatchObject([{ totalAttempts: '1' }])
    expect((await instance.call('KillService/Release', { killId: body.kill.id })).status).toBe(200)
  })

  it('H13: a span beyond a limit of the policy is rejected like any attempt, in the run that begins with it', async () => {
    await instance.call('PolicyService/SetPolicy', { policy: { maxAttemptsPerRun: '1' } })
    const name = [{ key: 'gen_ai.workflow.name', value: { stringValue: 'limited' } }]
    const traceId = hex(16)
    const events = [{ name: 'exception', timeUnixNano: `${Date.now()}000000` }]
    const late = spanJson({ traceId, parentSpanId: hex(8), events }, name)
    const answer = await postJson(exportOf(spanJson({ traceId }, name), late))
    expect(answer.body.partialSuccess).toMatchObject({ rejectedSpans: '1' })
    expect((await postJson(exportOf(late))).body.partialSuccess).toMatchObject({ rejectedSpans: '1' })
    const [limited] = await runsOf('limited')
    expect([limited.totalAttempts, await eventsOf(limited.id)]).toEqual(['1', []])
    const denied = await instance.call('LedgerService/Query', { action: 'policy.denied' })
    expect(denied.body.entries).toHaveLength(2)
    await instance.call('PolicyService/SetPolicy', { policy: {} })
    // It may come again: what was refused has left nothing behind.
    expect((await postJson(exportOf(late, late))).body).toEqual({})
    expect(await runsOf('limited')).toMatchObject([{ totalAttempts: '2' }])
    expect(await eventsOf(limited.id)).toHaveLength(1)
  })

  it('H13: a body that is no export, too many spans and a bomb are refused whole, in the form of the sender', async () => {
    const bomb = gzipSync(Buffer.alloc(5 * 1024 * 1024))
    const many = exportOf(...Array.from({ length: 1001 }, () => ({})))
    const cases: readonly (readonly [Uint8Array | string, Sent, number])[] = [
      ['{"resourceSpans":', {}, 400],
      ['[]', {}, 400],
      [JSON.stringify({ resourceSpans: {} }), {}, 400],
      [`{"resourceSpans":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, {}, 400],
      [JSON.stringify(many), {}, 413],
      [Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]), { type: binary }, 400],
      [bomb, { type: binary, headers: { 'content-encoding': 'gzip' } }, 413],
      [
        gzipSync(Buffer.alloc(4_000_000, Buffer.from([0x0a, 0]))),
        { type: binary, headers: { 'content-encoding': 'gzip' } },
        413,
      ],
      ['no gzip', { headers: { 'content-encoding': 'gzip' } }, 400],
      ['{}', { headers: { 'content-encoding': 'br' } }, 415],
      ['{}', { type: 'text/plain' }, 415],
      ['{}', { key: 'pc_nobody' }, 401],
      ['{}', { key: '' }, 401],
    ]
    for (const [body, sent, status] of cases) {
      const answer = await post(body, sent)
      expect([answer.status, Buffer.from(body).toString().slice(0, 40)]).toEqual([
        status,
        Buffer.from(body).toString().slice(0, 40),
      ])
      if (sent.type === binary) {
        expect(answer.headers.get('content-type')).toBe(binary)
        expect(fromBinary(StatusSchema, answer.bytes).message).not.toBe('')
      } else {
        expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
      }
    }
    const lacking = await instance.agent('reader', ['tasks:write'])
    expect((await post('{}', { key: lacking.key })).status).toBe(403)
    expect((await post('{}')).status).toBe(200)
  })
})

describe('import modeloman', () => {
  it('H14: a ModeloMan state becomes tasks, notes, changelog, benchmarks, runs, attempts and events; a second import adds nothing', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'portcullis-import-'))
    const file = join(folder, 'state.json')
    await writeFile(file, JSON.stringify(modeloManState))
    const io = () => fakeIo({ env: { PORTCULLIS_URL: instance.url, PORTCULLIS_KEY: instance.adminKey } })
    const first = await runLine(`import modeloman ${file} --json`, io())
    expect([first.code, first.err]).toEqual([0, ''])
    expect(JSON.parse(first.out).sections).toMatchObject({
      attempts: { found: 201, imported: 201 },
      runs: { imported: 2 },
    })
    const runs = await runsOf('moved')
    expect(runs).toHaveLength(2)
    const failed = runs.find(({ taskId }: { taskId: string }) => taskId === 't')
    expect(failed).toMatchObject({
      status: 'TASK_STATE_FAILED',
      lastError: 'gave up',
      totalAttempts: '201',
      failedAttempts: '1',
      costNanoUsd: '20100000000',
    })
    const attempts = (await instance.call('HubService/ListPromptAttempts', { runId: failed.id, outcome: 'failed' }))
      .body.attempts
    expect(attempts).toMatchObject([
      { errorType: 'timeout', createdAt: '2026-02-03T04:05:06Z', reportedCostNanoUsd: '100000000' },
    ])
    const benchmarks = (await instance.call('HubService/ListBenchmarks', { workflow: 'moved' })).body.benchmarks
    expect(benchmarks).toMatchObject([
      { costNanoUsd: '123456', qualityScoreMilli: 500, tokens: { input: '3', output: '4' } },
    ])
    expect((await instance.call('HubService/ListTasks', { tag: 'a' })).body.tasks).toMatchObject([
      { status: 'TASK_STATE_WORKING' },
    ])

    // Once more with the journal, and once more without, where the idempotency keys tell.
    const again = await runLine(`import modeloman ${file} --json`, io())
    expect(JSON.parse(again.out).sections).toMatchObject({
      attempts: { imported: 0, already: 201 },
      runs: { already: 2 },
    })
    await rm(`${file}.import.jsonl`)
    expect((await runLine(`import modeloman ${file} --json`, io())).code).toBe(0)
    expect((await runsOf('moved')).map(({ id }: { id: string }) => id)).toEqual(
      runs.map(({ id }: { id: string }) => id),
    )
    expect((await runsOf('moved')).find(({ id }: { id: string }) => id === failed.id).totalAttempts).toBe('201')
    expect((await instance.call('HubService/ListNotes')).body.notes).toHaveLength(1)
    await rm(folder, { recursive: true })
  })
})
