import { JobState } from '@portcullis/contract'
import { publicId, uuidv7, type Tenant } from '#core'
import { bare, type PostureRow, type RecordedOutcome } from '#hub'
import { encodeBody, maskText, type EntryBody, type LedgerRecord } from '#ledger'
import type { EndedJob } from '#store'

const triggerPath = '/portcullis.v1.JobsService/Trigger'
const recordReportPath = '/portcullis.v1.PostureService/RecordReport'
const stateNames = new Map<number, string>(Object.entries(JobState).map(([name, number]) => [number, name]))

/** The entry of a job that is over, in the log of its tenant. What one that is built in failed of may name other tenants: the job says it. */
export function endedRecord(job: EndedJob, nowMs: number, builtin = false): LedgerRecord {
  const { kind, trigger, attempts, elapsedMs, requestId, tenant, tenantId, error } = job
  const state = stateNames.get(job.state) ?? String(job.state)
  return record(
    {
      kind: 'job.ended',
      args: { attempts, job: publicId('job', job.id), kind, state, trigger },
      elapsedUs: Math.max(0, Math.round(elapsedMs * 1000)),
      outcome: job.state === JobState.FAILED ? 'error' : 'allow',
      ...(error === '' ? {} : { reason: builtin ? 'the job says why' : maskText(error.slice(0, 500)) }),
      ...(requestId === '' ? {} : { requestId }),
    },
    { tenant, tenantId },
    nowMs,
  )
}

/** The entry of a trigger by a schedule. */
export function scheduledRecord(
  given: { readonly kind: string; readonly dueMs: number; readonly requestId: string; readonly tenant: Tenant },
  outcome: RecordedOutcome,
  nowMs: number,
): LedgerRecord {
  const { kind, requestId, tenant } = given
  const refused = outcome.outcome !== 'allow'
  const told = refused ? {} : { ...outcome.told, ...(outcome.replayed === true ? { replayed: true } : {}) }
  return record(
    {
      kind: 'job.triggered',
      args: { due: new Date(given.dueMs).toISOString(), kind, ...told },
      elapsedUs: 0,
      outcome: outcome.outcome,
      requestId,
      ...(refused ? { code: outcome.code, reason: maskText(outcome.reason) } : {}),
    },
    { tenant: tenant.name, tenantId: bare(tenant.id) },
    nowMs,
  )
}

/** The entry of a report of checks that a job has kept. */
export function postureRecord(
  posture: PostureRow,
  { tenant, tenantId }: { readonly tenant: string; readonly tenantId: string },
  outcome: RecordedOutcome,
  nowMs: number,
): LedgerRecord {
  const { reportSha256, counts, target, toolVersion } = posture
  const refused = outcome.outcome !== 'allow'
  return record(
    {
      kind: 'posture.recorded',
      args: { reportSha256, summary: { ...counts }, target, toolVersion },
      elapsedUs: 0,
      outcome: outcome.outcome,
      ...(refused ? { code: outcome.code, reason: maskText(outcome.reason) } : {}),
    },
    { tenant, tenantId },
    nowMs,
    recordReportPath,
  )
}

function record(
  body: Omit<EntryBody, 'access' | 'at' | 'bypass' | 'id' | 'method' | 'tenant'>,
  { tenant, tenantId }: { readonly tenant: string; readonly tenantId: string },
  nowMs: number,
  method = triggerPath,
): LedgerRecord {
  return {
    log: tenant,
    tenantId,
    caller: undefined,
    actor: undefined,
    action: body.kind,
    outcome: body.outcome,
    code: body.code,
    requestId: body.requestId,
    body: encodeBody({
      access: 'system',
      at: new Date(nowMs).toISOString(),
      bypass: false,
      id: publicId('ent', uuidv7(nowMs)),
      method,
      tenant: publicId('ten', tenantId),
      ...body,
    }),
  }
}
