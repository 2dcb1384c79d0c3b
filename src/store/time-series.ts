import type { Client } from 'pg'
import type { Connection } from './connection.ts'
import { sqlState } from './errors.ts'

/** Tables that are dropped by their partitions: by day, and roll-ups by month. */
export type TelemetryTable = 'prompt_attempts' | 'run_events' | 'benchmarks' | 'telemetry_rollups_hour'

export interface TelemetryPartition {
  readonly name: string
  /** Where its rows begin, in milliseconds; undefined for the one that has all there was before. */
  readonly sinceMs: number | undefined
  readonly untilMs: number
  readonly bytes: number
  /** As of the last statistics. */
  readonly rowsAbout: number
}

export interface TelemetryDrop {
  readonly table: TelemetryTable
  readonly name: string
  readonly beforeMs: number
  readonly by: string
  /** Of the entry. */
  readonly body: string
}

/** The partitions and roll-ups of telemetry (SPEC H7), over a connection that its owner closes. */
export class TimeSeries {
  readonly #connection: Connection

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** The partitions of a table, oldest first. */
  async partitions(table: TelemetryTable): Promise<readonly TelemetryPartition[]> {
    const client = await this.#connection.client()
    const { rows } = await client.query<{ name: string; since: Date | null; until: Date; bytes: string; rows: string }>(
      'select name, since, until, bytes, rows_about as rows from portcullis.telemetry_partitions($1) order by until',
      [table],
    )
    return rows.map(({ name, since, until, bytes, rows: about }) => ({
      name,
      sinceMs: since?.getTime(),
      untilMs: until.getTime(),
      bytes: Number(bytes),
      rowsAbout: Number(about),
    }))
  }

  /** Makes those of today and of days to come; again is fine. Answers how many there were to make. */
  async make(daysAhead: number): Promise<number> {
    return makeTelemetryPartitions(await this.#connection.client(), daysAhead)
  }

  /** Adds what was recorded to the roll-ups, so many batches at most; answers how many there were. */
  async fold(atMost: number): Promise<number> {
    const client = await this.#connection.client()
    const { rows } = await client.query<{ folded: number }>({
      name: 'telemetry.fold',
      text: 'select portcullis.fold_telemetry($1) as folded',
      values: [atMost],
    })
    return rows[0]?.folded ?? 0
  }

  /**
   * Drops one partition, with an entry of that body in the log of the platform: one transaction has both. `busy`: whoever uses the table
   * did not let go of it in time; `gone`: another process has dropped it or is about to.
   */
  async drop({ table, name, beforeMs, by, body }: TelemetryDrop): Promise<'dropped' | 'gone' | 'busy'> {
    const client = await this.#connection.client()
    try {
      const { rows } = await client.query<{ dropped: boolean }>(
        'select portcullis.drop_telemetry_partition($1, $2, $3, $4, $5) as dropped',
        [table, name, new Date(beforeMs), by, body],
      )
      return rows[0]?.dropped === true ? 'dropped' : 'gone'
    } catch (error) {
      if (sqlState(error) === '55P03') return 'busy'
      throw error
    }
  }
}

/** As `TimeSeries.make`, for whoever has a client in hand. */
export async function makeTelemetryPartitions(client: Client, daysAhead: number): Promise<number> {
  const { rows } = await client.query<{ made: number }>('select portcullis.make_telemetry_partitions($1) as made', [
    daysAhead,
  ])
  return rows[0]?.made ?? 0
}
