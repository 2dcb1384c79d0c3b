import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { systemClock } from '#core'

/** One call of a model in a trace. */
export interface TraceRow {
  readonly atMs: number
  /** The hour of the trace in UTC, such as `2023-11-16 18`. */
  readonly hour: string
  readonly inputTokens: number
  readonly outputTokens: number
}

/** A file that is no trace: says which line and what is wrong with it. */
export class TraceError extends Error {
  override readonly name = 'TraceError'
}

/** Reads a trace from a file, at most `rowsMax` rows of it. */
export async function readTrace(file: string, rowsMax = Infinity): Promise<readonly TraceRow[]> {
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Infinity })
  try {
    return await parseTrace(lines, file, rowsMax)
  } finally {
    lines.close()
  }
}

/** The rows of a trace: columns by the names in its first line, in any order; others are ignored, and so are empty lines. */
export async function parseTrace(
  lines: AsyncIterable<string> | Iterable<string>,
  name: string,
  rowsMax = Infinity,
): Promise<readonly TraceRow[]> {
  const rows: TraceRow[] = []
  const nowMs = systemClock.now()
  let columns: Columns | undefined
  let number = 0
  for await (const line of lines) {
    number += 1
    if (columns === undefined) {
      columns = findColumns(line, name)
      continue
    }
    if (line.trim() === '') continue
    if (rows.length >= rowsMax) break
    const row = parseRow(line, columns, nowMs)
    if (typeof row === 'string') throw new TraceError(`${name}, line ${number}: ${row}`)
    rows.push(row)
  }
  if (columns === undefined) throw new TraceError(`${name} is empty; its first line must name ${wanted.join(', ')}`)
  if (rows.length === 0) throw new TraceError(`${name} has no rows after its first line`)
  return rows
}

interface Columns {
  readonly time: number
  readonly input: number
  readonly output: number
  readonly count: number
}

const wanted = ['TIMESTAMP', 'ContextTokens', 'GeneratedTokens'] as const
// Published traces have seven digits of a second; without a zone a time is UTC.
const timePattern = /^(\d{4}-\d\d-\d\d)[ T](\d\d)(:\d\d:\d\d)(?:(\.\d{1,3})\d*)?Z?$/
const countPattern = /^\d{1,12}$/
// What the server takes: told here, a file that it would refuse in the middle is refused before anything is sent.
const earliestMs = Date.UTC(2020, 0, 1)

function findColumns(line: string, name: string): Columns {
  const names = cells(line.replace(/^\uFEFF/, ''))
  const [time = -1, input = -1, output = -1] = wanted.map((each) => names.indexOf(each))
  const missing = wanted.filter((each) => !names.includes(each))
  // Two of a name: nobody can tell which of them is meant.
  const twice = wanted.filter((each) => names.indexOf(each) !== names.lastIndexOf(each))
  if (twice.length > 0)
    throw new TraceError(`${name}, line 1: ${twice.join(', ')} must be there once, not twice or more`)
  if (missing.length === 0) return { time, input, output, count: names.length }
  if (line.trim() === '') throw new TraceError(`${name}, line 1: is empty; it must name ${wanted.join(', ')}`)
  const columns = missing.length === 1 ? 'the column' : 'the columns'
  throw new TraceError(
    `${name}, line 1: ${columns} ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing`,
  )
}

/** The row, or what is wrong with the line. */
function parseRow(line: string, { time, input, output, count }: Columns, nowMs: number): TraceRow | string {
  const found = cells(line)
  if (found.length !== count) return `has ${found.length} columns, the first line has ${count}`
  const [, day = '', hour = '', minutes = '', fraction = ''] = timePattern.exec(found[time] ?? '') ?? []
  const atMs = Date.parse(`${day}T${hour}${minutes}${fraction}Z`)
  // A day that its month does not have would become one of the next month.
  if (Number.isNaN(atMs) || !new Date(atMs).toISOString().startsWith(`${day}T${hour}`))
    return 'TIMESTAMP is not a time such as 2023-11-16 18:15:46.680'
  if (atMs < earliestMs || atMs > nowMs) return 'TIMESTAMP must be since 2020 and not in the future'
  const [inputTokens = '', outputTokens = ''] = [found[input], found[output]]
  if (!countPattern.test(inputTokens)) return 'ContextTokens is not a whole number'
  if (!countPattern.test(outputTokens)) return 'GeneratedTokens is not a whole number'
  return {
    atMs,
    hour: `${day} ${hour}`,
    inputTokens: Number(inputTokens),
    outputTokens: Number(outputTokens),
  }
}

function cells(line: string): readonly string[] {
  return line.split(',').map((cell) => cell.trim().replace(/^"(.*)"$/, '$1'))
}
