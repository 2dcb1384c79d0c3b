import type { Config } from '#config'
import type { PostureRow, ReaderPort, ReadScope } from '#hub'
import { JobReports, type ConnectionSettings } from '#store'
import type { Checkpointer } from '../../checkpoints/checkpointer.ts'
import type { SinkLag } from '../../sinks/sinks.ts'
import type { JobResult } from '../job.ts'

/** What the kinds that are built in work with. */
export interface JobTools {
  readonly config: Config
  readonly connection: ConnectionSettings
  readonly reader: ReaderPort
  readonly checkpoints: () => Checkpointer | undefined
  readonly sinkLags: () => readonly SinkLag[]
  /** Drops telemetry past its time; absent where nothing keeps it. */
  readonly telemetryRetention?: ((signal: AbortSignal) => Promise<JobResult>) | undefined
  /** Where this server listens; empty until it does. */
  readonly bound: { readonly http: string; readonly grpc: string }
  /** Keeps a report of checks, in the log of the tenant. */
  readonly keepPosture: (tenant: string, posture: PostureRow) => Promise<void>
  /** Logs that a replay found broken, with why. */
  readonly broken: (found: ReadonlyMap<string, string>) => void
}

export async function withReports<Result>(
  { connection }: Pick<JobTools, 'connection'>,
  work: (reports: JobReports) => Promise<Result>,
): Promise<Result> {
  const reports = new JobReports(connection)
  try {
    return await work(reports)
  } finally {
    await reports.close()
  }
}

/** Every log with the scope that reads it. */
export async function logsOf(tools: JobTools): Promise<readonly { readonly log: string; readonly scope: ReadScope }[]> {
  const tenants = await withReports(tools, (reports) => reports.tenants())
  const found = new Map<string, ReadScope>()
  for (const { id, name } of tenants) {
    const scope = { tenantId: id, platform: name === 'main' }
    for (const log of await tools.reader.logs(scope)) if (!found.has(log)) found.set(log, scope)
  }
  return [...found].map(([log, scope]) => ({ log, scope }))
}
