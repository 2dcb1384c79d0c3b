import { KillScopeKind } from '@portcullis/contract'
import { isPlatform, publicId, refuse, uuidv7, type Caller, type Refusal } from '#core'
import { bare } from '../handler.ts'
import { effect, type Answer, type Effect } from '../ports.ts'
import type { KillRow } from './kill-rows.ts'
import { isInForce, ownIds } from './match.ts'
import type { KillsPort } from './ports.ts'

interface Asked {
  readonly caller: Caller
  /** Whose word it is; the caller's where absent. */
  readonly actor?: string
  readonly reason: string
  readonly nowMs: number
  readonly kills: KillsPort
}

interface EngageSpec extends Asked {
  readonly scope: KillScopeKind
  readonly subject: string
  readonly expiresAtMs: number | null
  /** Answers with what is engaged already for the same subject, if anything that lasts as long is. */
  readonly once?: boolean
  readonly answer: (kill: KillRow) => Answer
}

/**
 * Engages a kill switch. The one effect that does: it has the lock of all writes, changes the epoch that they are decided under, and
 * is answered when no replica admits anything in its scope any more (SPEC K2). May be a part of a composite, which MUST then have
 * the `changesCredentials` and `afterCommit` of this effect.
 */
export function engageEffect(spec: EngageSpec): Effect {
  const { caller, nowMs, scope, subject, reason, expiresAtMs, kills } = spec
  const id = uuidv7(nowMs)
  let epoch: string | undefined
  return effect({
    operation: 'kill.engage',
    key: id,
    args: {
      id,
      scope,
      subject,
      reason,
      actor: spec.actor ?? caller.id,
      engagedAtMs: nowMs,
      expiresAtMs,
      platform: isPlatform(caller),
      once: spec.once === true,
    },
    changesCredentials: true,
    afterCommit: async (reply) => {
      const { replicas, acknowledged, tookMs } = await kills.confirmed(epoch)
      return { ...reply, replicas, replicasAcknowledged: acknowledged, tookMs: BigInt(Math.ceil(tookMs)) }
    },
    answer: (row) => {
      epoch = row?.epoch
      return engagedOr(row, spec.answer)
    },
  })
}

interface ReleaseSpec extends Asked {
  /** Bare; null for every kill of the caller's tenant as a whole. */
  readonly id: string | null
  readonly answer: (kill: KillRow | undefined) => Answer
}

/** Releases one kill switch, or all that stop the caller's tenant as a whole. Refused where it is not the caller's to release (SPEC K4). */
export function releaseEffect({ caller, nowMs, id, reason, actor, answer }: ReleaseSpec): Effect {
  return effect({
    operation: 'kill.release',
    key: id ?? '',
    args: { id, reason, actor: actor ?? caller.id, atMs: nowMs, platform: isPlatform(caller), own: ownIds(caller) },
    changesCredentials: true,
    answer: (row) => {
      if (row === undefined) return id === null ? answer(undefined) : refuse('object.not_found', 'no such kill')
      if (row.verdict === 'object.state')
        return refuse('object.state', 'kill already released', { detail: 'the kill switch has been released already' })
      if (row.verdict === 'auth.scope_missing')
        return refuse('auth.scope_missing', 'the platform engaged it', {
          detail: 'who runs the platform engaged it, and releases it: needs tenants:write there',
        })
      if (row.verdict === 'kill.engaged')
        return refuse('kill.engaged', 'the caller would release itself', {
          detail: 'nobody releases the kill switch that stops it',
        })
      return answer(row)
    },
  })
}

/** Who may release at all: people who run the tenant, with the scope for it. */
export function mayRelease(caller: Caller): Refusal | undefined {
  if (caller.kind !== 'operator')
    return refuse('auth.scope_missing', 'a kill switch is released by an operator', {
      detail: 'only operators release a kill switch',
    })
  return caller.scopes.has('kill:release')
    ? undefined
    : refuse('auth.scope_missing', 'kill:release', { detail: 'needs kill:release' })
}

/** The switch of a tenant as its policy turns it (SPEC B1): on, or off whoever engaged it. `reason` is required to turn it on. */
export function policyKill(on: boolean, asked: Asked): Effect | Refusal {
  const answer = (kill: KillRow | undefined): Answer =>
    kill === undefined ? {} : { told: { killId: publicId('kil', kill.id) } }
  const subject = bare(asked.caller.tenant.id)
  if (on) return engageEffect({ ...asked, scope: KillScopeKind.TENANT, subject, expiresAtMs: null, once: true, answer })
  return mayRelease(asked.caller) ?? platformKill(asked, subject) ?? releaseEffect({ ...asked, id: null, answer })
}

/** What the platform stopped stays so whatever the policy of the tenant says: that it is off would be no answer. */
function platformKill({ caller, kills, nowMs }: Asked, subject: string): Refusal | undefined {
  const stays = kills
    .inForce()
    .some(
      (kill) =>
        kill.byPlatform && kill.scope === KillScopeKind.TENANT && kill.subject === subject && isInForce(kill, nowMs),
    )
  if (!stays || isPlatform(caller)) return undefined
  return refuse('auth.scope_missing', 'the platform stopped this tenant', {
    detail:
      'who runs the platform stopped this tenant, and releases it: leave policy.killSwitch out to change the rest',
  })
}

function engagedOr(
  row: (KillRow & { readonly verdict: 'done' | 'object.state' }) | undefined,
  answer: (kill: KillRow) => Answer,
): Answer | Refusal {
  if (row === undefined)
    return refuse('object.not_found', 'the scope of the kill names nothing of this caller', {
      detail: 'scope names nothing that is there',
    })
  if (row.verdict === 'object.state')
    return refuse('object.state', 'too many kills in force', {
      detail:
        'at most 1,000 names of models, tools and jobs are stopped in a tenant at a time, 100 of them by one caller, and one caller ' +
        'stops the same tenant, agent or key 10 times: release some',
    })
  return answer(row)
}
