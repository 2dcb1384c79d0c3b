import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { DrillSchema, KillSchema, KillScopeKind, type Drill, type Kill } from '@portcullis/contract'
import { publicId, type IdPrefix } from '#core'
import { maskText } from '#ledger'
import type { DrillRow, KillRow } from './kill-rows.ts'
import type { KillInForce } from './match.ts'

/** What the subject of each kind of scope is an id of; the others are names. */
export const subjectIds: Readonly<Partial<Record<KillScopeKind, IdPrefix>>> = {
  [KillScopeKind.TENANT]: 'ten',
  [KillScopeKind.AGENT]: 'agt',
  [KillScopeKind.KEY]: 'key',
}

export function scopeMessage({ scope, subject }: Pick<KillRow, 'scope' | 'subject'>): {
  readonly kind: KillScopeKind
  readonly id: string
} {
  const kind = scope as KillScopeKind
  const prefix = subjectIds[kind]
  return { kind, id: prefix === undefined ? maskText(subject) : publicId(prefix, subject) }
}

export function killMessage(row: KillRow): Kill {
  return create(KillSchema, {
    id: publicId('kil', row.id),
    scope: scopeMessage(row),
    reason: maskText(row.reason),
    actor: row.actor,
    engagedAt: timestampFromMs(row.engagedAtMs),
    ...(row.expiresAtMs === null ? {} : { expiresAt: timestampFromMs(row.expiresAtMs) }),
    ...(row.releasedAtMs === null ? {} : { releasedAt: timestampFromMs(row.releasedAtMs) }),
    releasedBy: row.releasedBy,
    releaseReason: maskText(row.releaseReason),
    runsCancelled: BigInt(row.runsCancelled),
    reservationsSettled: BigInt(row.reservationsSettled),
  })
}

/** What those who watch see of it; who watches itself alone is not told why, nor by whom, and of everything the platform alone is. */
export function watchedKill(kill: KillInForce, ownOnly: boolean, platform: boolean): Kill {
  const why = platform || (!ownOnly && kill.scope !== KillScopeKind.EVERYTHING)
  return create(KillSchema, {
    id: publicId('kil', kill.id),
    scope: scopeMessage(kill),
    ...(why ? { reason: maskText(kill.reason), actor: kill.actor } : {}),
    engagedAt: timestampFromMs(kill.engagedAtMs),
    ...(kill.expiresAtMs === null ? {} : { expiresAt: timestampFromMs(kill.expiresAtMs) }),
  })
}

export function drillMessage(row: DrillRow): Drill {
  return create(DrillSchema, {
    id: publicId('drl', row.id),
    killId: publicId('kil', row.killId),
    denyP50Us: BigInt(row.denyP50Us),
    denyP99Us: BigInt(row.denyP99Us),
    cancelP50Us: BigInt(row.cancelP50Us),
    cancelP99Us: BigInt(row.cancelP99Us),
    probes: row.probes,
    replicas: row.replicas,
    actor: row.actor,
    createdAt: timestampFromMs(row.createdAtMs),
  })
}
