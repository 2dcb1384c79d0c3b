import { uuidv7 } from '#core'
import { version } from '../../version.ts'
import type { JobHandler } from '../job.ts'
import type { JobTools } from './tools.ts'

/** Runs the live checks that change nothing against this server, from where it runs, and keeps the report. */
export function verify(tools: JobTools): JobHandler {
  return async ({ tenant, kind, signal }) => {
    // Loaded when it is due: a server that never verifies itself does not carry the checks in memory.
    const checks = await import('#checks')
    const { http, grpc } = tools.bound
    const startedAt = new Date()
    const live = await checks.openLive({
      url: `http://${http}`,
      grpc,
      vantage: 'host',
      allowed: new Set(['read-only'] as const),
    })
    const results = await checks.runChecks({ contexts: { live }, controls: checks.controls })
    signal.throwIfAborted()
    const report = checks.buildReport({
      tool: { name: 'portcullis', version },
      target: { url: live.url.origin },
      startedAt,
      durationMs: Date.now() - startedAt.getTime(),
      results,
    })
    const { reportSha256, toolVersion, target, summary, findings, findingsLeftOut } = checks.postureReport(
      report,
      checks.jsonReport(report),
    )
    await tools.keepPosture(tenant, {
      id: uuidv7(startedAt.getTime()),
      reportSha256,
      toolVersion,
      target,
      startedAtMs: startedAt.getTime(),
      counts: summary,
      findings,
      findingsLeftOut,
      actor: kind,
      createdAtMs: Date.now(),
    })
    return { reportSha256, exitCode: report.exitCode, summary: { ...summary } }
  }
}
