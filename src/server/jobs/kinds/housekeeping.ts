import type { JobHandler } from '../job.ts'
import { ledgerPolicies } from './ledger.ts'
import { withReports, type JobTools } from './tools.ts'

const atOnce = 10_000

/** Telemetry and jobs past their time go away; of the ledger it says what its retention asks for. */
export function retention(tools: JobTools): JobHandler {
  return async ({ signal }) => {
    const telemetry = (await tools.telemetryRetention?.(signal)) ?? {}
    const jobs = await withReports(tools, async (reports) => {
      let purged = 0
      for (;;) {
        signal.throwIfAborted()
        const count = await reports.purgeJobs(tools.config.jobs.keepDays, atOnce)
        purged += count
        if (count < atOnce) return purged
      }
    })
    const policies = ledgerPolicies(tools)
    const todo = 'prune it with `portcullis ledger prune --archive DIR`'
    return { telemetry, jobs, ledger: policies.length === 0 ? { policies } : { policies, todo } }
  }
}

/** What has been recorded is added to the totals now, and not a little later. */
export function rollUp(tools: JobTools): JobHandler {
  return async () => {
    await withReports(tools, (reports) => reports.fold())
    return { folded: true }
  }
}
