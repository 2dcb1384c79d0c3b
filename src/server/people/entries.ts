import { publicId, uuidv7, type RefusalCode } from '#core'
import { bare, type RecordedOutcome } from '#hub'
import { encodeBody, type EntryKind, type LedgerRecord } from '#ledger'
import type { KnownPerson } from '#store'

/** Where a request of a browser came from. */
export interface From {
  /** Address of the peer, without port. */
  readonly remote: string
  readonly requestId: string
}

/** How somebody showed who they are. */
export type SignInBy = 'code' | 'password' | 'upstream'

/** What a person did, or tried, in the pages. */
interface Event {
  readonly kind: Extract<EntryKind, 'console.signed_in' | 'console.signed_out' | 'password.set' | 'app.signed_in'>
  /** The path. */
  readonly route: string
  readonly from: From
  readonly nowMs: number
  /** In the log of whose tenant it belongs; undefined puts it into `system`. */
  readonly person: KnownPerson | undefined
  readonly operatorId?: string | undefined
  readonly args?: Readonly<Record<string, string | readonly string[]>>
}

/** The entry of what a person did in the pages. Holds no code, password or cookie. */
export function personRecord(event: Event, outcome: RecordedOutcome): LedgerRecord {
  const { kind, route, from, nowMs, person, args } = event
  const operator = person?.operator.id ?? event.operatorId
  const code = outcome.outcome === 'allow' ? undefined : outcome.code
  const body = encodeBody({
    access: 'system',
    args: args === undefined ? undefined : { ...args },
    at: new Date(nowMs).toISOString(),
    bypass: false,
    caller: operator === undefined ? undefined : { id: operator, kind: 'operator' },
    code,
    elapsedUs: 0,
    id: publicId('ent', uuidv7(nowMs)),
    kind,
    method: route,
    outcome: outcome.outcome,
    reason: outcome.outcome === 'allow' ? undefined : outcome.reason,
    remote: from.remote,
    requestId: from.requestId,
    tenant: person?.tenant.id,
  })
  return {
    log: person?.tenant.name ?? 'system',
    tenantId: person === undefined ? undefined : bare(person.tenant.id),
    caller: operator,
    actor: undefined,
    action: kind,
    outcome: outcome.outcome,
    code,
    requestId: from.requestId,
    body,
  }
}

export function denied(code: RefusalCode, reason: string): RecordedOutcome {
  return { outcome: 'deny', code, reason }
}
