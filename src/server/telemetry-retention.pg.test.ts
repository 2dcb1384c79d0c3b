import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Connection, TimeSeries } from '#store'
import { TestDatabase, verifyLog } from '../../test/harness/postgres.ts'
import { expiredPartitions, runTelemetryRetention, telemetryRetentionJob } from './telemetry-retention.ts'

const dayMs = 86_400_000
const keep = { attemptsDays: 90, eventsDays: 30, benchmarksDays: 365, rollupHourDays: 400 }

let database: TestDatabase
let admin: Client
let connection: Connection
let telemetry: TimeSeries
beforeAll(async () => {
  database = await TestDatabase.start()
  admin = await database.connect('postgres')
  connection = new Connection(database.settings(), 'test')
  telemetry = new TimeSeries(connection)
})
afterAll(async () => {
  await connection.close()
  await database.stop()
})

async function droppedEntries(): Promise<readonly { args: Record<string, unknown>; kind: string }[]> {
  const { rows } = await admin.query<{ entry: Buffer }>(
    `select entry from audits.entries where log = 'system' and action = 'telemetry.retention' order by seq`,
  )
  return rows.map(({ entry }) => JSON.parse(entry.toString()).body)
}

describe('retention of telemetry', () => {
  it('H7: nothing is dropped before its time, nor the day that a bound is in', async () => {
    expect(await runTelemetryRetention({ telemetry, keep, nowMs: Date.now(), by: 'test' })).toEqual({
      dropped: [],
      waiting: [],
    })
    const part = { name: 'x', sinceMs: undefined, bytes: 0, rowsAbout: 0 }
    const at = (untilMs: number) => ({ ...part, untilMs })
    expect(expiredPartitions([at(10), at(11), at(12)], 11)).toEqual([at(10), at(11)])
  })

  it('H7: what is past its time is dropped table by table, and the ledger says which, how large and why', async () => {
    // The first partitions end after tomorrow: seen from 33 days on, that of the events has been over for 30 days.
    const later = Date.now() + 33 * dayMs
    // The database has a clock of its own: it drops nothing that is younger than a day by it.
    await expect(runTelemetryRetention({ telemetry, keep, nowMs: later, by: 'test' })).rejects.toThrow(
      'kept for a day at least',
    )
    await admin.query(`alter table portcullis.run_events detach partition portcullis.run_events_first`)
    await admin.query(`do $$ begin execute format('alter table portcullis.run_events attach partition portcullis.run_events_first
      for values from (minvalue) to (%L)', portcullis.least_id(date_trunc('day', now(), 'UTC') - interval '31 days')); end $$`)
    const job = telemetryRetentionJob(database.settings(), keep)
    expect(await job(new AbortController().signal)).toEqual({ dropped: ['run_events_first'], waiting: [] })
    expect(await job(new AbortController().signal)).toEqual({ dropped: [], waiting: [] })
    expect(await droppedEntries()).toMatchObject([
      { kind: 'telemetry.retention', args: { table: 'run_events', partition: 'run_events_first', since: '', keep } },
    ])
    expect(await verifyLog(admin, 'system')).toMatchObject({ chain_valid: true })
  })
})
