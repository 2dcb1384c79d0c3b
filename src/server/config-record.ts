import { publicId, uuidv7 } from '#core'
import { encodeBody, type LedgerRecord } from '#ledger'

/** The entry of settings that a running server took over, by name: values may be secret (SPEC L2). In the log `system`. */
export function configRecord(
  parts: readonly string[],
  nowMs: number,
  more: Readonly<Record<string, string | number>> = {},
): LedgerRecord {
  const kind = 'config.changed'
  const body = encodeBody({
    access: 'system',
    args: { ...more, parts: parts.toSorted(), process: process.pid },
    at: new Date(nowMs).toISOString(),
    bypass: false,
    elapsedUs: 0,
    id: publicId('ent', uuidv7(nowMs)),
    kind,
    method: '(settings file)',
    outcome: 'allow',
  })
  return {
    log: 'system',
    tenantId: undefined,
    caller: undefined,
    actor: undefined,
    action: kind,
    outcome: 'allow',
    code: undefined,
    requestId: undefined,
    body,
  }
}
