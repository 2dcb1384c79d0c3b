import { create, type MessageInitShape } from '@bufbuild/protobuf'
import {
  ResourceSpansSchema,
  type SpanSchema,
  type AnyValue,
  type KeyValue,
  type ResourceSpans,
} from '@portcullis/contract'

type Given = string | number | bigint | boolean | readonly Given[] | { readonly [key: string]: Given }

export const traceId = '0af7651916cd43dd8448eb211c80319c'
export const nowMs = Date.UTC(2026, 10, 20, 12)

/** A span as an SDK sends it: 250 ms long and just over, unless a test says otherwise. */
export function span(
  id: string,
  attributes: Readonly<Record<string, Given>>,
  more: MessageInitShape<typeof SpanSchema> & { readonly parent?: string; readonly trace?: string } = {},
): MessageInitShape<typeof SpanSchema> {
  const { parent = 'ffffffffffffffff', trace = traceId, ...given } = more
  return {
    traceId: Buffer.from(trace, 'hex'),
    spanId: Buffer.from(id, 'hex'),
    parentSpanId: Buffer.from(parent, 'hex'),
    name: 'a span',
    startTimeUnixNano: BigInt(nowMs - 250) * 1_000_000n,
    endTimeUnixNano: BigInt(nowMs) * 1_000_000n,
    attributes: pairs(attributes),
    ...given,
  }
}

export function resourceSpans(
  spans: readonly MessageInitShape<typeof SpanSchema>[],
  resource: Readonly<Record<string, Given>> = { 'service.name': 'shop' },
): ResourceSpans {
  return create(ResourceSpansSchema, {
    resource: { attributes: pairs(resource) },
    scopeSpans: [{ spans: [...spans] }],
  })
}

export function pairs(attributes: Readonly<Record<string, Given>>): KeyValue[] {
  return Object.entries(attributes).map(([key, value]) => ({
    $typeName: 'opentelemetry.proto.common.v1.KeyValue',
    key,
    value: valueOf(value),
  }))
}

function valueOf(given: Given): AnyValue {
  const $typeName = 'opentelemetry.proto.common.v1.AnyValue'
  if (typeof given === 'string') return { $typeName, value: { case: 'stringValue', value: given } }
  if (typeof given === 'boolean') return { $typeName, value: { case: 'boolValue', value: given } }
  if (typeof given === 'bigint') return { $typeName, value: { case: 'intValue', value: given } }
  if (typeof given === 'number')
    return {
      $typeName,
      value: Number.isInteger(given)
        ? { case: 'intValue', value: BigInt(given) }
        : { case: 'doubleValue', value: given },
    }
  if (Array.isArray(given))
    return {
      $typeName,
      value: {
        case: 'arrayValue',
        value: { $typeName: 'opentelemetry.proto.common.v1.ArrayValue', values: given.map(valueOf) },
      },
    }
  return {
    $typeName,
    value: {
      case: 'kvlistValue',
      value: {
        $typeName: 'opentelemetry.proto.common.v1.KeyValueList',
        values: pairs(given as Readonly<Record<string, Given>>),
      },
    },
  }
}
