import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'

/** One call of a model in a public trace. */
export interface TraceRow {
  readonly atMs: number
  /** The hour of the trace, such as `2023-11-16 18`. */
  readonly hour: string
  readonly inputTokens: number
  readonly outputTokens: number
}

/** Reads the columns TIMESTAMP, ContextTokens and GeneratedTokens; with or without carriage returns and a last newline. */
export async function readTrace(file: string, rowsMax: number): Promise<readonly TraceRow[]> {
  const rows: TraceRow[] = []
  let line = 0
  for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    line += 1
    if (line === 1 && text !== header) throw new Error(`${file}: the first line must be ${header}`)
    if (line === 1 || text === '') continue
    if (rows.length === rowsMax) break
    const match = rowPattern.exec(text)
    if (match === null) throw new Error(`${file}:${line}: not a time and two counts of tokens`)
    const [, day = '', hour = '', rest = '', input, output] = match
    const row = {
      atMs: Date.parse(`${day}T${hour}${rest}Z`),
      hour: `${day} ${hour}`,
      inputTokens: Number(input),
      outputTokens: Number(output),
    }
    if (Number.isNaN(row.atMs)) throw new Error(`${file}:${line}: not a time`)
    rows.push(row)
  }
  if (rows.length === 0) throw new Error(`${file}: no rows`)
  return rows
}

const header = 'TIMESTAMP,ContextTokens,GeneratedTokens'
// Seven digits of a second in the published files; three are kept.
const rowPattern = /^(\d{4}-\d\d-\d\d) (\d\d)(:\d\d:\d\d\.\d{3})\d*,(\d{1,9}),(\d{1,9})$/
