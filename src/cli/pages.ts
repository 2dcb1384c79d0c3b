import type { ZodType } from 'zod'
import type { Client } from './client.ts'
import { CliError } from './errors.ts'
import type { Page } from './replies.ts'

// Far below what a server sends in one reply.
const pageSizeMax = 200

/** Reads a list page by page until it ends or `limit` rows are there. */
export async function readPages<Row>(
  client: Client,
  method: string,
  filter: object,
  shape: ZodType<Page<Row>>,
  limit: number,
): Promise<Page<Row>> {
  const rows: Row[] = []
  const seen = new Set<string>()
  let pageToken = ''
  do {
    const pageSize = Math.min(pageSizeMax, limit - rows.length)
    const page: Page<Row> = await client.call(method, { ...filter, pageSize, pageToken }, shape)
    rows.push(...page.rows)
    // A server that gives the same page again would keep us here for ever. An empty page may well have a next one.
    if (seen.has(page.nextPageToken)) {
      throw new CliError('unavailable', 'cli.paging', 'The server repeats a page of the list.', {
        todo: 'Ask for fewer with --limit, and tell an administrator.',
      })
    }
    pageToken = page.nextPageToken
    if (pageToken !== '') seen.add(pageToken)
  } while (pageToken !== '' && rows.length < limit)
  return { rows, nextPageToken: pageToken }
}
