import type { JobResult } from '../job.ts'
import { settingsForUrl } from '../../connection-settings.ts'
import { prune } from '../../retention.ts'
import { withRetentionStore } from '../../retention-store.ts'
import { StartError } from '../../start-error.ts'
import { ledgerPolicies } from './ledger.ts'
import type { JobTools } from './tools.ts'

// Sinks and checkpoints come every few seconds; what is recorded by then is dropped by the next run.
const waitMs = 120_000

/**
 * What `portcullis ledger prune` does, by the same code, where the operator has said where archives go and given the server the maintenance
 * role (SPEC L12); else what is left to do. What only an operator decides fails the job, and says so: a sink to be given up, an
 * archive that cannot be used.
 */
export async function pruneLedger(tools: JobTools, id: string, signal: AbortSignal): Promise<JobResult> {
  const policies = ledgerPolicies(tools)
  const { audit, database } = tools.config
  const { archiveDir } = audit.retention
  if (archiveDir === undefined)
    return {
      policies,
      todo: 'prune it with `portcullis ledger prune --archive DIR`, or set audit.retention.archiveDir',
    }
  const { url } = database.maintenance
  if (url === undefined)
    throw new Error('audit.retention.archiveDir needs the maintenance role: set database.maintenance.urlFile')
  try {
    const classes = await withRetentionStore(settingsForUrl(url, database), (store) =>
      prune({
        store,
        retention: audit.retention,
        archive: archiveDir,
        by: id,
        waitMs,
        nowMs: Date.now(),
        signal,
        say: () => undefined,
      }),
    )
    const gone = classes.filter(({ logs }) => logs.length > 0)
    return {
      policies,
      pruned: gone.map(({ retentionClass, months, logs, keepArchiveUntil }) => ({
        class: retentionClass,
        months: months.filter(({ stays }) => stays === undefined).map(({ name }) => name),
        logs: logs.map(({ log, from, below }) => ({ log, from, below })),
        keepArchiveUntil: keepArchiveUntil ?? '',
      })),
    }
  } catch (error) {
    if (!(error instanceof StartError)) throw error
    throw new Error([error.message, ...error.problems].join(': '), { cause: error })
  }
}
