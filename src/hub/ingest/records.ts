import { parseNanoUsd } from '#core'
import type { TokenClasses } from '../costs/usage-classes.ts'
import { sizes } from '../runs/rules.ts'
import { Attributes, SpanProblem } from './attributes.ts'
import type { ReadSpan } from './spans.ts'
import { usageOf } from './usage.ts'

/** One call of a model, as a span tells it. */
export interface SpanAttempt {
  readonly attemptNumber: number
  readonly workflow: string
  readonly provider: string
  readonly model: string
  readonly promptVersion: string
  readonly errorType: string
  readonly errorMessage: string
  readonly tokens: TokenClasses
  readonly reportedCostNanoUsd: bigint
  readonly latencyMs: bigint
}

/** An event of the run. What messages said is never part of it. */
export interface SpanEventDraft {
  readonly eventType: string
  readonly error: boolean
  readonly message: string
  readonly data: Readonly<Record<string, string | number>>
  readonly atMs: number
}

const exceptionsMax = 8

export function attemptOf({ attributes, span, failed, statusMessage, startMs, endMs }: ReadSpan): SpanAttempt {
  const provider = attributes.text('gen_ai.provider.name', 'gen_ai.system', 'llm.provider', 'llm.system')
  const model = attributes.text(
    'gen_ai.response.model',
    'gen_ai.request.model',
    'llm.model_name',
    'embedding.model_name',
  )
  if (model === '') throw new SpanProblem('names no model: gen_ai.request.model is missing')
  const cost = attributes.decimal('llm.cost.total')
  const reported = cost === undefined ? 0n : parseNanoUsd(cost)
  if (reported === undefined) throw new SpanProblem('attribute "llm.cost.total" must be an amount in USD')
  const exception = span.events.find(({ name }) => name === 'exception')
  const thrown = exception === undefined ? '' : new Attributes(exception.attributes).text('exception.type')
  return {
    attemptNumber: 1 + Number(attributes.count('http.request.resend_count') ?? 0n),
    workflow: cut(workflowIn(attributes), sizes.name),
    provider: cut(provider, sizes.name),
    model: cut(model, sizes.name),
    promptVersion: cut(promptIn(attributes), sizes.name),
    errorType: failed ? cut(attributes.text('error.type') || thrown, sizes.name) : '',
    errorMessage: failed ? cut(statusMessage, sizes.error) : '',
    tokens: usageOf(attributes, provider),
    reportedCostNanoUsd: reported,
    latencyMs: BigInt(Math.round(endMs - startMs)),
  }
}

/** What a span becomes beside an attempt: its own event where it is none, and its exceptions. */
export function eventsOf(read: ReadSpan, kind: 'attempt' | 'event'): readonly SpanEventDraft[] {
  const exceptions = read.span.events.filter(({ name }) => name === 'exception').slice(0, exceptionsMax)
  return [
    ...(kind === 'event' ? [ownEvent(read)] : []),
    ...exceptions.map(({ attributes: pairs, timeUnixNano }): SpanEventDraft => {
      const attributes = new Attributes(pairs)
      const type = attributes.text('exception.type')
      const said = attributes.text('exception.message')
      return {
        eventType: 'exception',
        error: true,
        message: cut([type, said].filter((part) => part !== '').join(': '), sizes.message),
        data: { spanId: read.spanId, traceId: read.traceId },
        atMs: within(Number(timeUnixNano / 1_000_000n), read),
      }
    }),
  ]
}

function ownEvent(read: ReadSpan): SpanEventDraft {
  const { attributes, name, failed, statusMessage, startMs, endMs, spanId, traceId, parentSpanId } = read
  const operation = attributes.text('gen_ai.operation.name') || kindName(attributes) || 'other'
  const named = {
    agent: attributes.text('gen_ai.agent.name', 'agent.name'),
    tool: attributes.text('gen_ai.tool.name', 'tool.name'),
    dataSource: attributes.text('gen_ai.data_source.id'),
    conversation: attributes.text('gen_ai.conversation.id', 'session.id'),
    errorType: failed ? attributes.text('error.type') : '',
    parentSpanId,
  }
  const given = Object.entries(named).filter(([, value]) => value !== '')
  return {
    eventType: cut(`span.${operation}`, sizes.name),
    error: failed,
    message: cut(failed && statusMessage !== '' ? `${name}: ${statusMessage}` : name, sizes.message),
    data: {
      traceId,
      spanId,
      durationMs: Math.round(endMs - startMs),
      ...Object.fromEntries(given.map(([key, value]) => [key, cut(value, sizes.name)])),
    },
    atMs: endMs,
  }
}

/** What the work is called that a span is part of; empty where it does not say. */
export function workflowIn(attributes: Attributes): string {
  return attributes.text('gen_ai.workflow.name', 'gen_ai.agent.name', 'agent.name')
}

/** `name/version`, or the one of them that is there. */
export function promptIn(attributes: Attributes): string {
  return [
    attributes.text('gen_ai.prompt.name', 'llm.prompt_template.name', 'prompt.id'),
    attributes.text('gen_ai.prompt.version', 'llm.prompt_template.version'),
  ]
    .filter((part) => part !== '')
    .join('/')
}

/** Text that the store can keep, at most that long. */
export function cut(text: string, max: number): string {
  const clean = text.includes('\0') ? text.replaceAll('\0', '') : text
  return (clean.length > max ? clean.slice(0, max) : clean).toWellFormed()
}

function kindName(attributes: Attributes): string {
  return attributes.text('openinference.span.kind').toLowerCase()
}

/** An exception has the time of its span where its own is none. */
function within(atMs: number, { startMs, endMs }: ReadSpan): number {
  return atMs >= startMs && atMs <= endMs ? atMs : endMs
}
