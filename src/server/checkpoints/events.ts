import { publicId, uuidv7 } from '#core'
import { encodeBody, maskText, type EntryKind, type LedgerRecord } from '#ledger'

interface Event {
  readonly kind: Extract<EntryKind, 'ledger.rollback' | 'ledger.rollback_over' | 'audit.override'>
  /** The log that it is about. */
  readonly log?: string
  readonly reason: string
  readonly nowMs: number
}

/** The entry, in the log `system`, of something that happened to the ledger itself. */
export function checkpointEvent({ kind, log, reason, nowMs }: Event): LedgerRecord {
  const outcome = kind === 'ledger.rollback' ? 'error' : 'allow'
  const body = encodeBody({
    access: 'system',
    ...(log === undefined ? {} : { args: { log } }),
    at: new Date(nowMs).toISOString(),
    bypass: false,
    elapsedUs: 0,
    id: publicId('ent', uuidv7(nowMs)),
    kind,
    method: '(server)',
    outcome,
    reason: maskText(reason),
  })
  return {
    log: 'system',
    tenantId: undefined,
    caller: undefined,
    actor: undefined,
    action: kind,
    outcome,
    code: undefined,
    requestId: undefined,
    body,
  }
}
