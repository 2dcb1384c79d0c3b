import { publicId, uuidv7, type Caller } from '#core'
import { bare } from '#hub'
import { encodeBody, maskText, type LedgerRecord } from '#ledger'

/** What one entry tells of many events. */
export interface CountedEvents {
  readonly kind: 'denials.counted' | 'reads.counted' | 'entries.lost'
  readonly outcome: 'allow' | 'deny' | 'error'
  readonly count: number
  readonly firstAtMs: number
  readonly lastAtMs: number
  /** Why they are told together. */
  readonly reason: string
  readonly code?: string | undefined
  readonly method?: string | undefined
  readonly remote?: string | undefined
  /** `remote`, or the first of its group, lies in a bypass network. */
  readonly bypass?: boolean | undefined
  readonly caller?: Pick<Caller, 'id' | 'kind' | 'tenant'> | undefined
  /** Where it belongs, for events that have no caller. The log `system` without it. */
  readonly log?: { readonly name: string; readonly tenantId: string | undefined } | undefined
  /** One of them, as a sample. */
  readonly sample?: Readonly<Record<string, string>> | undefined
}

/** The entry of events that were counted instead of recorded one by one (SPEC L7, L14). */
export function countedRecord(events: CountedEvents, nowMs: number): LedgerRecord {
  const { kind, outcome, count, firstAtMs, lastAtMs, reason, code, caller, log } = events
  const first = new Date(firstAtMs).toISOString()
  const last = new Date(lastAtMs).toISOString()
  const body = encodeBody({
    access: 'system',
    args: { ...events.sample, count, first, last },
    at: new Date(nowMs).toISOString(),
    bypass: events.bypass === true,
    caller: caller === undefined ? undefined : { id: caller.id, kind: caller.kind },
    code,
    elapsedUs: 0,
    id: publicId('ent', uuidv7(nowMs)),
    kind,
    method: events.method ?? '(any)',
    outcome,
    reason: maskText(reason),
    remote: events.remote,
    tenant: caller?.tenant.id,
  })
  return {
    log: caller?.tenant.name ?? log?.name ?? 'system',
    tenantId: caller === undefined ? log?.tenantId : bare(caller.tenant.id),
    caller: caller?.id,
    actor: undefined,
    action: kind,
    outcome,
    code,
    requestId: undefined,
    body,
  }
}
