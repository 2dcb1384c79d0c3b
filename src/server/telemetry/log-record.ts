import { isAuditLine } from './audit-line.ts'

/** A line of the log in the data model of OpenTelemetry. */
export interface LogRecordFields {
  /** Milliseconds since the epoch. */
  readonly timestamp: number
  readonly severityNumber: number
  readonly severityText: string
  readonly body: string
  readonly attributes: Readonly<Record<string, string | number | boolean>>
}

/** From the levels of pino to the numbers of OpenTelemetry, both of which leave room between them. */
const severities = [
  [60, 21, 'FATAL'],
  [50, 17, 'ERROR'],
  [40, 13, 'WARN'],
  [30, 9, 'INFO'],
] as const

/** Undefined below `info`, and for audit lines: those have a record that knows its trace. */
export function logRecordOf(line: string): LogRecordFields | undefined {
  const level = Number(/^\{"level":(\d{1,3}),/.exec(line)?.[1])
  const severity = severities.find(([least]) => level >= least)
  if (severity === undefined) return undefined
  const { level: _, time, msg, ...fields } = JSON.parse(line) as Readonly<Record<string, unknown>>
  if (isAuditLine(fields)) return undefined
  return {
    timestamp: Number(time),
    severityNumber: severity[1],
    severityText: severity[2],
    body: typeof msg === 'string' ? msg : '',
    attributes: Object.fromEntries(Object.entries(fields).flatMap(([name, value]) => attributesOf(name, value))),
  }
}

function attributesOf(name: string, value: unknown): readonly (readonly [string, string | number | boolean])[] {
  if (name === 'err' && isError(value)) {
    return [
      ['exception.type', value.type],
      ['exception.message', value.message],
      ['exception.stacktrace', value.stack],
    ]
  }
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return [[name, value]]
  return value === null ? [] : [[name, JSON.stringify(value)]]
}

function isError(value: unknown): value is { readonly type: string; readonly message: string; readonly stack: string } {
  if (typeof value !== 'object' || value === null) return false
  return ['type', 'message', 'stack'].every((name) => typeof Reflect.get(value, name) === 'string')
}
