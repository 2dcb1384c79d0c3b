import type { ZodType } from 'zod'
import { Client } from './client.ts'
import type { Io } from './io.ts'
import type { ListOptions } from './options.ts'
import { readPages } from './pages.ts'
import { paint, table } from './print.ts'
import type { Page } from './replies.ts'

export interface List<Row> {
  /** The name of the rows, as in the contract: `agents`. */
  readonly name: string
  readonly method: string
  readonly shape: ZodType<Page<Row>>
  readonly head: readonly string[]
  readonly cells: (row: Row, nowMs: number) => readonly string[]
  /** What to say where there are none. */
  readonly none: string
}

/** Prints a list: a table, or with `--json` `{"<name>":[…],"nextPageToken":"…"}`. */
export async function printList<Row>(list: List<Row>, filter: object, options: ListOptions, io: Io): Promise<void> {
  const client = new Client(options, io)
  const limit = options.all ? Infinity : options.limit
  const { rows, nextPageToken } = await readPages(client, list.method, filter, list.shape, limit)
  if (options.json) {
    io.out.write(`${JSON.stringify({ [list.name]: rows, nextPageToken })}\n`)
    return
  }
  const cells = rows.map((row) => list.cells(row, io.now()))
  if (rows.length > 0) io.out.write(table(list.head, cells, paint(io.out.colours)))
  else io.err.write(`${list.none}\n`)
  if (nextPageToken !== '') io.err.write(`There are more: --limit N or --all shows them.\n`)
}
