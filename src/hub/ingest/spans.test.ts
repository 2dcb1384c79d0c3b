import { describe, expect, it } from 'vitest'
import { SpanStatusCode } from '@portcullis/contract'
import { mapSpans, type MappedSpan } from './spans.ts'
import { nowMs, pairs, resourceSpans, span } from './spans.fixture.ts'

function mapped(...spans: Parameters<typeof resourceSpans>[0]) {
  return mapSpans([resourceSpans(spans)], nowMs)
}

function only(...given: Parameters<typeof span>): MappedSpan {
  const { spans, rejections } = mapped(span(...given))
  expect(rejections).toEqual([])
  const [first] = spans
  if (first === undefined) throw new Error('no span came out')
  return first
}

const chat = { 'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'openai', 'gen_ai.request.model': 'gpt-5' }

describe('calls of models', () => {
  it('H13: a client span of OpenTelemetry is an attempt; its input includes cached tokens, its output the reasoning', () => {
    const { kind, attempt } = only('0000000000000001', {
      ...chat,
      'gen_ai.response.model': 'gpt-5-2026-01-01',
      'gen_ai.usage.input_tokens': 100,
      'gen_ai.usage.cache_read.input_tokens': 60,
      'gen_ai.usage.output_tokens': 30,
      'gen_ai.usage.reasoning.output_tokens': 20,
      'gen_ai.prompt.name': 'triage',
      'gen_ai.prompt.version': 'v3',
    })
    expect(kind).toBe('attempt')
    expect(attempt).toMatchObject({
      provider: 'openai',
      model: 'gpt-5-2026-01-01',
      promptVersion: 'triage/v3',
      latencyMs: 250n,
      tokens: { input: 40n, cachedRead: 60n, cacheWrite: 0n, output: 10n, reasoning: 20n },
    })
  })

  it('H13: deprecated names are read, too: gen_ai.system, prompt_tokens, completion_tokens', () => {
    const { attempt } = only('0000000000000001', {
      'gen_ai.system': 'mistral_ai',
      'gen_ai.request.model': 'mistral-large',
      'gen_ai.usage.prompt_tokens': 12,
      'gen_ai.usage.completion_tokens': 5,
    })
    expect(attempt).toMatchObject({ provider: 'mistral_ai', tokens: { input: 12n, output: 5n } })
  })

  it("H11 H13: Anthropic's own field excludes cached tokens, and OpenTelemetry's of the same provider includes them", () => {
    const usage = {
      'gen_ai.request.model': 'claude-sonnet-4-5',
      'gen_ai.operation.name': 'chat',
      'gen_ai.usage.input_tokens': 100,
      'gen_ai.usage.cache_read.input_tokens': 60,
      'gen_ai.usage.cache_creation.input_tokens': 10,
    }
    const tokens = (more: Record<string, string | number>) =>
      only('0000000000000001', { ...usage, ...more }).attempt?.tokens
    expect(tokens({ 'gen_ai.provider.name': 'anthropic' })).toMatchObject({
      input: 30n,
      cachedRead: 60n,
      cacheWrite: 10n,
    })
    // Instrumentations from before gen_ai.provider.name hand on what the API says.
    expect(tokens({ 'gen_ai.system': 'anthropic' })).toMatchObject({ input: 100n, cachedRead: 60n, cacheWrite: 10n })
    // A part that is larger than its whole is none.
    expect(tokens({ 'gen_ai.provider.name': 'anthropic', 'gen_ai.usage.input_tokens': 5 })).toMatchObject({ input: 5n })
    expect(tokens({ 'gen_ai.provider.name': 'openai', 'gen_ai.usage.input_tokens': 5 })).toMatchObject({ input: 0n })
  })

  it('H13: an LLM span of OpenInference is an attempt; its prompt includes what came from the cache', () => {
    const { attempt } = only('0000000000000001', {
      'openinference.span.kind': 'LLM',
      'llm.provider': 'openai',
      'llm.model_name': 'gpt-4o',
      'llm.token_count.prompt': 100,
      'llm.token_count.prompt_details.cache_read': 40,
      'llm.token_count.completion': 20,
      'llm.token_count.completion_details.reasoning': 5,
      'llm.cost.total': 0.0123,
      'llm.input_messages.0.message.content': 'never stored',
    })
    expect(attempt).toMatchObject({
      provider: 'openai',
      model: 'gpt-4o',
      reportedCostNanoUsd: 12_300_000n,
      tokens: { input: 60n, cachedRead: 40n, output: 15n, reasoning: 5n },
    })
    expect(JSON.stringify(attempt, (_, value) => (typeof value === 'bigint' ? String(value) : value))).not.toContain(
      'never',
    )
  })

  it('H13: the status of a span decides on the outcome, error.type and the exception on its type', () => {
    const failed = only('0000000000000001', chat, {
      status: { code: SpanStatusCode.ERROR, message: 'overloaded' },
      events: [{ name: 'exception', attributes: pairs({ 'exception.type': 'APIError', 'exception.message': 'busy' }) }],
    })
    expect([failed.failed, failed.attempt?.errorType, failed.attempt?.errorMessage]).toEqual([
      true,
      'APIError',
      'overloaded',
    ])
    expect(failed.events).toMatchObject([{ eventType: 'exception', error: true, message: 'APIError: busy' }])
    expect(only('0000000000000001', { ...chat, 'error.type': '429' }).attempt?.errorType).toBe('429')
  })
})

describe('what is no call of a model', () => {
  it('H13: tools, retrievers and agents become events of their run, without their arguments and results', () => {
    const tool = only('0000000000000001', {
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': 'search',
      'gen_ai.tool.call.arguments': 'never stored',
    })
    expect(tool.events).toMatchObject([{ eventType: 'span.execute_tool', data: { tool: 'search', durationMs: 250 } }])
    const retriever = only('0000000000000002', {
      'openinference.span.kind': 'RETRIEVER',
      'input.value': 'never stored',
    })
    expect(retriever.events).toMatchObject([{ eventType: 'span.retriever', message: 'a span' }])
    expect(JSON.stringify([tool.events, retriever.events])).not.toContain('never')
  })

  it('H13: a span without parent ends its run; so does an agent below another process, and nothing else below a parent', () => {
    expect(only('0000000000000001', chat, { parent: '' }).root).toBe(true)
    const agent = { 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': 'planner' }
    expect(only('0000000000000001', agent, { flags: 0x301 }).root).toBe(true)
    expect(only('0000000000000001', agent, { flags: 0x101 }).root).toBe(false)
    expect(only('0000000000000001', chat, { flags: 0x301 }).root).toBe(false)
  })

  it('H13: spans that say nothing of models are left alone, but for the root, which ends the run of its trace', () => {
    const { spans, ignored } = mapped(
      span('0000000000000001', { 'http.request.method': 'GET' }),
      span('0000000000000002', { 'http.route': '/' }, { parent: '' }),
    )
    expect([ignored, spans.map(({ kind, root }) => [kind, root])]).toEqual([1, [['none', true]]])
  })
})

describe('bad spans', () => {
  const ns = (ms: number): bigint => BigInt(ms) * 1_000_000n
  const many = Object.fromEntries(Array.from({ length: 1001 }, (_, at) => [`k${at}`, at]))
  let deep: readonly unknown[] = ['bottom']
  for (let at = 0; at < 12; at++) deep = [deep]

  it.each([
    [
      'a trace id of 8 bytes',
      span('0000000000000001', chat, { trace: '00000000000000ff' }),
      /traceId must have 16 bytes, not 8/,
    ],
    ['a span id of zeros', span('0000000000000000', chat), /spanId is all zeros/],
    ['no end', span('0000000000000001', chat, { endTimeUnixNano: 0n }), /has not ended/],
    [
      'an end before the start',
      span('0000000000000001', chat, { endTimeUnixNano: ns(nowMs - 900) }),
      /ends before it starts/,
    ],
    [
      'milliseconds for nanoseconds',
      span('0000000000000001', chat, { startTimeUnixNano: BigInt(nowMs) }),
      /before 2020/,
    ],
    ['the far future', span('0000000000000001', chat, { endTimeUnixNano: ns(nowMs + 3_600_000) }), /in the future/],
    [
      'the far past',
      span('0000000000000001', chat, {
        startTimeUnixNano: ns(nowMs - 8 * 86_400_000),
        endTimeUnixNano: ns(nowMs - 8 * 86_400_000),
      }),
      /more than 7 days ago/,
    ],
    ['no model', span('0000000000000001', { 'gen_ai.operation.name': 'chat' }), /names no model/],
    [
      'tokens as text',
      span('0000000000000001', { ...chat, 'gen_ai.usage.input_tokens': 'many' }),
      /must be a whole number/,
    ],
    ['negative tokens', span('0000000000000001', { ...chat, 'gen_ai.usage.output_tokens': -1 }), /not negative/],
    ['a model that is a list', span('0000000000000001', { ...chat, 'gen_ai.response.model': ['a'] }), /must be text/],
    ['too many attributes', span('0000000000000001', { ...chat, ...many }), /has 1004 attributes/],
    ['a value in a value in a value', span('0000000000000001', { ...chat, deep: deep as never }), /nested deeper/],
  ])('H13: %s is rejected with a reason, and the span beside it is taken', (_, bad, reason) => {
    const { spans, rejections } = mapped(bad, span('00000000000000aa', chat))
    expect(spans.map(({ spanId }) => spanId)).toEqual(['00000000000000aa'])
    expect(rejections).toHaveLength(1)
    expect(rejections[0]?.reason).toMatch(reason)
  })

  it('H13: half a character, a NUL and endless text are stored as what can be kept', () => {
    const { attempt } = only('0000000000000001', { ...chat, 'gen_ai.request.model': `a\u0000\ud800${'b'.repeat(500)}` })
    expect(attempt?.model).toBe(`a\ufffd${'b'.repeat(198)}`)
  })
})
