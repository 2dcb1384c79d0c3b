import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  ListReportsResponseSchema,
  PostureReportSchema,
  PostureService,
  RecordReportResponseSchema,
  type PostureFinding,
  type PostureReport,
  type PostureSummary,
} from '@portcullis/contract'
import { isRefusal, publicId, uuidv7 } from '#core'
import { maskText } from '#ledger'
import { Fields } from '../fields.ts'
import { read, readScope, write } from '../handler.ts'
import { listPage } from '../paging.ts'
import { effect } from '../ports.ts'
import type { PostureCounts, PostureFound, PostureRow } from './posture-rows.ts'

const findingsMax = 1000
const checksMax = 10_000
const wordMax = 100
const targetMax = 500
const detailMax = 500
const outcomes = ['fail', 'conflict', 'error', 'unknown', 'warn', 'manual', 'waived', 'notApplicable', 'pass'] as const

const recordReport = write(
  PostureService.method.recordReport,
  ({ report }, { caller, clock }) => {
    const fields = new Fields()
    const createdAtMs = clock.now()
    if (!/^[0-9a-f]{64}$/.test(report?.reportSha256 ?? ''))
      fields.wrong('report.reportSha256', 'is not a SHA-256 in 64 lower-case hex digits')
    if ((report?.findings.length ?? 0) > findingsMax)
      fields.wrong('report.findings', `holds more than ${findingsMax}; count the others in findingsLeftOut`)
    const row: PostureRow = {
      id: uuidv7(createdAtMs),
      reportSha256: report?.reportSha256 ?? '',
      toolVersion: fields.required('report.toolVersion', report?.toolVersion ?? '', wordMax),
      target: fields.required('report.target', report?.target ?? '', targetMax),
      startedAtMs: fields.time('report.startedAt', report?.startedAt, createdAtMs),
      counts: counted(fields, report?.summary),
      findings: (report?.findings ?? []).slice(0, findingsMax).map((finding, at) => found(fields, at, finding)),
      findingsLeftOut: fields.integer('report.findingsLeftOut', report?.findingsLeftOut ?? 0, 0, 1_000_000),
      actor: caller.id,
      createdAtMs,
    }
    if (fields.refusal !== undefined) return fields.refusal
    return effect({
      operation: 'posture.record',
      key: row.id,
      args: row,
      answer: () => ({ reply: create(RecordReportResponseSchema, { report: message(row) }) }),
    })
  },
  ({ report }) => ({
    reportSha256: report?.reportSha256 ?? '',
    summary: Object.fromEntries(outcomes.map((outcome) => [outcome, report?.summary?.[outcome] ?? 0])),
    target: report?.target ?? '',
    toolVersion: report?.toolVersion ?? '',
  }),
)

const listReports = read(
  PostureService.method.listReports,
  async (request, { caller, reader }) => {
    const scope = readScope(caller, false)
    const fields = new Fields()
    const target = fields.text('target', request.target, targetMax)
    if (fields.refusal !== undefined) return fields.refusal
    const filter = target === '' ? {} : { target }
    const page = await listPage(
      'postures',
      { tenant: scope.tenantId, ...filter },
      request,
      (at) => reader.postures(scope, filter, at),
      message,
    )
    if (isRefusal(page)) return page
    return create(ListReportsResponseSchema, { reports: [...page.items], nextPageToken: page.nextPageToken })
  },
  ({ pageSize }) => ({ pageSize }),
)

export const postureHandlers = [recordReport, listReports]

function counted(fields: Fields, summary: PostureSummary | undefined): PostureCounts {
  const counts = outcomes.map((outcome) => [
    outcome,
    fields.integer(`report.summary.${outcome}`, summary?.[outcome] ?? 0, 0, checksMax),
  ])
  return Object.fromEntries(counts) as PostureCounts
}

function found(fields: Fields, at: number, finding: PostureFinding): PostureFound {
  const name = (part: string): string => `report.findings[${at}].${part}`
  return {
    check: fields.required(name('check'), finding.check, wordMax),
    control: fields.text(name('control'), finding.control, wordMax),
    outcome: fields.required(name('outcome'), finding.outcome, wordMax),
    severity: fields.text(name('severity'), finding.severity, wordMax),
    fingerprint: fields.text(name('fingerprint'), finding.fingerprint, wordMax),
    path: fields.text(name('path'), finding.path, targetMax),
    line: fields.integer(name('line'), finding.line, 0, 2_147_483_647),
    detail: fields.text(name('detail'), finding.detail, detailMax),
  }
}

function message(row: PostureRow): PostureReport {
  return create(PostureReportSchema, {
    id: publicId('pst', row.id),
    reportSha256: row.reportSha256,
    toolVersion: row.toolVersion,
    target: maskText(row.target),
    startedAt: timestampFromMs(row.startedAtMs),
    summary: row.counts,
    findings: row.findings.map((finding) => ({
      ...finding,
      path: maskText(finding.path),
      detail: maskText(finding.detail),
    })),
    findingsLeftOut: row.findingsLeftOut,
    actor: row.actor,
    createdAt: timestampFromMs(row.createdAtMs),
  })
}
