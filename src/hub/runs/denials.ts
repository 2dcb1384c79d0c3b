import { publicId, uuidv7, type Refusal, type RefusalCode } from '#core'
import { encodeBody, maskText, type LedgerRecord } from '#ledger'
import { bare, type HandlerContext } from '../handler.ts'
import type { Answer, Effect } from '../ports.ts'

/** How many denials of one call have entries of their own: all of them are counted. */
const toldMax = 20

type Asking = Pick<HandlerContext, 'caller' | 'requestId'>

/** An item that was refused where it was decided. */
export interface DeniedItem {
  readonly refusal: Refusal
  readonly of: Effect
}

/** What a call of many items tells of those that budgets and caps refused: each is denied as it would be alone (SPEC B2, B5). */
export function denialsOf(
  items: readonly DeniedItem[],
  asking: Asking,
  nowMs: number,
): Pick<Answer, 'denied' | 'entries' | 'told'> {
  const own = items.filter(({ refusal }) => kindOf(refusal) !== undefined)
  if (own.length === 0) return {}
  const refused: Partial<Record<RefusalCode, number>> = {}
  for (const { refusal } of own) refused[refusal.code] = (refused[refusal.code] ?? 0) + 1
  return {
    denied: own.map(({ refusal }) => refusal.code),
    entries: own.slice(0, toldMax).flatMap((item) => recordOf(item, asking, nowMs) ?? []),
    told: { refused },
  }
}

function kindOf({ code }: Refusal): 'budget.denied' | 'policy.denied' | undefined {
  return code.startsWith('budget.') ? 'budget.denied' : code.startsWith('policy.') ? 'policy.denied' : undefined
}

function recordOf({ of, refusal }: DeniedItem, { caller, requestId }: Asking, nowMs: number): LedgerRecord | undefined {
  const kind = kindOf(refusal)
  if (kind === undefined) return undefined
  const { code, facts, reason } = refusal
  const { id, kind: callerKind, tenant } = caller
  const outcome = 'deny'
  const body = encodeBody({
    access: 'system',
    args: { ...facts, ...(of.runId === undefined ? {} : { runId: publicId('run', of.runId) }) },
    at: new Date(nowMs).toISOString(),
    bypass: false,
    caller: { id, kind: callerKind },
    code,
    elapsedUs: 0,
    id: publicId('ent', uuidv7(nowMs)),
    kind,
    method: '(budgets)',
    outcome,
    reason: maskText(reason),
    requestId,
    tenant: tenant.id,
  })
  return {
    actor: undefined,
    log: tenant.name,
    tenantId: bare(tenant.id),
    caller: id,
    action: kind,
    outcome,
    code,
    requestId,
    body,
  }
}
