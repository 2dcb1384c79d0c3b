import { KillScopeKind } from '@portcullis/contract'
import { refuse, type Caller, type Refusal } from '#core'
import { isInForce, KillIndex, ownIds, type KillInForce } from '../kills/match.ts'
import type { KillsPort } from '../kills/ports.ts'

/** A kill of the whole tenant. */
export function tenantKill(kills: KillsPort, tenantId: string, nowMs: number): KillInForce | undefined {
  return kills
    .inForce()
    .find((kill) => kill.scope === KillScopeKind.TENANT && kill.subject === tenantId && isInForce(kill, nowMs))
}

/**
 * SetPolicy goes on under a kill switch, so that an operator can release that of the tenant. Who else is stopped, or is stopped by
 * a kill of its own key, stays so.
 */
export function ownKill(kills: KillsPort, caller: Caller, nowMs: number): Refusal | undefined {
  const inForce = kills.inForce()
  if (inForce.length === 0) return undefined
  const own = ownIds(caller)
  const stops =
    caller.kind === 'operator'
      ? inForce.find((kill) => kill.scope === KillScopeKind.KEY && own.includes(kill.subject) && isInForce(kill, nowMs))
      : new KillIndex(inForce).stopsCaller(caller, nowMs)
  return stops === undefined ? undefined : refuse('kill.engaged', `kill ${stops.id} stops the caller`)
}
