import * as z from 'zod'
import type { Client } from './client.ts'
import { cell } from './csv.ts'
import { CliError } from './errors.ts'
import { openSink } from './export-file.ts'
import type { Io } from './io.ts'
import { patiently } from './patience.ts'
import { cellText, type RecordKind } from './record-columns.ts'

// Far below what a server sends in one reply.
const pageSize = 200
const text = z.string().default('')
const rowShape = z.record(z.string(), z.unknown())
const rowsShape = z.array(rowShape).default([])
type Row = z.output<typeof rowShape>

export type Format = 'ndjson' | 'csv'

export interface Written {
  readonly file: string
  readonly rows: number
}

interface Pages {
  readonly method: string
  readonly message: object
  /** The rows of one reply, and where the next one begins. */
  readonly shape: z.ZodType<{ readonly rows: readonly Row[]; readonly nextPageToken: string }>
  /** For a table; those of the first row where none are named. */
  readonly columns?: readonly string[]
}

/** Writes all rows of a list, a page at a time, into a file that is not there yet or to the standard output. */
async function writePages(pages: Pages, { out, format }: Asked, client: Client, io: Io): Promise<Written> {
  const sink = openSink({ out }, io)
  let rows = 0
  let columns = pages.columns
  const head = (names: readonly string[]): void => sink.write(`${names.map(cell).join(',')}\r\n`)
  try {
    if (format === 'csv' && columns !== undefined) head(columns)
    for (let pageToken = ''; ;) {
      const message = { ...pages.message, pageToken }
      const page = await patiently(io, () => client.call(pages.method, message, pages.shape))
      for (const row of page.rows) {
        if (format === 'csv' && columns === undefined) head((columns = Object.keys(row)))
        sink.write(format === 'csv' ? csvLine(row, columns ?? []) : `${JSON.stringify(row)}\n`)
      }
      rows += page.rows.length
      if (page.nextPageToken === '') return { file: out, rows }
      if (page.nextPageToken === pageToken) {
        throw new CliError('unavailable', 'cli.paging', 'The server repeats a page of the list.', {
          todo: 'Tell an administrator.',
        })
      }
      pageToken = page.nextPageToken
    }
  } finally {
    sink.close()
  }
}

export interface Asked {
  /** `-` is the standard output. */
  readonly out: string
  readonly format: Format
}

export function exportRecords(
  kind: RecordKind,
  filter: object,
  asked: Asked,
  client: Client,
  io: Io,
): Promise<Written> {
  const shape = z
    .looseObject({ nextPageToken: text })
    .transform(({ nextPageToken, ...reply }) => ({ rows: rowsShape.parse(reply[kind.rows]), nextPageToken }))
  const pages = { method: kind.method, message: { ...filter, pageSize }, shape, columns: kind.columns }
  return writePages(pages, asked, client, io)
}

const linesShape = z
  .object({ jsonLines: text, nextPageToken: text })
  .transform(({ jsonLines, nextPageToken }) => ({ rows: rowsOf(jsonLines), nextPageToken }))

/** Methods that answer with JSON lines. */
export function exportLines(method: string, message: object, asked: Asked, client: Client, io: Io): Promise<Written> {
  return writePages({ method, message, shape: linesShape }, asked, client, io)
}

function rowsOf(jsonLines: string): readonly Row[] {
  return jsonLines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => rowShape.parse(JSON.parse(line)))
}

function csvLine(row: Row, columns: readonly string[]): string {
  return `${columns.map((column) => guarded(cellText(row, column))).join(',')}\r\n`
}

/** A negative number is no formula: it stays a number, so that a table can be added up. */
function guarded(value: string): string {
  return /^-\d+(?:\.\d+)?$/.test(value) ? `"${value}"` : cell(value)
}
