import { publicId, uuidv7 } from '#core'
import { encodeBody, maskText, type LedgerRecord, type SinkNotice } from '#ledger'

/** The entry of what happened to a sink, in the log `system`. */
export function noticeRecord(sink: string, { what, log, detail }: SinkNotice, nowMs: number): LedgerRecord {
  const kind = 'ledger.sink'
  const body = encodeBody({
    access: 'system',
    args: { log, sink, what },
    at: new Date(nowMs).toISOString(),
    bypass: false,
    elapsedUs: 0,
    id: publicId('ent', uuidv7(nowMs)),
    kind,
    method: '(none)',
    outcome: 'error',
    reason: maskText(detail),
  })
  return {
    log: 'system',
    tenantId: undefined,
    caller: undefined,
    actor: undefined,
    action: kind,
    outcome: 'error',
    code: undefined,
    requestId: undefined,
    body,
  }
}
