import { publicId } from '#core'
import type { JobHandler } from '../job.ts'
import { withReports, type JobTools } from './tools.ts'

const shownMax = 200
const perTenantMax = 50
const dayMs = 86_400_000
const prefixes = { key: 'key', app: 'app', signing_key: 'sgk' } as const

export function secretAgeReport(tools: JobTools): JobHandler {
  const days = tools.config.jobs.secretAgeDays
  return ({ signal }) =>
    withReports(tools, async (reports) => {
      const old: { tenant: string; what: string; id: string; ageDays: number }[] = []
      for (const { id: tenantId, name: tenant } of await reports.tenants()) {
        signal.throwIfAborted()
        for (const { what, id, sinceMs } of await reports.agedSecrets(tenantId, days, perTenantMax)) {
          old.push({
            tenant,
            what,
            id: publicId(prefixes[what], id),
            ageDays: Math.floor((Date.now() - sinceMs) / dayMs),
          })
        }
      }
      const oldest = old.toSorted((a, b) => b.ageDays - a.ageDays)
      return { olderThanDays: days, found: old.length, oldest: oldest.slice(0, shownMax) }
    })
}

/** What providers' bills said beside what is known, per tenant: the newest alerts of what was imported. */
export function reconciliation(tools: JobTools): JobHandler {
  return ({ signal }) =>
    withReports(tools, async (reports) => {
      const alerts: Record<string, string>[] = []
      for (const { id: tenantId, name: tenant } of await reports.tenants()) {
        signal.throwIfAborted()
        for (const alert of await reports.driftAlerts(tenantId, perTenantMax)) alerts.push({ tenant, ...alert })
      }
      return { alerts: alerts.length, newest: alerts.slice(0, shownMax) }
    })
}

/** Fails where what budgets say was used is not what the reservations behind them add up to. */
export function budgetCheck(tools: JobTools): JobHandler {
  return () =>
    withReports(tools, async (reports) => {
      const problems = await reports.budgetProblems()
      const [first] = problems
      if (first === undefined) return { problems: 0 }
      throw new Error(
        `${problems.length} windows of budgets are wrong; ${publicId('bud', first.budgetId)}: ${first.problem}`,
      )
    })
}
