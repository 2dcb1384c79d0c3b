import * as z from 'zod'
import type { Client } from './client.ts'
import type { EntryFilters } from './entry-filters.ts'
import { CliError } from './errors.ts'
import type { ProvenPrefix } from './export-room.ts'
import type { Io } from './io.ts'
import { patiently } from './patience.ts'
import { entryPage, type Entry } from './replies.ts'

const pageEntries = 1000
// Far below what a server sends in one reply.
const listEntries = 200

const count = z
  .string()
  .regex(/^-?\d{1,19}$/)
  .default('0')
  .transform(Number)
const page = z.object({ ndjson: z.string().default(''), nextSeq: count })
const text = z.string().default('')

const logsShape = z.object({
  logs: z
    .array(
      z.object({
        log: z.string(),
        firstSeq: count,
        size: count,
        startHash: text,
        startFrontier: text,
        pruneSeq: count,
      }),
    )
    .default([]),
})

export type LogState = z.output<typeof logsShape>['logs'][number]

/** Reads logs for an export, and waits where the server asks for it: an export is long and in no hurry. */
export class ExportPages {
  readonly #client: Client
  readonly #io: Io

  constructor(client: Client, io: Io) {
    this.#client = client
    this.#io = io
  }

  /** The logs that are there for this caller. */
  async logs(): Promise<readonly LogState[]> {
    return (await this.#patiently('LedgerService/GetLogs', {}, logsShape)).logs
  }

  /** The newest entry of a log; without a name of that of the caller's tenant. */
  async newest(log: string): Promise<Entry | undefined> {
    return (await this.#patiently('LedgerService/Query', { log, pageSize: 1 }, entryPage)).rows[0]
  }

  /** The signed checkpoint of a log, where there is one. */
  async checkpoint(log: string): Promise<{ readonly size: number; readonly note: string } | undefined> {
    const shape = z.object({ size: count, note: text })
    const { size, note } = await this.#patiently('LedgerService/GetCheckpoint', { log }, shape)
    return note === '' ? undefined : { size, note }
  }

  /** The proof that the first `from` entries are the beginning of what was signed; undefined where nothing beyond is signed. */
  async proofFrom(log: string, from: number): Promise<ProvenPrefix | undefined> {
    const shape = z.object({ to: count, fromRoot: text, proof: z.array(z.string()).default([]) })
    try {
      return {
        from,
        ...(await this.#patiently('LedgerService/GetConsistencyProof', { log, from: String(from) }, shape)),
      }
    } catch (error) {
      if (error instanceof CliError && error.exit === 'refused') return undefined
      throw error
    }
  }

  /**
   * Entries in order, a page of lines at a time. `to` is fixed before: each page is a call that is recorded in the log itself, and
   * without an end the export would follow itself for ever.
   */
  async *lines(log: string, from: number, to: number): AsyncGenerator<readonly string[]> {
    for (let next = from; next >= 0 && next <= to;) {
      const limit = Math.min(pageEntries, to - next + 1)
      const found = await this.#patiently('LedgerService/Export', { log, fromSeq: String(next), limit }, page)
      yield found.ndjson.split('\n').filter((line) => line !== '')
      next = found.nextSeq
    }
  }

  /** What a query finds, newest first, a page at a time. */
  async *found(log: string, filters: EntryFilters): AsyncGenerator<readonly Entry[]> {
    let pageToken = ''
    do {
      const message = { ...filters, log, pageSize: listEntries, pageToken }
      const { rows, nextPageToken } = await this.#patiently('LedgerService/Query', message, entryPage)
      yield rows
      if (nextPageToken === pageToken && pageToken !== '') return
      pageToken = nextPageToken
    } while (pageToken !== '')
  }

  #patiently<T>(method: string, message: object, shape: z.ZodType<T>): Promise<T> {
    return patiently(this.#io, () => this.#client.call(method, message, shape))
  }
}
