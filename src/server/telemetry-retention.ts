import { setTimeout as delay } from 'node:timers/promises'
import type { Config } from '#config'
import { publicId, uuidv7 } from '#core'
import { encodeBody } from '#ledger'
import { Connection, TimeSeries, type ConnectionSettings, type TelemetryPartition, type TelemetryTable } from '#store'

const dayMs = 86_400_000
const triesMax = 5
const waitMs = 500

const tables = [
  ['prompt_attempts', 'attemptsDays'],
  ['run_events', 'eventsDays'],
  ['benchmarks', 'benchmarksDays'],
  ['telemetry_rollups_hour', 'rollupHourDays'],
] as const satisfies readonly (readonly [TelemetryTable, keyof Config['telemetry']['retention']])[]

export interface TelemetryRetentionOptions {
  /** Connected as the app role. */
  readonly telemetry: TimeSeries
  readonly keep: Config['telemetry']['retention']
  readonly nowMs: number
  /** Who runs it, as the ledger names them. */
  readonly by: string
  readonly signal?: AbortSignal | undefined
}

export interface TelemetryRetentionResult {
  readonly dropped: readonly (TelemetryPartition & { readonly table: TelemetryTable })[]
  /** Past their time and still in use: they go at the next run. */
  readonly waiting: readonly string[]
}

/**
 * Drops the partitions whose last row is past the time that its table is kept (SPEC H7). Each goes in a transaction of its own, with its
 * entry in the ledger: a run that stops halfway is run again. Any number of processes may.
 */
export async function runTelemetryRetention(options: TelemetryRetentionOptions): Promise<TelemetryRetentionResult> {
  const { telemetry, keep, nowMs, signal } = options
  const dropped: (TelemetryPartition & { readonly table: TelemetryTable })[] = []
  const waiting: string[] = []
  for (const [table, setting] of tables) {
    const beforeMs = nowMs - keep[setting] * dayMs
    for (const partition of expiredPartitions(await telemetry.partitions(table), beforeMs)) {
      signal?.throwIfAborted()
      const done = await drop(options, table, partition, beforeMs)
      if (done === 'dropped') dropped.push({ ...partition, table })
      if (done === 'busy') waiting.push(partition.name)
    }
  }
  return { dropped, waiting }
}

/** As a job: on a connection of its own, with what it did as its result. */
export function telemetryRetentionJob(connection: ConnectionSettings, keep: Config['telemetry']['retention']) {
  return async (signal: AbortSignal): Promise<{ readonly dropped: string[]; readonly waiting: string[] }> => {
    const own = new Connection(connection, 'telemetry retention')
    try {
      const options = { telemetry: new TimeSeries(own), keep, nowMs: Date.now(), by: 'retention', signal }
      const { dropped, waiting } = await runTelemetryRetention(options)
      return { dropped: dropped.map(({ name }) => name), waiting: [...waiting] }
    } finally {
      await own.close()
    }
  }
}

/** Those that end before the time: a row of the last instant of its day is kept for its whole time. */
export function expiredPartitions(
  partitions: readonly TelemetryPartition[],
  beforeMs: number,
): readonly TelemetryPartition[] {
  return partitions.filter(({ untilMs }) => untilMs <= beforeMs)
}

async function drop(
  { telemetry, by, keep, nowMs, signal }: TelemetryRetentionOptions,
  table: TelemetryTable,
  { name, sinceMs, untilMs, bytes, rowsAbout }: TelemetryPartition,
  beforeMs: number,
): Promise<'dropped' | 'gone' | 'busy'> {
  const body = encodeBody({
    access: 'system',
    args: {
      bytes,
      keep: { ...keep },
      partition: name,
      rowsAbout,
      since: sinceMs === undefined ? '' : new Date(sinceMs).toISOString(),
      table,
      until: new Date(untilMs).toISOString(),
    },
    at: new Date(nowMs).toISOString(),
    bypass: false,
    elapsedUs: 0,
    id: publicId('ent', uuidv7(nowMs)),
    kind: 'telemetry.retention',
    method: '(retention)',
    outcome: 'allow',
  })
  for (let tries = 1; ; tries += 1) {
    const done = await telemetry.drop({ table, name, beforeMs, by, body })
    if (done !== 'busy' || tries === triesMax) return done
    await delay(waitMs, undefined, { signal })
  }
}
