import type { JobHandler } from '../job.ts'
import { pruneLedger } from './prune-ledger.ts'
import { withReports, type JobTools } from './tools.ts'

const atOnce = 10_000

/** Telemetry and jobs past their time go away, and so does what the ledger may lose, where that is set up; else it says what is to be done. */
export function retention(tools: JobTools): JobHandler {
  return async ({ id, signal }) => {
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
    return { telemetry, jobs, ledger: await pruneLedger(tools, id, signal) }
  }
}

/** What has been recorded is added to the totals now, and not a little later. */
export function rollUp(tools: JobTools): JobHandler {
  return async () => {
    await withReports(tools, (reports) => reports.fold())
    return { folded: true }
  }
}
