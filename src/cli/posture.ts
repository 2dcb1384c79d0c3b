import * as z from 'zod'
import type { Report } from '#checks'
import { Client } from './client.ts'
import type { Io } from './io.ts'
import type { List } from './lists.ts'
import type { ClientOptions } from './options.ts'
import { relativeTime } from './print.ts'

const text = z.string().default('')
const time = z.string().nullable().default(null)
const count = z.coerce.number().default(0)

const summaryShape = z.object({
  fail: count,
  conflict: count,
  error: count,
  unknown: count,
  warn: count,
  waived: count,
  pass: count,
})

const reportShape = z.object({
  id: text,
  reportSha256: text,
  toolVersion: text,
  target: text,
  summary: summaryShape.prefault({}),
  actor: text,
  createdAt: time,
})

const pageShape = z
  .object({ reports: z.array(reportShape).default([]), nextPageToken: text })
  .transform(({ reports, nextPageToken }) => ({ rows: reports, nextPageToken }))

const recordedShape = z.object({ report: reportShape })

/** Records a report in the ledger of a server; gives its id. `json` is the text whose digest is the evidence. */
export async function recordReport(report: Report, json: string, options: ClientOptions, io: Io): Promise<string> {
  const { postureReport } = await import('#checks')
  const recorded = await new Client(options, io).call(
    'PostureService/RecordReport',
    { report: postureReport(report, json) },
    recordedShape,
  )
  return recorded.report.id
}

export const reportList: List<z.output<typeof reportShape>> = {
  name: 'reports',
  method: 'PostureService/ListReports',
  shape: pageShape,
  head: ['ID', 'WHEN', 'TARGET', 'FAIL', 'UNKNOWN', 'WARN', 'WAIVED', 'PASS', 'SHA-256'],
  cells: ({ id, createdAt, target, summary, reportSha256 }, nowMs) => [
    id,
    relativeTime(createdAt, nowMs),
    target,
    String(summary.fail + summary.conflict),
    String(summary.unknown + summary.error),
    String(summary.warn),
    String(summary.waived),
    String(summary.pass),
    reportSha256.slice(0, 12),
  ],
  none: 'No report was recorded yet: `portcullis verify --record` does.',
}
