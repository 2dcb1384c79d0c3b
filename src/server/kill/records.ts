import { publicId, uuidv7, type Json } from '#core'
import { encodeBody, maskText, type EntryKind, type LedgerRecord } from '#ledger'
import type { RecordedOutcome } from '#hub'

interface About {
  /** Bare; undefined for the log `system`. */
  readonly tenantId: string | undefined
  readonly tenantName: string
  readonly args: Readonly<Record<string, Json>>
}

/** The entry of what the server did because of a kill switch, or would have: nobody called. */
export function killRecord(
  kind: Extract<EntryKind, `kill.${string}`>,
  { tenantId, tenantName, args }: About,
  nowMs: number,
  outcome: RecordedOutcome = { outcome: 'allow' },
): LedgerRecord {
  const refused = outcome.outcome !== 'allow'
  const code = refused ? outcome.code : undefined
  const body = encodeBody({
    access: 'system',
    args,
    at: new Date(nowMs).toISOString(),
    bypass: false,
    code,
    elapsedUs: 0,
    id: publicId('ent', uuidv7(nowMs)),
    kind,
    method: '(kill switch)',
    outcome: outcome.outcome,
    ...(refused ? { reason: maskText(outcome.reason) } : {}),
    ...(tenantId === undefined ? {} : { tenant: publicId('ten', tenantId) }),
  })
  return {
    log: tenantName,
    tenantId,
    caller: undefined,
    actor: undefined,
    action: kind,
    outcome: outcome.outcome,
    code,
    requestId: undefined,
    body,
  }
}
