import type { Client } from 'pg'
import type { SinkEntry } from '#ledger'
import { Connection, type ConnectionSettings } from './connection.ts'

/** A log that a sink has not had to its end. */
export interface LogBehind {
  readonly sink: string
  readonly log: string
  /** The sink has never been here: {@link SinkCursors.begin} says that it is owed the log. */
  readonly isNew: boolean
  /** The first entry that the sink is owed. */
  readonly begun: number
  /** Everything before it has been acknowledged. */
  readonly cursor: number
  readonly size: number
  /** How long the first entry that is not acknowledged has been waiting. */
  readonly waitingSeconds: number
}

const batchEntries = 256
const batchBytes = 1024 * 1024
const silentMs = 20_000

/** Where sinks stand, and the entries that they have not had (SPEC L9), on a connection of its own. */
export class SinkCursors {
  readonly #connection: Connection
  readonly #mine = new Map<string, Client>()

  /** PostgreSQL ends the session of a process that stands still for so long, so that another one takes its sinks over. */
  constructor(settings: ConnectionSettings, standsStillMs = silentMs) {
    const setUp = [
      ...(settings.setUp ?? []),
      `set idle_session_timeout = ${standsStillMs}`,
      // A cursor that a crash takes back a little means entries that are sent again, and spares a sync for each batch.
      'set synchronous_commit = off',
    ]
    this.#connection = new Connection({ ...settings, setUp }, 'sinks')
  }

  /** Takes the sinks that no other process has; those of a process that died are free. Answers with all that are ours. */
  async take(sinks: readonly string[]): Promise<ReadonlySet<string>> {
    const client = await this.#connection.client()
    const missing = sinks.filter((sink) => this.#mine.get(sink) !== client)
    if (missing.length > 0) {
      const { rows } = await client.query<{ sink: string; mine: boolean }>({
        name: 'sinks.take',
        text: `select s.sink, pg_try_advisory_lock(hashtextextended('portcullis sink ' || s.sink, 0)) as mine
          from unnest($1::text[]) as s (sink)`,
        values: [missing],
      })
      for (const { sink, mine } of rows) if (mine) this.#mine.set(sink, client)
    }
    return new Set(sinks.filter((sink) => this.has(sink)))
  }

  /** Whether this process still has the sink, as far as it knows: another one has it once the connection is lost. */
  has(sink: string): boolean {
    const client = this.#mine.get(sink)
    return client !== undefined && this.#connection.holds(client)
  }

  async behind(sinks: readonly string[]): Promise<readonly LogBehind[]> {
    const client = await this.#connection.client()
    const { rows } = await client.query<BehindRow>({
      name: 'sinks.behind',
      text: 'select * from audits.sinks_behind($1::text[])',
      values: [sinks],
    })
    return rows.map(({ sink, log, begun_seq: begun, next_seq: next, first_seq: first, size, waiting_seconds }) => ({
      sink,
      log,
      isNew: next === null,
      begun: Number(begun ?? first),
      cursor: Number(next ?? first),
      size: Number(size),
      waitingSeconds: waiting_seconds,
    }))
  }

  /** What the sink is owed from now on, of logs that are new to it: retention does not drop it before it was sent. */
  async begin(sink: string, logs: readonly Pick<LogBehind, 'log' | 'begun'>[]): Promise<void> {
    const client = await this.#connection.client()
    await client.query({
      name: 'sinks.begin',
      text: 'select audits.begin_sink($1, $2::text[], $3::bigint[])',
      values: [sink, logs.map(({ log }) => log), logs.map(({ begun }) => begun)],
    })
  }

  /** Entries in order from that seq on: at most 256 and about 1 MiB, and at least one where there is one. */
  async entries(log: string, from: number): Promise<readonly SinkEntry[]> {
    const client = await this.#connection.client()
    const { rows } = await client.query<{ seq: string; leaf: Uint8Array; entry: Uint8Array }>({
      name: 'sinks.entries',
      text: 'select * from audits.entries_to_send($1, $2::bigint, $3, $4)',
      values: [log, from, batchEntries, batchBytes],
    })
    return rows.map(({ seq, leaf, entry }) => ({ seq: Number(seq), leaf, entry }))
  }

  /** The sink has acknowledged everything before `next`. Moves forward only. */
  async advance(sink: string, log: string, next: number): Promise<void> {
    const client = await this.#connection.client()
    await client.query({
      name: 'sinks.advance',
      text: 'select audits.advance_sink($1, $2, $3::bigint)',
      values: [sink, log, next],
    })
  }

  async close(): Promise<void> {
    await this.#connection.close()
  }
}

interface BehindRow {
  readonly sink: string
  readonly log: string
  readonly begun_seq: string | null
  readonly next_seq: string | null
  readonly first_seq: string
  readonly size: string
  readonly waiting_seconds: number
}
