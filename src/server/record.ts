import { publicId, uuidv7, type Caller, type Clock } from '#core'
import type { Call } from '#gate'
import { bare, type RecordedOutcome, type Summary } from '#hub'
import { encodeBody, maskText, summarizeArguments, summaryLimits } from '#ledger'
import type { EntryKind, LedgerRecord, Pseudonym } from '#ledger'

interface Recorded {
  readonly call: Call
  readonly caller: Caller | undefined
  /** The acting person that was believed (SPEC G10). */
  readonly actor?: string | undefined
  readonly args: () => Summary
  /** Monotonic milliseconds. */
  readonly arrivedAt: number
  readonly clock: Clock
  /** Of the caller's tenant; personal values are masked without. */
  readonly pseudonym?: Pseudonym | undefined
}

/** The entry of one decision (SPEC L2). Calls without a tenant go to the log `system` (L4). */
export function recordOf(
  recorded: Recorded,
  outcome: RecordedOutcome,
  kind: Extract<EntryKind, 'decision' | 'intent' | 'aborted'> = 'decision',
): LedgerRecord {
  const { call, caller, args, arrivedAt, clock, pseudonym } = recorded
  // A person: masked as every other text that may be one.
  const actor = recorded.actor === undefined ? undefined : maskText(recorded.actor, pseudonym)
  const nowMs = clock.now()
  const refused = outcome.outcome !== 'allow'
  const replayed = !refused && outcome.replayed === true
  const code = refused ? outcome.code : undefined
  const told = refused ? undefined : outcome.told
  const body = encodeBody({
    access: call.method.access,
    actor,
    args: summarizeArguments(
      { ...args(), ...told, ...(replayed ? { replayed } : {}) },
      summaryLimits,
      pseudonym,
    ) as Summary,
    at: new Date(nowMs).toISOString(),
    bypass: call.bypass !== undefined,
    caller: caller === undefined ? undefined : { id: caller.id, kind: caller.kind },
    client: caller?.clientId,
    code,
    credential: caller?.credential,
    elapsedUs: Math.round((clock.monotonic() - arrivedAt) * 1000),
    id: publicId('ent', uuidv7(nowMs)),
    kind,
    method: call.method.path,
    outcome: outcome.outcome,
    reason: refused ? maskText(outcome.reason, pseudonym) : undefined,
    remote: call.remote,
    requestId: call.requestId,
    scopes: caller === undefined ? undefined : sortedScopes(caller.scopes),
    tenant: caller?.tenant.id,
  })
  return {
    log: caller?.tenant.name ?? 'system',
    tenantId: caller === undefined ? undefined : bare(caller.tenant.id),
    caller: caller?.id,
    actor,
    action: call.method.path,
    outcome: outcome.outcome,
    code,
    requestId: call.requestId,
    body,
  }
}

const sorted = new WeakMap<ReadonlySet<string>, readonly string[]>()

function sortedScopes(scopes: ReadonlySet<string>): readonly string[] {
  const known = sorted.get(scopes)
  if (known !== undefined) return known
  const list = [...scopes].toSorted()
  sorted.set(scopes, list)
  return list
}
